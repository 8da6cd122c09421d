//! Content on its way in: a temporary file, hashed while it is written, then handed to the backend
//! under the name it turned out to have.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{io::AsyncWriteExt, sync::OwnedSemaphorePermit, sync::Semaphore};

use crate::{
    Error,
    backend::Backend,
    unixfs::{Imported, Importer, Profile},
};

/// Uploads of one [`Lane`] written at once: each costs a file handle, a chunk buffer of 256 KiB and
/// hashing time; the others wait their turn.
const WRITERS_MAX: usize = 64;

/// Who writes: strangers who dawdle must not keep workers from delivering.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lane {
    /// Anybody, through the IPFS node's API.
    Public,
    /// Authorized workers and our own process.
    Trusted,
}

/// Where uploads are written, and how much may be.
pub(crate) struct Staging {
    directory: PathBuf,
    backend: Arc<dyn Backend>,
    serial: AtomicU64,
    public: Arc<Semaphore>,
    trusted: Arc<Semaphore>,
    quota: Arc<Quota>,
    content_bytes_max: u64,
}

impl Staging {
    /// Opens `directory` and sweeps what a crash left there: nothing in it was ever promised.
    pub(crate) async fn open(
        directory: PathBuf,
        backend: Arc<dyn Backend>,
        content_bytes_max: u64,
        capacity: u64,
    ) -> Result<Self, Error> {
        sweep(&directory).await?;
        let quota = Quota {
            used: AtomicU64::new(backend.used().await?),
            capacity,
        };
        Ok(Self {
            directory,
            backend,
            serial: AtomicU64::new(0),
            public: Arc::new(Semaphore::new(WRITERS_MAX)),
            trusted: Arc::new(Semaphore::new(WRITERS_MAX)),
            quota: Arc::new(quota),
            content_bytes_max,
        })
    }

    /// A new empty file. Waits while too many are being written.
    pub(crate) async fn begin(&self, profile: Profile, lane: Lane) -> Result<Writer, Error> {
        let writers = match lane {
            Lane::Public => &self.public,
            Lane::Trusted => &self.trusted,
        };
        let permit = Arc::clone(writers).acquire_owned().await;
        let permit = permit.map_err(|_| Error::bad_request("the store is closing"))?;
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.join(serial.to_string());
        let file = tokio::fs::File::create(&path)
            .await
            .map_err(Error::disk("create", &path))?;
        Ok(Writer {
            file,
            temporary: Temporary(path),
            importer: Importer::new(profile),
            backend: Arc::clone(&self.backend),
            reserved: Reservation {
                quota: Arc::clone(&self.quota),
                bytes: 0,
            },
            content_bytes_max: self.content_bytes_max,
            _permit: permit,
        })
    }
}

async fn sweep(directory: &Path) -> Result<(), Error> {
    match tokio::fs::remove_dir_all(directory).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::disk("sweep", directory)(error));
        }
        _ => {}
    }
    tokio::fs::create_dir_all(directory)
        .await
        .map_err(Error::disk("create", directory))
}

/// One upload. Dropped before [`Writer::finish`], it leaves nothing behind.
pub(crate) struct Writer {
    file: tokio::fs::File,
    temporary: Temporary,
    importer: Importer,
    backend: Arc<dyn Backend>,
    reserved: Reservation,
    content_bytes_max: u64,
    _permit: OwnedSemaphorePermit,
}

impl Writer {
    /// The next bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.reserved
            .grow(bytes.len() as u64, self.content_bytes_max)?;
        self.importer.write(bytes);
        self.file
            .write_all(bytes)
            .await
            .map_err(Error::disk("write", &self.temporary.0))
    }

    /// Makes the content durable under its name. Content that is here already costs no disk
    /// access.
    pub(crate) async fn finish(mut self) -> Result<Imported, Error> {
        let imported = self.importer.finish();
        if self.backend.size(imported.cid).await?.is_some() {
            return Ok(imported);
        }
        let path = &self.temporary.0;
        self.file
            .flush()
            .await
            .map_err(Error::disk("flush", path))?;
        self.file
            .sync_all()
            .await
            .map_err(Error::disk("sync", path))?;
        self.backend.keep(imported.cid, path).await?;
        self.reserved.bytes = 0;
        Ok(imported)
    }

    /// The name alone: nothing is kept.
    pub(crate) fn discard(self) -> Imported {
        self.importer.finish()
    }
}

/// Removes the file when dropped; after a rename there is none, which is fine.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// How much of the disk is spoken for.
struct Quota {
    used: AtomicU64,
    capacity: u64,
}

/// Bytes spoken for by an upload; given back when it comes to nothing.
struct Reservation {
    quota: Arc<Quota>,
    bytes: u64,
}

impl Reservation {
    fn grow(&mut self, by: u64, content_bytes_max: u64) -> Result<(), Error> {
        if self.bytes + by > content_bytes_max {
            let limit = content_bytes_max;
            return Err(Error::TooLarge { limit });
        }
        let capacity = self.quota.capacity;
        let before = self.quota.used.fetch_add(by, Ordering::Relaxed);
        self.bytes += by;
        if before + by > capacity {
            return Err(Error::Full { capacity });
        }
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.quota.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
