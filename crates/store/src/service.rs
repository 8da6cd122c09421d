//! The store as a service: its configuration, its parts, and a handle for the same process.

use std::{path::PathBuf, sync::Arc};

use axum::Router;
use bytes::Bytes;
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};

use crate::{
    Cid, Error, Gate,
    backend::{Backend, Directory},
    http,
    index::Index,
    staging::{Lane, Staging},
    token::Tokens,
    unixfs::Profile,
};

/// Bytes of one content by default: well above any reasonable result, well below a disk.
pub const RESULT_BYTES_MAX: u64 = 1 << 30;
/// Bytes of everything by default: uploads stop before the disk is full.
pub const CAPACITY_BYTES: u64 = 100 << 30;

/// What an operator decides.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Directory of everything the store keeps; created when missing.
    pub data_dir: PathBuf,
    /// Whether anybody may add content through the IPFS node's API (`POST /api/v0/add`). Needed by
    /// the SDK for bulk requests; without it only authorized workers can write.
    #[serde(default = "yes")]
    pub public_add: bool,
    /// Bytes of one content.
    #[serde(default = "result_bytes_max")]
    pub result_bytes_max: u64,
    /// Bytes of all contents together.
    #[serde(default = "capacity_bytes")]
    pub capacity_bytes: u64,
}

const fn yes() -> bool {
    true
}

const fn result_bytes_max() -> u64 {
    RESULT_BYTES_MAX
}

const fn capacity_bytes() -> u64 {
    CAPACITY_BYTES
}

impl Config {
    /// The defaults, with everything kept under `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            public_add: yes(),
            result_bytes_max: result_bytes_max(),
            capacity_bytes: capacity_bytes(),
        }
    }
}

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) staging: Staging,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) index: Index,
    pub(crate) tokens: Tokens,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) public_add: bool,
}

/// The store. It has no loop of its own: its router does everything.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

impl Service {
    /// Opens the local directory of `config`, and sweeps what a crash left behind.
    ///
    /// # Errors
    /// [`Error::Disk`] or [`Error::Corrupt`] when the directory cannot be used.
    pub async fn open(config: Config, gate: Arc<dyn Gate>) -> Result<Self, Error> {
        let blobs = Directory::open(config.data_dir.join("blobs")).await?;
        Self::with_backend(config, gate, Arc::new(blobs)).await
    }

    /// As [`Service::open`], but content is kept by `backend`; uploads, index and key stay in the
    /// directory.
    ///
    /// # Errors
    /// As [`Service::open`].
    pub async fn with_backend(
        config: Config,
        gate: Arc<dyn Gate>,
        backend: Arc<dyn Backend>,
    ) -> Result<Self, Error> {
        let incoming = config.data_dir.join("incoming");
        let staging = Staging::open(
            incoming,
            Arc::clone(&backend),
            config.result_bytes_max,
            config.capacity_bytes,
        )
        .await?;
        let shared = Shared {
            staging,
            backend,
            index: Index::open(config.data_dir.join("results")).await?,
            tokens: Tokens::open(&config.data_dir.join("token.key"))?,
            gate,
            public_add: config.public_add,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Gateway, IPFS node subset and result proxy.
    pub fn router(&self) -> Router {
        http::router(Arc::clone(&self.shared))
    }

    /// For parts of the same process.
    pub fn handle(&self) -> Handle {
        Handle {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// Reads and writes content without HTTP. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// Keeps `bytes` under their default CID.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Full`] or [`Error::Disk`].
    pub async fn put(&self, bytes: &[u8]) -> Result<Cid, Error> {
        let mut writer = self
            .shared
            .staging
            .begin(Profile::DEFAULT, Lane::Trusted)
            .await?;
        writer.write(bytes).await?;
        Ok(writer.finish().await?.cid)
    }

    /// The content, or none when it is not here. The whole of it in memory: for small contents.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub async fn get(&self, cid: Cid) -> Result<Option<Bytes>, Error> {
        let backend = &self.shared.backend;
        let Some(size) = backend.size(cid).await? else {
            return Ok(None);
        };
        let content = backend.read(cid, 0, size).await?;
        let pieces: Vec<Bytes> = content
            .try_collect()
            .await
            .map_err(Error::disk("read", cid.to_string()))?;
        Ok(Some(pieces.concat().into()))
    }

    /// Bytes of the content, or none when it is not here.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub async fn size(&self, cid: Cid) -> Result<Option<u64>, Error> {
        self.shared.backend.size(cid).await
    }
}
