//! Images from a registry, every byte checked against the pin.

use std::path::PathBuf;

use bytes::Bytes;
use futures_util::StreamExt;
use oci_client::Client;
use oci_client::client::SizedStream;
use oci_client::errors::OciDistributionError;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::config::ImageConfig;
use super::store::Store;
use crate::archive::{INDEX_DEPTH_MAX, OciIndex, OciManifest, choose};
use crate::{Credentials, Digest, Error, ImageRef, Progress, ProgressSink, registry};

/// Manifests and configs are documents of some kilobytes.
const DOCUMENT_BYTES_MAX: u64 = 4 << 20;
/// All layers of an image as they are transferred.
const LAYERS_BYTES_MAX: u64 = 16 << 30;
/// Docker's own limit.
const LAYERS_MAX: usize = 127;

/// What a manifest promises.
pub(super) struct Found {
    pub(super) id: Digest,
    pub(super) config: Bytes,
    layers: Vec<(Digest, u64)>,
}

/// One pull; `image` is a reference by digest.
pub(super) struct Puller<'a> {
    client: Client,
    image: &'a ImageRef,
    credentials: &'a Credentials,
    progress: &'a ProgressSink,
}

/// Files that go away with their list, used or not.
#[derive(Debug, Default)]
pub(super) struct Layers(pub(super) Vec<PathBuf>);

impl Drop for Layers {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl<'a> Puller<'a> {
    pub(super) fn new(
        image: &'a ImageRef,
        credentials: &'a Credentials,
        progress: &'a ProgressSink,
    ) -> Self {
        Self {
            client: registry::client(image),
            image,
            credentials,
            progress,
        }
    }

    /// The manifest behind a digest and its config, for this machine where there is a choice.
    pub(super) async fn find(&self, digest: Digest) -> Result<Found, Error> {
        let mut document = self.manifest(digest).await?;
        for _ in 0..INDEX_DEPTH_MAX {
            match serde_json::from_slice::<OciIndex>(&document) {
                Ok(index) => {
                    let chosen = choose(&index.manifests, &self.image.to_string())?;
                    document = self.manifest(chosen.digest.parse()?).await?;
                }
                Err(_) => return self.read(&document).await,
            }
        }
        Err(self.failed("too many nested indexes"))
    }

    async fn manifest(&self, digest: Digest) -> Result<Bytes, Error> {
        let reference = registry::reference(&self.image.at(digest));
        let answer = self
            .client
            .pull_manifest_raw(
                &reference,
                &self.credentials.auth(self.image),
                &registry::MANIFEST_TYPES,
            )
            .await;
        let (document, _) = answer.map_err(|error| registry::classify(self.image, error))?;
        let found = Digest::of(&document);
        match found == digest {
            true => Ok(document),
            false => Err(Error::DigestMismatch {
                image: self.image.name(),
                expected: digest,
                found,
            }),
        }
    }

    async fn read(&self, document: &Bytes) -> Result<Found, Error> {
        let manifest: OciManifest =
            serde_json::from_slice(document).map_err(|error| self.failed(error))?;
        let layers = manifest
            .layers
            .iter()
            .map(|layer| Ok((layer.digest.parse()?, layer.size)));
        let layers = layers.collect::<Result<Vec<_>, Error>>()?;
        let total = layers
            .iter()
            .try_fold(0_u64, |sum, (_, size)| sum.checked_add(*size));
        if layers.len() > LAYERS_MAX || total.is_none_or(|total| total > LAYERS_BYTES_MAX) {
            return Err(self.failed("too large"));
        }
        let id = manifest.config.digest.parse()?;
        let mut config = Vec::new();
        let mut blob = self.blob(id, DOCUMENT_BYTES_MAX).await?;
        while let Some(piece) = blob.next().await? {
            config.extend_from_slice(&piece);
        }
        let parsed = ImageConfig::parse(&config).map_err(|error| error.about(self.image))?;
        parsed.check_layers(layers.len())?;
        Ok(Found {
            id,
            config: config.into(),
            layers,
        })
    }

    /// Downloads the layers into files, one after the other.
    pub(super) async fn layers(&self, found: &Found, store: &Store) -> Result<Layers, Error> {
        let total_bytes = found.layers.iter().map(|(_, size)| size).sum();
        let mut progress = Progress {
            done_bytes: 0,
            total_bytes,
        };
        let mut files = Layers::default();
        for (digest, size) in &found.layers {
            let path = store.new_blob();
            files.0.push(path.clone());
            let mut file = File::create(&path)
                .await
                .map_err(Error::io("create", &path))?;
            let mut blob = self.blob(*digest, *size).await?;
            while let Some(piece) = blob.next().await? {
                file.write_all(&piece)
                    .await
                    .map_err(Error::io("write", &path))?;
                progress.done_bytes += piece.len() as u64;
                self.progress.report(progress);
            }
            file.flush().await.map_err(Error::io("write", &path))?;
        }
        self.progress.report(progress);
        Ok(files)
    }

    /// Opens a blob of at most so many bytes.
    async fn blob(&self, digest: Digest, bytes_max: u64) -> Result<Blob<'_>, Error> {
        let reference = registry::reference(self.image);
        let opened = self
            .client
            .pull_blob_stream(&reference, digest.to_string().as_str())
            .await;
        let stream = opened.map_err(|error| registry::classify(self.image, error))?;
        Ok(Blob {
            image: self.image,
            stream,
            bytes_left: bytes_max,
        })
    }

    fn failed(&self, reason: impl std::fmt::Display) -> Error {
        Error::PullFailed {
            image: self.image.to_string(),
            reason: reason.to_string(),
        }
    }
}

/// The content of a blob, piece by piece. The client checks its digest before the stream ends.
struct Blob<'a> {
    image: &'a ImageRef,
    stream: SizedStream,
    bytes_left: u64,
}

impl Blob<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(piece) = self.stream.next().await else {
            return Ok(None);
        };
        let piece = piece.map_err(|error| {
            registry::classify(self.image, OciDistributionError::IoError(error))
        })?;
        let left = self.bytes_left.checked_sub(piece.len() as u64);
        self.bytes_left = left.ok_or_else(|| Error::PullFailed {
            image: self.image.to_string(),
            reason: "a blob is longer than announced".to_owned(),
        })?;
        Ok(Some(piece))
    }
}
