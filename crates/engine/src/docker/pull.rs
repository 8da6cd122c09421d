//! Images through the daemon: by digest, by name, from an archive.

use std::collections::HashMap;
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::models::{CreateImageInfo, ImageInspect};
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ImportImageOptionsBuilder, ListImagesOptions, RemoveImageOptions,
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use tokio::task::JoinHandle;

use super::{Docker, message, status};
use crate::archive::Archive;
use crate::cache::IMAGES_MAX;
use crate::platform::{self, Platform};
use crate::{Digest, Error, Image, ImageRef, Pin, Progress, ProgressSink, Resolved, registry};

/// A pull that has not ended by then never will: ten gigabytes over a slow line.
const PULL_TIMEOUT_S: u64 = 30 * 60;

/// An image is not removed for others from the moment it is asked for.
pub(super) async fn pull(
    docker: &Docker,
    image: &ImageRef,
    pin: &Pin,
    progress: &ProgressSink,
) -> Result<Image, Error> {
    let (api, shelf, at) = (&docker.api, &docker.shelf, image.at(pin.digest));
    let _asked = shelf.leases.hold(at.to_string()).await;
    let _local = shelf.leases.hold(pin.digest.to_string()).await;
    if let Some((present, _)) = present(docker, image, pin).await? {
        shelf.touch(&at);
        return Ok(present);
    }
    shelf.begin(&at);
    let fetched = fetch(api, &at, docker.credentials.docker(&at), progress).await;
    let pulled = match fetched {
        Ok(()) => present(docker, image, pin).await,
        Err(error) => Err(error),
    };
    match pulled {
        Ok(Some((present, found))) => {
            shelf.done(&at, &found);
            let _ = tidy(docker).await;
            Ok(present)
        }
        Ok(None) => {
            shelf.forget(&at.to_string());
            let image = at.to_string();
            Err(Error::NotFound { image })
        }
        Err(error) => {
            let error = refused(docker, image, pin, error).await;
            shelf.forget(&at.to_string());
            Err(error)
        }
    }
}

/// Makes room. Goes on to its end when nobody waits for it: the daemon would too.
pub(super) fn tidy(docker: &Docker) -> JoinHandle<()> {
    let docker = docker.clone();
    tokio::spawn(async move { docker.shelf.tidy(&docker.api).await })
}

/// Says more about a failed pull than the daemon does.
async fn refused(docker: &Docker, image: &ImageRef, pin: &Pin, error: Error) -> Error {
    let at = image.at(pin.digest);
    match error {
        Error::NotFound { .. } => explain(docker, image, pin, error).await,
        Error::PlatformMismatch { .. } => {
            // The daemon looks at the platform only where there is a choice.
            discard(&docker.api, &at).await;
            offered(docker, &at, error).await
        }
        other => other,
    }
}

/// Takes away what has just been pulled in vain.
async fn discard(api: &bollard::Docker, image: &ImageRef) {
    let removed = api
        .remove_image(&image.to_string(), None::<RemoveImageOptions>, None)
        .await;
    if let Err(error) = removed {
        tracing::debug!(%image, error = message(&error), "image left behind");
    }
}

/// The daemon found nothing for this machine in an index and does not say what is there.
async fn offered(docker: &Docker, image: &ImageRef, error: Error) -> Error {
    let offered = registry::platforms(image, &docker.credentials).await;
    match (offered, error) {
        (Ok(found), Error::PlatformMismatch { expected, .. }) => Error::PlatformMismatch {
            image: image.to_string(),
            found,
            expected,
        },
        (_, error) => error,
    }
}

/// Refuses an image that is not for the machine of the daemon, which need not be this one.
fn usable(docker: &Docker, name: &ImageRef, found: &ImageInspect) -> Result<(), Error> {
    let platform = Platform {
        os: found.os.clone().unwrap_or_default(),
        architecture: found.architecture.clone().unwrap_or_default(),
    };
    platform.check(&docker.daemon.platform, &name.to_string())
}

/// The pinned image, when this machine has it, with what the daemon says of it.
async fn present(
    docker: &Docker,
    image: &ImageRef,
    pin: &Pin,
) -> Result<Option<(Image, ImageInspect)>, Error> {
    let by_digest = inspect(&docker.api, &image.at(pin.digest).to_string()).await?;
    if let Some(found) = by_digest {
        return held(docker, image, found, Some(pin.digest)).await.map(Some);
    }
    if !pin.allow_local {
        return Ok(None);
    }
    match inspect(&docker.api, &pin.digest.to_string()).await? {
        Some(found) if image_id(&found)? == pin.digest => {
            let digest = repo_digest(&found, image);
            held(docker, image, found, digest).await.map(Some)
        }
        _ => Ok(None),
    }
}

