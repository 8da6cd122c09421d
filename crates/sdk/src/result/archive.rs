//! Reading a result archive that strangers made: sizes are bounded, nothing is unpacked to disk.

use std::io::{Cursor, Read};

use protocol::B256;
use sha2::{Digest, Sha256};
use zip::ZipArchive;

/// Entries of one archive.
const ENTRIES_MAX: usize = 100_000;
/// Bytes that may come out of one archive, all entries together: against zip bombs.
const UNPACKED_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
const CHUNK_BYTES: usize = 64 * 1024;

/// Bytes of the record that ends a zip, without its comment, and how it begins.
const END_BYTES: usize = 22;
const END_MARK: &[u8] = b"PK\x05\x06";

/// An archive in memory.
pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    left: u64,
}

/// A regular file in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    index: usize,
    /// Path in the archive, between slashes.
    pub(super) path: Vec<String>,
}

impl<'a> Archive<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| format!("not a zip: {e}"))?;
        if zip.len() > ENTRIES_MAX {
            return Err(format!("more than {ENTRIES_MAX} entries"));
        }
        Ok(Self {
            zip,
            left: UNPACKED_BYTES_MAX,
        })
    }

    /// Whether it is all there: it ends where a zip ends, and every file has its checksum. What
    /// was encrypted without authentication may come out damaged and still open.
    pub(super) fn check_whole(bytes: &'a [u8]) -> Result<(), String> {
        let damaged = |_| "its content is damaged".to_owned();
        let mut archive = Self::open(bytes).map_err(damaged)?;
        let end = bytes
            .len()
            .checked_sub(END_BYTES + archive.zip.comment().len());
        if !end.is_some_and(|end| bytes[end..].starts_with(END_MARK)) {
            return Err("its content is damaged at the end".to_owned());
        }
        for member in archive.members().map_err(damaged)? {
            archive.sha256(&member).map_err(damaged)?;
        }
        Ok(())
    }

    /// All regular files; a path that leaves the archive makes it unusable.
    pub(super) fn members(&mut self) -> Result<Vec<Member>, String> {
        let mut members = Vec::new();
        for index in 0..self.zip.len() {
            let entry = self.zip.by_index(index).map_err(|e| e.to_string())?;
            let name = entry.name().map_err(|e| e.to_string())?.into_owned();
            if !entry.is_file() {
                continue;
            }
            let path: Vec<String> = name.split('/').map(str::to_owned).collect();
            if path
                .iter()
                .any(|part| part.is_empty() || part == ".." || part == ".")
            {
                return Err(format!("entry `{name}` leaves the archive"));
            }
            members.push(Member { index, path });
        }
        Ok(members)
    }

    /// sha256 of a file's content.
    pub(super) fn sha256(&mut self, member: &Member) -> Result<B256, String> {
        let mut entry = self.zip.by_index(member.index).map_err(|e| e.to_string())?;
        let (mut hasher, mut chunk) = (Sha256::new(), vec![0; CHUNK_BYTES]);
        loop {
            let read = entry.read(&mut chunk).map_err(|e| e.to_string())?;
            if read == 0 {
                return Ok(B256::from_slice(&hasher.finalize()));
            }
            hasher.update(&chunk[..read]);
            self.left = self
                .left
                .checked_sub(read as u64)
                .ok_or("it unpacks to too many bytes")?;
        }
    }

    /// The content of a file of at most `max` bytes.
    pub(super) fn content(&mut self, member: &Member, max: u64) -> Result<Vec<u8>, String> {
        let entry = self.zip.by_index(member.index).map_err(|e| e.to_string())?;
        let mut content = Vec::new();
        entry
            .take(max + 1)
            .read_to_end(&mut content)
            .map_err(|e| e.to_string())?;
        match content.len() as u64 <= max {
            true => Ok(content),
            false => Err(format!("`{}` is too large", member.path.join("/"))),
        }
    }
}
