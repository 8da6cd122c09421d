//! Where finished content is kept. A local directory now; the trait is what an object store or a
//! remote IPFS node would implement.

use std::{
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};
use tokio_util::io::ReaderStream;

use crate::{Cid, Error};

/// Bytes of content as they come.
pub type Content = BoxStream<'static, io::Result<Bytes>>;

/// Bytes read from disk at once: large enough that the system calls do not show.
const READ_BYTES: usize = 128 * 1024;

/// Keeps whole files under their CID. Content is never changed nor deleted: a result on chain must
/// stay readable.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Takes over the finished local file `staged` as the content of `cid`; keeping the same
    /// content twice is fine. The content is durable on return.
    async fn keep(&self, cid: Cid, staged: &Path) -> Result<(), Error>;
    /// Bytes of the content, or none when it is not here.
    async fn size(&self, cid: Cid) -> Result<Option<u64>, Error>;
    /// `length` bytes from `start` on; the caller asked [`Backend::size`] before.
    async fn read(&self, cid: Cid, start: u64, length: u64) -> Result<Content, Error>;
    /// Bytes of everything kept.
    async fn used(&self) -> Result<u64, Error>;
}

/// A flat directory of files named by canonical CIDs.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Opens or creates `root`.
    ///
    /// # Errors
    /// [`Error::Disk`] when the directory cannot be made.
    pub async fn open(root: PathBuf) -> Result<Self, Error> {
        tokio::fs::create_dir_all(&root)
            .await
            .map_err(Error::disk("create", &root))?;
        Ok(Self { root })
    }

    fn path(&self, cid: Cid) -> PathBuf {
        self.root.join(cid.canonical().to_string())
    }
}

#[async_trait]
impl Backend for Directory {
    async fn keep(&self, cid: Cid, staged: &Path) -> Result<(), Error> {
        let path = self.path(cid);
        tokio::fs::rename(staged, &path)
            .await
            .map_err(Error::disk("rename", &path))?;
        sync_directory(&self.root).await
    }

    async fn size(&self, cid: Cid) -> Result<Option<u64>, Error> {
        let path = self.path(cid);
        match tokio::fs::metadata(&path).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::disk("look up", path)(error)),
        }
    }

    async fn read(&self, cid: Cid, start: u64, length: u64) -> Result<Content, Error> {
        let path = self.path(cid);
        let mut file = tokio::fs::File::open(&path)
            .await
            .map_err(Error::disk("open", &path))?;
        if start > 0 {
            file.seek(SeekFrom::Start(start))
                .await
                .map_err(Error::disk("seek in", &path))?;
        }
        Ok(ReaderStream::with_capacity(file.take(length), READ_BYTES).boxed())
    }

    async fn used(&self) -> Result<u64, Error> {
        let wrong = || Error::disk("list", &self.root);
        let mut entries = tokio::fs::read_dir(&self.root).await.map_err(wrong())?;
        let mut bytes = 0;
        while let Some(entry) = entries.next_entry().await.map_err(wrong())? {
            bytes += entry.metadata().await.map_err(wrong())?.len();
        }
        Ok(bytes)
    }
}

/// Makes the renames in `directory` survive a power cut.
pub(crate) async fn sync_directory(directory: &Path) -> Result<(), Error> {
    let wrong = || Error::disk("sync", directory);
    let handle = tokio::fs::File::open(directory).await.map_err(wrong())?;
    handle.sync_all().await.map_err(wrong())
}