async fn held(
    docker: &Docker,
    name: &ImageRef,
    found: ImageInspect,
    digest: Option<Digest>,
) -> Result<(Image, ImageInspect), Error> {
    usable(docker, name, &found)?;
    let id = image_id(&found)?;
    let image = Image {
        lease: docker.shelf.leases.hold(id.to_string()).await,
        ..Image::new(name.clone(), id, digest)
    };
    Ok((image, found))
}

/// What is here, the last used first.
pub(super) async fn images(docker: &Docker) -> Result<Vec<Image>, Error> {
    let listed = docker.api.list_images(None::<ListImagesOptions>).await;
    let listed = listed.map_err(Error::docker("list images"))?;
    let mut images = Vec::new();
    for one in listed {
        let Ok(id) = one.id.parse::<Digest>() else {
            continue;
        };
        let parsed = |names: Vec<String>| names.into_iter().flat_map(|n| ImageRef::parse(&n));
        let digests: Vec<_> = parsed(one.repo_digests).collect();
        let names = match digests.is_empty() {
            true => parsed(one.repo_tags).take(1).collect(),
            false => digests,
        };
        images.extend(names.into_iter().map(|name| {
            let (age, digest) = ((docker.shelf.used_us(&name), one.created), name.digest());
            (age, Image::new(name, id, digest))
        }));
    }
    images.sort_by_key(|(age, _)| std::cmp::Reverse(*age));
    images.truncate(IMAGES_MAX);
    Ok(images.into_iter().map(|(_, image)| image).collect())
}

/// When the digest is nowhere, says what stands under the name instead.
async fn explain(docker: &Docker, image: &ImageRef, pin: &Pin, error: Error) -> Error {
    let found = match inspect(&docker.api, &image.to_string()).await {
        Ok(Some(local)) => repo_digest(&local, image).or_else(|| image_id(&local).ok()),
        _ => {
            let asked = registry::manifest_digest(image, &docker.credentials);
            asked.await.ok()
        }
    };
    match found {
        Some(found) if found != pin.digest => Error::DigestMismatch {
            image: image.to_string(),
            expected: pin.digest,
            found,
        },
        _ => error,
    }
}

async fn fetch(
    api: &bollard::Docker,
    image: &ImageRef,
    credentials: Option<DockerCredentials>,
    progress: &ProgressSink,
) -> Result<(), Error> {
    let options = CreateImageOptionsBuilder::default()
        .from_image(&image.to_string())
        .build();
    let mut steps = api.create_image(Some(options), None, credentials);
    let mut layers = Layers::default();
    let all = async {
        while let Some(step) = steps.next().await {
            let step = step.map_err(|error| classify(image, &error))?;
            progress.report(layers.update(step));
        }
        Ok(())
    };
    match tokio::time::timeout(Duration::from_secs(PULL_TIMEOUT_S), all).await {
        Ok(result) => result,
        Err(_) => Err(Error::RegistryUnreachable {
            image: image.to_string(),
            reason: format!("no end after {PULL_TIMEOUT_S} s"),
        }),
    }
}

/// The daemon reports each layer by itself; only its downloads count as progress.
#[derive(Debug, Default)]
struct Layers(HashMap<String, Progress>);

impl Layers {
    fn update(&mut self, step: CreateImageInfo) -> Progress {
        if let Some(id) = step.id {
            let layer = self.0.entry(id).or_default();
            let detail = step.progress_detail.unwrap_or_default();
            let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
            match (
                step.status.as_deref(),
                bytes(detail.current),
                bytes(detail.total),
            ) {
                (Some("Downloading"), Some(done_bytes), Some(total_bytes)) => {
                    *layer = Progress {
                        done_bytes,
                        total_bytes,
                    };
                }
                (Some("Download complete" | "Pull complete"), ..) => {
                    layer.done_bytes = layer.total_bytes;
                }
                _ => {}
            }
        }
        self.0
            .values()
            .fold(Progress::default(), |sum, layer| Progress {
                done_bytes: sum.done_bytes + layer.done_bytes,
                total_bytes: sum.total_bytes + layer.total_bytes,
            })
    }
}

