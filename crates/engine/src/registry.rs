//! Talking to a registry directly: what a tag points to, manifests and layers.

use std::time::Duration;

use oci_client::Reference;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};

use crate::archive::{self, OciIndex};
use crate::{Credentials, Digest, Error, ImageRef};

/// A registry that accepts no connection for so long is unreachable.
const CONNECT_TIMEOUT_MS: u64 = 10_000;
/// A transfer that stands still for so long has failed.
const READ_TIMEOUT_MS: u64 = 60_000;

/// The documents that describe an image, or images for several platforms.
pub(crate) const MANIFEST_TYPES: [&str; 4] = [
    OCI_IMAGE_MEDIA_TYPE,
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
];

/// The digest of the manifest a reference points to now.
pub(crate) async fn manifest_digest(
    image: &ImageRef,
    credentials: &Credentials,
) -> Result<Digest, Error> {
    let answer = client(image)
        .fetch_manifest_digest(&reference(image), &credentials.auth(image))
        .await;
    answer.map_err(|error| classify(image, error))?.parse()
}

/// The platforms that the index of this reference offers, as one text.
pub(crate) async fn platforms(
    image: &ImageRef,
    credentials: &Credentials,
) -> Result<String, Error> {
    let answer = client(image)
        .pull_manifest_raw(&reference(image), &credentials.auth(image), &MANIFEST_TYPES)
        .await;
    let (document, _) = answer.map_err(|error| classify(image, error))?;
    let index: Result<OciIndex, _> = serde_json::from_slice(&document);
    let index = index.map_err(|error| Error::PullFailed {
        image: image.to_string(),
        reason: error.to_string(),
    })?;
    Ok(archive::platforms(&index.manifests))
}

/// A client for the registry of this image; plain HTTP only towards this machine.
pub(crate) fn client(image: &ImageRef) -> Client {
    // Without effect when the program has chosen a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let protocol = match image.is_loopback() {
        true => ClientProtocol::Http,
        false => ClientProtocol::Https,
    };
    Client::new(ClientConfig {
        protocol,
        connect_timeout: Some(Duration::from_millis(CONNECT_TIMEOUT_MS)),
        read_timeout: Some(Duration::from_millis(READ_TIMEOUT_MS)),
        ..ClientConfig::default()
    })
}

/// The same reference in the client's words.
pub(crate) fn reference(image: &ImageRef) -> Reference {
    let (registry, repository) = (image.registry().to_owned(), image.repository().to_owned());
    match (image.digest(), image.tag()) {
        (Some(digest), _) => Reference::with_digest(registry, repository, digest.to_string()),
        (None, tag) => {
            Reference::with_tag(registry, repository, tag.unwrap_or("latest").to_owned())
        }
    }
}

/// Sorts a registry's refusals into the kinds a caller treats differently.
pub(crate) fn classify(image: &ImageRef, error: OciDistributionError) -> Error {
    use OciDistributionError as Oci;
    let (image, reason) = (image.to_string(), root_cause(&error));
    match error {
        Oci::ImageManifestNotFoundError(_) | Oci::ServerError { code: 404, .. } => {
            Error::NotFound { image }
        }
        Oci::AuthenticationFailure(_)
        | Oci::UnauthorizedError { .. }
        | Oci::ServerError {
            code: 401 | 403, ..
        } => Error::Unauthorized { image, reason },
        Oci::RequestError(_)
        | Oci::IoError(_)
        | Oci::ServerError {
            code: 429 | 500.., ..
        } => Error::RegistryUnreachable { image, reason },
        Oci::RegistryError { envelope, .. } => match envelope.errors.first().map(|e| &e.code) {
            Some(
                OciErrorCode::ManifestUnknown
                | OciErrorCode::NameUnknown
                | OciErrorCode::BlobUnknown
                | OciErrorCode::NotFound,
            ) => Error::NotFound { image },
            Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => {
                Error::Unauthorized { image, reason }
            }
            Some(OciErrorCode::Toomanyrequests) => Error::RegistryUnreachable { image, reason },
            _ => Error::PullFailed { image, reason },
        },
        _ => Error::PullFailed { image, reason },
    }
}

/// The whole chain in one line: the outer messages alone say only "error sending request".
fn root_cause(error: &OciDistributionError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sort(code: u16) -> Error {
        let error = OciDistributionError::ServerError {
            code,
            url: String::new(),
            message: String::new(),
        };
        classify(&ImageRef::parse("user/app:1").unwrap(), error)
    }

    #[test]
    fn refusals_are_told_apart() {
        assert!(matches!(sort(404), Error::NotFound { .. }));
        assert!(matches!(sort(403), Error::Unauthorized { .. }));
        assert!(matches!(sort(503), Error::RegistryUnreachable { .. }));
        assert!(matches!(sort(400), Error::PullFailed { .. }));
        assert!(sort(503).is_transient() && !sort(404).is_transient());
    }

    #[tokio::test]
    async fn a_closed_port_is_an_unreachable_registry() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let image = ImageRef::parse(&format!("{address}/x/y:1")).unwrap();
        let error = manifest_digest(&image, &Credentials::default())
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::RegistryUnreachable { .. }),
            "{error:?}"
        );
    }
}
