//! Images through the daemon: by digest, by name, from an archive.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{CreateImageInfo, ImageInspect};
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ImportImageOptionsBuilder, RemoveImageOptions,
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};

use super::{message, status};
use crate::archive::Archive;
use crate::platform::{self, Platform};
use crate::{Digest, Error, Image, ImageRef, Pin, Progress, ProgressSink, Resolved, registry};

/// A pull that has not ended by then never will: ten gigabytes over a slow line.
const PULL_TIMEOUT_S: u64 = 30 * 60;

pub(super) async fn pull(
    api: &bollard::Docker,
    image: &ImageRef,
    pin: &Pin,
    progress: &ProgressSink,
) -> Result<Image, Error> {
    if let Some(present) = present(api, image, pin).await? {
        return Ok(present);
    }
    let at = image.at(pin.digest);
    match fetch(api, &at, progress).await {
        Ok(()) => {}
        Err(error @ Error::NotFound { .. }) => return Err(explain(api, image, pin, error).await),
        Err(error @ Error::PlatformMismatch { .. }) => return Err(offered(&at, error).await),
        Err(error) => return Err(error),
    }
    let pulled = present(api, image, pin).await;
    if matches!(pulled, Err(Error::PlatformMismatch { .. })) {
        // The daemon looks at the platform only where there is a choice.
        discard(api, &at).await;
    }
    pulled?.ok_or_else(|| Error::NotFound {
        image: at.to_string(),
    })
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
async fn offered(image: &ImageRef, error: Error) -> Error {
    match (registry::platforms(image).await, error) {
        (Ok(found), Error::PlatformMismatch { expected, .. }) => Error::PlatformMismatch {
            image: image.to_string(),
            found,
            expected,
        },
        (_, error) => error,
    }
}

/// Refuses an image that is not for the machine of the daemon, which need not be this one.
async fn check_platform(
    api: &bollard::Docker,
    image: &ImageRef,
    platform: &Platform,
) -> Result<(), Error> {
    let version = api
        .version()
        .await
        .map_err(Error::docker("tell its version"))?;
    let host = Platform::host();
    let host = Platform {
        os: version.os.unwrap_or(host.os),
        architecture: version.arch.unwrap_or(host.architecture),
    };
    platform.check(&host, &image.to_string())
}

async fn usable(api: &bollard::Docker, name: &ImageRef, found: &ImageInspect) -> Result<(), Error> {
    let platform = Platform {
        os: found.os.clone().unwrap_or_default(),
        architecture: found.architecture.clone().unwrap_or_default(),
    };
    check_platform(api, name, &platform).await
}

/// The pinned image, when this machine has it.
async fn present(
    api: &bollard::Docker,
    image: &ImageRef,
    pin: &Pin,
) -> Result<Option<Image>, Error> {
    let by_digest = inspect(api, &image.at(pin.digest).to_string()).await?;
    if let Some(found) = by_digest {
        usable(api, image, &found).await?;
        let id = image_id(&found)?;
        return Ok(Some(Image {
            reference: image.clone(),
            id,
            digest: Some(pin.digest),
        }));
    }
    if !pin.allow_local {
        return Ok(None);
    }
    let Some(found) = inspect(api, &pin.digest.to_string()).await? else {
        return Ok(None);
    };
    usable(api, image, &found).await?;
    let (id, digest) = (image_id(&found)?, repo_digest(&found, image));
    Ok((id == pin.digest).then(|| Image {
        reference: image.clone(),
        id,
        digest,
    }))
}

/// When the digest is nowhere, says what stands under the name instead.
async fn explain(api: &bollard::Docker, image: &ImageRef, pin: &Pin, error: Error) -> Error {
    let found = match inspect(api, &image.to_string()).await {
        Ok(Some(local)) => repo_digest(&local, image).or_else(|| image_id(&local).ok()),
        _ => registry::manifest_digest(image).await.ok(),
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
    progress: &ProgressSink,
) -> Result<(), Error> {
    let options = CreateImageOptionsBuilder::default()
        .from_image(&image.to_string())
        .build();
    let mut steps = api.create_image(Some(options), None, None);
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
    const REFUSED: [&str; 4] = [
        "unauthorized",
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

pub(super) async fn resolve(api: &bollard::Docker, image: &ImageRef) -> Result<Resolved, Error> {
    match inspect(api, &image.to_string()).await? {
        Some(local) => {
            let (digest, id) = (repo_digest(&local, image), image_id(&local)?);
            Ok(Resolved {
                digest,
                image_id: Some(id),
            })
        }
        None => {
            let digest = registry::manifest_digest(image).await?;
            Ok(Resolved {
                digest: Some(digest),
                image_id: None,
            })
        }
    }
}

pub(super) async fn import(
    api: &bollard::Docker,
    archive: Bytes,
    tag: &str,
) -> Result<Image, Error> {
    let reference = ImageRef::parse(tag)?;
    let archive = Archive::parse(archive)?;
    check_platform(api, &reference, &archive.platform()?).await?;
    let archive = archive.to_docker_archive(&reference)?;
    let options = ImportImageOptionsBuilder::default().build();
    let steps = api.import_image(options, bollard::body_full(archive), None);
    let loaded: Result<Vec<_>, _> = steps.try_collect().await;
    loaded.map_err(|error| Error::BadArchive {
        reason: message(&error),
    })?;
    let found = inspect(api, &reference.to_string()).await?;
    let found = found.ok_or_else(|| Error::NotFound {
        image: reference.to_string(),
    })?;
    let (id, digest) = (image_id(&found)?, repo_digest(&found, &reference));
    Ok(Image {
        reference,
        id,
        digest,
    })
}

async fn inspect(api: &bollard::Docker, name: &str) -> Result<Option<ImageInspect>, Error> {
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
