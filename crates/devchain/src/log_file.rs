//! The append-only file a chain survives in. A record is `length (4) · checksum (8) · payload`,
//! the checksum being the start of the payload's SHA-256 (hardware does that fast);
//! it is written with one call before anybody hears of it, so a killed process leaves at most one
//! incomplete record, at the very end, which nobody was told about: it is cut off when reopened.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::event::Event;

/// Largest record accepted when reading: a full block of calldata is a tenth of this.
const RECORD_BYTES_MAX: usize = 64 << 20;
/// Name and version of the format, at the start of the file.
const MAGIC: &[u8; 8] = b"EVMLOG01";
const HEAD_BYTES: usize = 12;

/// An open, locked log.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    /// Set when an append failed and the half-written record could not be removed.
    broken: bool,
    length: u64,
}

impl LogFile {
    /// Opens or creates the log in `dir` and passes every event in it to `replay`, in order.
    pub(crate) fn open(dir: &Path, replay: impl FnMut(Event)) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let path = dir.join("chain.log");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked(dir.to_owned())),
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
        }
        let mut content = Vec::new();
        file.read_to_end(&mut content)
            .map_err(Error::io("read", &path))?;
        let length = Self::replay(&path, &content, replay)?;
        let mut log = Self {
            path,
            file,
            broken: false,
            length,
        };
        if length < content.len() as u64 {
            let lost = content.len() as u64 - length;
            tracing::warn!(bytes = lost, "cut an incomplete record off the chain log");
            log.cut()?;
        }
        if length == 0 {
            log.write(MAGIC)?;
        }
        Ok(log)
    }

    /// Returns how much of `content` is good; anything beyond is a torn last record.
    fn replay(path: &Path, content: &[u8], mut replay: impl FnMut(Event)) -> Result<u64, Error> {
        let corrupt = |offset: usize, reason| Error::Corrupt {
            path: path.to_owned(),
            offset: offset as u64,
            reason,
        };
        if content.len() < MAGIC.len() {
            return Ok(0);
        }
        if !content.starts_with(MAGIC) {
            return Err(corrupt(0, "not a chain log of this version"));
        }
        let mut at = MAGIC.len();
        while at < content.len() {
            let rest = &content[at..];
            let Some((payload, checksum)) = split(rest) else {
                break;
            };
            if payload.len() > RECORD_BYTES_MAX {
                return Err(corrupt(at, "record too long"));
            }
            if Sha256::digest(payload)[..8] != *checksum {
                if at + HEAD_BYTES + payload.len() == content.len() || is_zero(rest) {
                    break;
                }
                return Err(corrupt(at, "checksum mismatch"));
            }
            replay(Event::decode(payload).map_err(|_| corrupt(at, "malformed record"))?);
            at += HEAD_BYTES + payload.len();
        }
        Ok(at as u64)
    }

    /// Appends one event. When this returns, the event survives the death of the process.
    pub(crate) fn append(&mut self, event: &Event) -> Result<(), Error> {
        if self.broken {
            self.cut()?;
        }
        let payload = event.encode();
        let mut record = Vec::with_capacity(HEAD_BYTES + payload.len());
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        record.extend_from_slice(&length.to_be_bytes());
        record.extend_from_slice(&Sha256::digest(&payload)[..8]);
        record.extend_from_slice(&payload);
        self.write(&record)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.broken = true;
        self.file
            .write_all(bytes)
            .map_err(Error::io("append to", &self.path))?;
        self.broken = false;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn cut(&mut self) -> Result<(), Error> {
        let result = self.file.set_len(self.length);
        result.map_err(Error::io("truncate", &self.path))?;
        let result = self.file.seek(SeekFrom::Start(self.length));
        result.map_err(Error::io("seek in", &self.path))?;
        self.broken = false;
        Ok(())
    }

    /// Waits until the disk itself has everything, for an orderly shutdown.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.file
            .sync_data()
            .map_err(Error::io("flush", &self.path))
    }
}

/// Payload and checksum of the first record, if it is all there.
fn split(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = rest.split_at_checked(4)?;
    let (checksum, rest) = rest.split_at_checked(8)?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    Some((rest.get(..length as usize)?, checksum))
}

/// What a power cut, as opposed to a kill, may leave behind: room without content.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
