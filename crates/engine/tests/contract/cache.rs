//! Which images stay: the last used, those in use, and those that are not ours.

use std::sync::Arc;
use std::time::Duration;

use engine::testing::{Registry, TestImage};
use engine::{
    Digest, Engine, IMAGES_MAX, Image, ImageRef, Pin, ProgressSink, RunSpec, log_channel,
};
use tokio_util::sync::CancellationToken;

use crate::World;

/// Images of about the same size in a registry of the test's own.
struct Shop<'a> {
    world: &'a World,
    registry: Registry,
    image_bytes: u64,
}

struct Ware {
    image: TestImage,
    name: ImageRef,
    digest: Digest,
}

impl<'a> Shop<'a> {
    fn open(world: &'a World) -> Option<Self> {
        let image_bytes = world.busybox().archive().unwrap().len() as u64;
        Some(Self {
            world,
            registry: world.registry()?,
            image_bytes,
        })
    }

    async fn ware(&self, name: &str) -> Ware {
        let image = self.world.busybox();
        let image = image.with_file("/unique", format!("{name} {}", self.world.name()));
        let pushed = self.registry.push(&image, &format!("user/{name}:1")).await;
        let (name, digest) = pushed.unwrap();
        Ware {
            image,
            name,
            digest,
        }
    }

    /// The engine as after a restart, with room for so many images and a half.
    async fn engine(&self, images: u64) -> Arc<dyn Engine> {
        let bytes = match images {
            0 => 0,
            some => some * self.image_bytes + self.image_bytes / 2,
        };
        self.world
            .configured("cache", |config| config.cache_bytes_max = Some(bytes))
            .await
    }
}

impl Ware {
    async fn pull(&self, engine: &dyn Engine) -> Image {
        let pin = Pin::registry(self.digest);
        let pulled = engine.pull(&self.name, &pin, &ProgressSink::none()).await;
        pulled.unwrap()
    }

    async fn is_here(&self, engine: &dyn Engine) -> bool {
        let resolved = engine.resolve(&self.name.at(self.digest)).await;
        resolved.unwrap().image_id.is_some()
    }
}

async fn which(engine: &dyn Engine, wares: &[&Ware]) -> Vec<bool> {
    let mut here = Vec::new();
    for ware in wares {
        here.push(ware.is_here(engine).await);
    }
    here
}

pub(crate) async fn the_least_recently_used_image_goes(world: &World) {
    let Some(shop) = Shop::open(world) else {
        return;
    };
    let (a, b, c) = (
        shop.ware("a").await,
        shop.ware("b").await,
        shop.ware("c").await,
    );
    let engine = shop.engine(2).await;
    for ware in [&a, &b, &a] {
        ware.pull(&*engine).await;
    }
    assert_eq!(which(&*engine, &[&a, &b]).await, [true, true]);
    c.pull(&*engine).await;
    assert_eq!(which(&*engine, &[&a, &b, &c]).await, [true, false, true]);
    drop(engine);
    // What was used last is known after a restart.
    let engine = shop.engine(1).await;
    assert_eq!(which(&*engine, &[&a, &b, &c]).await, [false, false, true]);
    // What is gone can be had again.
    a.pull(&*engine).await;
    assert_eq!(which(&*engine, &[&a, &c]).await, [true, false]);
    shop.engine(0).await;
    assert!(!a.is_here(&*engine).await);
}

pub(crate) async fn an_image_in_use_stays(world: &World) {
    let Some(shop) = Shop::open(world) else {
        return;
    };
    let (running, waiting, other) = (
        shop.ware("running").await,
        shop.ware("waiting").await,
        shop.ware("other").await,
    );
    let engine = shop.engine(0).await;
    let image = running.pull(&*engine).await;
    let mut spec = RunSpec::new(world.name(), image, Duration::from_secs(60));
    spec.args = vec!["echo begun; sleep 600".to_owned()];
    let (logs, mut reader) = log_channel();
    let (runner, token) = (engine.clone(), CancellationToken::new());
    let cancel = token.clone();
    let run = tokio::spawn(async move { runner.run(spec, logs, cancel).await });
    assert_eq!(reader.recv().await.unwrap().bytes, "begun\n");
    let held = waiting.pull(&*engine).await;
    drop(other.pull(&*engine).await);
    // Its answer was held while it was being pulled: it goes with the next pull.
    let last = shop.ware("last").await;
    drop(last.pull(&*engine).await);
    let wares = [&running, &waiting, &other];
    assert_eq!(which(&*engine, &wares).await, [true, true, false]);
    token.cancel();
    run.await.unwrap().unwrap();
    // Nobody has to pull for it to go.
    // Podman cannot say what an image is while it removes it.
    let name = running.name.at(running.digest);
    while !matches!(engine.resolve(&name).await, Ok(found) if found.image_id.is_none()) {
        tokio::task::yield_now().await;
    }
    drop(held);
    drop(engine);
    let engine = shop.engine(0).await;
    assert_eq!(which(&*engine, &wares).await, [false; 3]);
}

pub(crate) async fn what_others_have_put_here_stays(world: &World) {
    let Some(shop) = Shop::open(world) else {
        return;
    };
    let (both, imported) = (shop.ware("both").await, shop.ware("imported").await);
    let engine = shop.engine(0).await;
    drop(both.pull(&*engine).await);
    for ware in [&both, &imported] {
        let tag = format!("contract/{}:1", world.name());
        let archive = ware.image.archive().unwrap();
        let image = engine.import(archive, &tag).await.unwrap();
        let engine = shop.engine(0).await;
        let pin = Pin::local(image.id);
        let there = engine
            .pull(&image.reference, &pin, &ProgressSink::none())
            .await;
        assert_eq!(there.unwrap().id, image.id);
    }
}

/// Docker only: what the daemon got before we knew, because we were killed. The built-in engine
/// has no such moment.
pub(crate) async fn a_pull_that_was_cut_off_is_not_forgotten(world: &World) {
    let Some(shop) = Shop::open(world) else {
        return;
    };
    if world.engine.name() != "docker" {
        return;
    }
    let (cut, theirs) = (shop.ware("cut").await, shop.ware("theirs").await);
    for ware in [&cut, &theirs] {
        drop(ware.pull(&*world.engine).await);
    }
    let folder = world.dir.path().join("cache");
    std::fs::create_dir_all(&folder).unwrap();
    let book = format!(r#"{{"{}": {{}}}}"#, cut.name.at(cut.digest));
    std::fs::write(folder.join("pulled.json"), book).unwrap();
    let engine = shop.engine(0).await;
    assert_eq!(which(&*engine, &[&cut, &theirs]).await, [false, true]);
}

pub(crate) async fn images_that_are_here_are_told(world: &World) {
    let Some(shop) = Shop::open(world) else {
        return;
    };
    let (first, second) = (shop.ware("first").await, shop.ware("second").await);
    let engine = shop.engine(9).await;
    let imported = engine
        .import(world.busybox().archive().unwrap(), "contract/told:1")
        .await
        .unwrap();
    for ware in [&first, &second] {
        ware.pull(&*engine).await;
    }
    let images = engine.images().await.unwrap();
    assert!((2..=IMAGES_MAX).contains(&images.len()));
    let told: Vec<_> = images.iter().take(2).map(|image| image.digest).collect();
    assert_eq!(told, [Some(second.digest), Some(first.digest)]);
    assert!(images[0].reference.to_string().contains("user/second"));
    if engine.name() == "builtin" {
        assert_eq!(images[2], imported);
    }
}