/// The daemon passes on the registry's words and no code, so the words must do.
fn classify(image: &ImageRef, error: &bollard::errors::Error) -> Error {
    const MISSING: [&str; 4] = [
        "manifest unknown",
        "not found",
        "no such image",
        "name unknown",
    ];
    const REFUSED: [&str; 5] = [
        "unauthorized",
        "no basic auth credentials",
        "denied",
        "authentication required",
        "forbidden",
    ];
    const SILENT: [&str; 8] = [
        "connection refused",
        "no such host",
        "timeout",
        "deadline exceeded",
        "unreachable",
        "connection reset",
        "eof",
        "toomanyrequests",
    ];
    const FOREIGN: [&str; 3] = [
        "no matching manifest for",
        "no image found in image index",
        "no image found in manifest list",
    ];
    let (image, reason) = (image.to_string(), message(error));
    let words = reason.to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    if says(&FOREIGN) {
        platform::mismatch(&image, "other machines", &Platform::host())
    } else if says(&REFUSED) {
        Error::Unauthorized { image, reason }
    } else if says(&SILENT) {
        Error::RegistryUnreachable { image, reason }
    } else if says(&MISSING) || status(error) == Some(404) {
        Error::NotFound { image }
    } else {
        Error::PullFailed { image, reason }
    }
}

pub(super) async fn resolve(docker: &Docker, image: &ImageRef) -> Result<Resolved, Error> {
    match inspect(&docker.api, &image.to_string()).await? {
        Some(local) => {
            let (digest, id) = (repo_digest(&local, image), image_id(&local)?);
            Ok(Resolved {
                digest,
                image_id: Some(id),
            })
        }
        None => {
            let digest = registry::manifest_digest(image, &docker.credentials).await?;
            Ok(Resolved {
                digest: Some(digest),
                image_id: None,
            })
        }
    }
}

pub(super) async fn import(docker: &Docker, archive: Bytes, tag: &str) -> Result<Image, Error> {
    let reference = ImageRef::parse(tag)?;
    let archive = Archive::parse(archive)?;
    let platform = archive.platform()?;
    platform.check(&docker.daemon.platform, &reference.to_string())?;
    let archive = archive.to_docker_archive(&reference)?;
    let options = ImportImageOptionsBuilder::default().build();
    let steps = docker
        .api
        .import_image(options, bollard::body_full(archive), None);
    let loaded: Result<Vec<_>, _> = steps.try_collect().await;
    loaded.map_err(|error| Error::BadArchive {
        reason: message(&error),
    })?;
    let found = inspect(&docker.api, &reference.to_string()).await?;
    let found = found.ok_or_else(|| Error::NotFound {
        image: reference.to_string(),
    })?;
    let digest = repo_digest(&found, &reference);
    let (image, _) = held(docker, &reference, found, digest).await?;
    Ok(image)
}

pub(super) async fn inspect(
    api: &bollard::Docker,
    name: &str,
) -> Result<Option<ImageInspect>, Error> {
    match api.inspect_image(name).await {
        Ok(image) => Ok(Some(image)),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(Error::docker("inspect an image")(error)),
    }
}

fn image_id(image: &ImageInspect) -> Result<Digest, Error> {
    image.id.as_deref().unwrap_or_default().parse()
}

/// The digest this image has in the repository of `name`, when it came from there.
fn repo_digest(image: &ImageInspect, name: &ImageRef) -> Option<Digest> {
    let digests = image.repo_digests.iter().flatten();
    let mut known = digests.filter_map(|text| ImageRef::parse(text).ok());
    known.find(|known| known.same_repository(name))?.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_words_are_sorted() {
        let sort = |words: &str| {
            let error = bollard::errors::Error::DockerStreamError {
                error: words.to_owned(),
            };
            classify(&ImageRef::parse("user/app:1").unwrap(), &error)
        };
        assert!(matches!(
            sort("manifest for 127.0.0.1:5000/x@sha256:00 not found: manifest unknown"),
            Error::NotFound { .. }
        ));
        assert!(matches!(
            sort("pull access denied for x, repository does not exist or may require login"),
            Error::Unauthorized { .. }
        ));
        assert!(matches!(
            sort(
                "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused"
            ),
            Error::RegistryUnreachable { .. }
        ));
        assert!(matches!(
            sort("no matching manifest for linux/amd64 in the manifest list entries"),
            Error::PlatformMismatch { .. }
        ));
        assert!(matches!(sort("disk full"), Error::PullFailed { .. }));
    }

    #[test]
    fn progress_is_the_sum_over_layers() {
        let step = |id: &str, status: &str, bytes: Option<(i64, i64)>| CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: bytes.map(|(current, total)| bollard::models::ProgressDetail {
                current: Some(current),
                total: Some(total),
            }),
            ..CreateImageInfo::default()
        };
        let mut layers = Layers::default();
        layers.update(step("a", "Downloading", Some((10, 100))));
        layers.update(step("b", "Downloading", Some((5, 50))));
        layers.update(step("a", "Extracting", Some((1, 999))));
        let sum = layers.update(step("b", "Pull complete", None));
        assert_eq!(
            sum,
            Progress {
                done_bytes: 60,
                total_bytes: 150
            }
        );
    }
}
