//! Registries that do not serve everybody.

use std::sync::Arc;

use engine::testing::{Registry, skip};
use engine::{Digest, Engine, Error, Image, ImageRef, Pin, ProgressSink};

use crate::World;

const USER: &str = "robot";
/// Its encoding has both characters in which the alphabets of base64 differ.
const PASSWORD: &str = "pass~~~???word";
const WRONG: &str = "wrong~~~???word";

/// A private registry with an image that nobody has pulled yet.
async fn registry(world: &World) -> Option<(Registry, ImageRef, Digest)> {
    match Registry::private(USER, PASSWORD) {
        Ok(registry) => {
            let image = world.busybox().with_file("/unique", world.name());
            let (name, digest) = registry.push(&image, "user/private:1").await.unwrap();
            Some((registry, name, digest))
        }
        Err(reason) => {
            skip(world.test, &reason);
            None
        }
    }
}

async fn login(world: &World, registry: &Registry, password: &str) -> Arc<dyn Engine> {
    let edit = |config: &mut engine::Config| {
        let added = config.credentials.add(registry.address(), USER, password);
        added.unwrap();
    };
    world.configured("private", edit).await
}

async fn pull(engine: &dyn Engine, name: &ImageRef, digest: Digest) -> Result<Image, Error> {
    let pin = Pin::registry(digest);
    engine.pull(name, &pin, &ProgressSink::none()).await
}

fn assert_refused(error: Error, name: &ImageRef) {
    match error {
        Error::Unauthorized { image, reason } => {
            assert!(image.starts_with(&name.name()), "{image}");
            assert!(!reason.is_empty());
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_private_image_is_pulled_with_its_password(world: &World) {
    let Some((registry, name, digest)) = registry(world).await else {
        return;
    };
    let engine = login(world, &registry, PASSWORD).await;
    let resolved = engine.resolve(&name).await.unwrap();
    assert_eq!((resolved.digest, resolved.image_id), (Some(digest), None));
    let image = pull(&*engine, &name, digest).await.unwrap();
    assert_eq!(image.digest, Some(digest));
}

pub(crate) async fn a_private_image_is_refused_without_password(world: &World) {
    let Some((_registry, name, digest)) = registry(world).await else {
        return;
    };
    let refused = pull(&*world.engine, &name, digest).await.unwrap_err();
    assert_refused(refused, &name);
    assert_refused(world.engine.resolve(&name).await.unwrap_err(), &name);
}

pub(crate) async fn a_wrong_password_is_refused_and_not_told(world: &World) {
    let Some((registry, name, digest)) = registry(world).await else {
        return;
    };
    let engine = login(world, &registry, WRONG).await;
    for error in [
        pull(&*engine, &name, digest).await.unwrap_err(),
        engine.resolve(&name).await.unwrap_err(),
    ] {
        let told = format!("{error} {error:?} {engine:?}");
        assert!(!told.contains(WRONG), "{told}");
        assert_refused(error, &name);
    }
}
