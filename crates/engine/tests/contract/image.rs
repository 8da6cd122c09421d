//! Which image runs: pins, digests, registries.

use std::sync::{Arc, Mutex};

use engine::{Digest, Error, ImageRef, Pin, Progress, ProgressSink, log_channel};
use tokio_util::sync::CancellationToken;

use crate::World;

fn unique(world: &World) -> engine::testing::TestImage {
    world.busybox().with_file("/unique", world.name())
}

pub(crate) async fn imported_image_is_pinned_by_its_id(world: &World) {
    let image = world.import(&unique(world)).await;
    assert_eq!(image.digest, None);
    let pin = Pin::local(image.id);
    let pulled = world
        .engine
        .pull(&image.reference, &pin, &ProgressSink::none())
        .await
        .unwrap();
    assert_eq!(pulled, image);
    let resolved = world.engine.resolve(&image.reference).await.unwrap();
    assert_eq!((resolved.digest, resolved.image_id), (None, Some(image.id)));
}

pub(crate) async fn a_local_image_does_not_satisfy_a_registry_pin(world: &World) {
    let Some(registry) = world.registry() else {
        return;
    };
    let tag = format!("{}/never/pushed:1", registry.address());
    let image = world
        .engine
        .import(unique(world).archive().unwrap(), &tag)
        .await
        .unwrap();
    let pin = Pin::registry(image.id);
    let error = world
        .engine
        .pull(&image.reference, &pin, &ProgressSink::none())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
}

pub(crate) async fn an_image_that_is_not_here_does_not_run(world: &World) {
    let mut spec = world.script("true").await;
    spec.image.id = Digest([7; 32]);
    let (logs, _reader) = log_channel();
    let error = world
        .engine
        .run(spec, logs, CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
}

pub(crate) async fn later_layers_win(world: &World) {
    let outcome = world
        .run(
            world
                .script("cat /etc/release; ls /gone || echo gone")
                .await,
        )
        .await;
    assert_eq!(outcome.stdout(), "top\ngone\n");
}

pub(crate) async fn pull_by_digest_from_a_registry(world: &World) {
    let Some(registry) = world.registry() else {
        return;
    };
    let (name, digest) = registry.push(&unique(world), "user/app:1.0").await.unwrap();
    let seen = Arc::new(Mutex::new(Vec::<Progress>::new()));
    let report = seen.clone();
    let progress = ProgressSink::new(move |progress| report.lock().unwrap().push(progress));
    let image = world
        .engine
        .pull(&name, &Pin::registry(digest), &progress)
        .await
        .unwrap();
    assert_eq!((image.digest, &image.reference), (Some(digest), &name));
    let mut spec = engine::RunSpec::new(world.name(), image, std::time::Duration::from_secs(60));
    spec.args = vec!["cat /unique".into()];
    assert_eq!(world.run(spec).await.exit.code, 0);
    let seen = seen.lock().unwrap();
    assert!(!seen.is_empty());
    assert!(
        seen.iter().all(|p| p.done_bytes <= p.total_bytes),
        "{seen:?}"
    );
}

pub(crate) async fn a_present_digest_needs_no_registry(world: &World) {
    let Some(registry) = world.registry() else {
        return;
    };
    let (name, digest) = registry.push(&unique(world), "user/app:1.0").await.unwrap();
    let pin = Pin::registry(digest);
    let first = world
        .engine
        .pull(&name, &pin, &ProgressSink::none())
        .await
        .unwrap();
    drop(registry);
    let again = world
        .engine
        .pull(&name, &pin, &ProgressSink::none())
        .await
        .unwrap();
    assert_eq!(first, again);
}

pub(crate) async fn another_digest_is_refused(world: &World) {
    let Some(registry) = world.registry() else {
        return;
    };
    let (name, digest) = registry.push(&unique(world), "user/app:1.0").await.unwrap();
    let wrong = Digest([7; 32]);
    for pin in [Pin::registry(wrong), Pin::local(wrong)] {
        match world.engine.pull(&name, &pin, &ProgressSink::none()).await {
            Err(Error::DigestMismatch {
                expected, found, ..
            }) => {
                assert_eq!((expected, found), (wrong, digest));
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) async fn what_is_nowhere_is_not_found(world: &World) {
    let Some(registry) = world.registry() else {
        return;
    };
    let name = ImageRef::parse(&format!("{}/no/thing:1", registry.address())).unwrap();
    let pin = Pin::registry(Digest([7; 32]));
    let error = world
        .engine
        .pull(&name, &pin, &ProgressSink::none())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    let error = world.engine.resolve(&name).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
}

pub(crate) async fn a_silent_registry_is_unreachable(world: &World) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let name = ImageRef::parse(&format!("{address}/user/app:1")).unwrap();
    let pin = Pin::registry(Digest([7; 32]));
    let error = world
        .engine
        .pull(&name, &pin, &ProgressSink::none())
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::RegistryUnreachable { .. }),
        "{error:?}"
    );
    assert!(error.is_transient());
}

pub(crate) async fn resolve_asks_the_engine_then_the_registry(world: &World) {
    let Some(registry) = world.registry() else {
        return;
    };
    let (name, digest) = registry.push(&unique(world), "user/app:1.0").await.unwrap();
    let resolved = world.engine.resolve(&name).await.unwrap();
    assert_eq!((resolved.digest, resolved.image_id), (Some(digest), None));
    let pin = Pin::registry(digest);
    let image = world
        .engine
        .pull(&name, &pin, &ProgressSink::none())
        .await
        .unwrap();
    drop(registry);
    let resolved = world
        .engine
        .resolve(&image.reference.at(digest))
        .await
        .unwrap();
    assert_eq!(
        (resolved.digest, resolved.image_id),
        (Some(digest), Some(image.id))
    );
}
