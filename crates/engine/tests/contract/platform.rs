//! Images for other machines: refused by name before anything of them runs.

use engine::testing::TestImage;
use engine::{Digest, Error, Image, ImageRef, Pin, ProgressSink};

use crate::World;

/// Two architectures this machine does not have, whichever it is.
const FOREIGN: [&str; 2] = ["mips64le", "s390x"];

fn unique(world: &World, architecture: &str) -> TestImage {
    let mut image = world.busybox().with_file("/unique", world.name());
    image.architecture = architecture.to_owned();
    image
}

async fn pull(world: &World, name: &ImageRef, digest: Digest) -> Result<Image, Error> {
    world
        .engine
        .pull(name, &Pin::registry(digest), &ProgressSink::none())
        .await
}

/// The error must name what the image is for and what this machine is.
fn assert_mismatch(result: Result<Image, Error>, name: &ImageRef, theirs: &[&str]) {
    match result.unwrap_err() {
        Error::PlatformMismatch {
            image,
            found,
            expected,
        } => {
            assert!(image.starts_with(&name.name()), "{image}");
            for architecture in theirs {
                assert!(found.contains(&format!("linux/{architecture}")), "{found}");
            }
            assert_eq!(expected, host());
        }
        other => panic!("{other:?}"),
    }
}

fn host() -> String {
    let architecture = engine::testing::busybox().unwrap().architecture;
    format!("linux/{architecture}")
}

pub(crate) async fn an_image_for_another_machine_is_refused(world: &World) {
    let Some(registry) = world.registry() else {
        return;
    };
    let image = unique(world, FOREIGN[0]);
    let (name, digest) = registry.push(&image, "user/app:1.0").await.unwrap();
    // Twice: what the first attempt left must not satisfy the second.
    for _ in 0..2 {
        let result = pull(world, &name, digest).await;
        assert_mismatch(result, &name, &FOREIGN[..1]);
    }
    drop(registry);
    let gone = pull(world, &name, digest).await.unwrap_err();
    assert!(
        matches!(gone, Error::RegistryUnreachable { .. }),
        "{gone:?}"
    );
}

pub(crate) async fn an_archive_for_another_machine_is_refused(world: &World) {
    let archive = unique(world, FOREIGN[0]).archive().unwrap();
    let name = ImageRef::parse("contract/foreign:1").unwrap();
    let result = world.engine.import(archive, &name.to_string()).await;
    assert_mismatch(result, &name, &FOREIGN[..1]);
}

pub(crate) async fn an_index_gives_the_image_for_this_machine(world: &World) {
    let Some(registry) = world.registry() else {
        return;
    };
    let ours = unique(world, &world.busybox().architecture);
    let images = [unique(world, FOREIGN[0]), ours, unique(world, FOREIGN[1])];
    let (name, index, digests) = registry.push_index(&images, "user/app", "2").await.unwrap();
    let by_index = pull(world, &name, index).await.unwrap();
    assert_eq!(by_index.digest, Some(index));
    let by_manifest = pull(world, &name, digests[1]).await.unwrap();
    assert_eq!(by_manifest.digest, Some(digests[1]));
    assert_eq!(by_index.id, by_manifest.id);
    let mut spec = engine::RunSpec::new(world.name(), by_index, std::time::Duration::from_secs(60));
    spec.args = vec!["cat /unique".into()];
    assert_eq!(world.run(spec).await.exit.code, 0);
    let foreign = pull(world, &name, digests[0]).await;
    assert_mismatch(foreign, &name, &FOREIGN[..1]);
}

pub(crate) async fn an_index_without_this_machine_names_what_it_has(world: &World) {
    let Some(registry) = world.registry() else {
        return;
    };
    let images = FOREIGN.map(|architecture| unique(world, architecture));
    let (name, index, _) = registry.push_index(&images, "user/app", "3").await.unwrap();
    assert_mismatch(pull(world, &name, index).await, &name, &FOREIGN);
}
