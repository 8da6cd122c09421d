//! The CID that kubo would give a file, computed while its bytes pass by.
//!
//! A file is cut into chunks of 256 KiB; each chunk is a leaf, and 174 links at a time make a node
//! until one is left: the balanced layout of `ipfs add`. No block is kept, only its hash, so a
//! file of any size needs a few hundred kilobytes of memory.

use sha2::{Digest, Sha256};

use crate::cid::{Cid, Version};

/// Bytes of a chunk: kubo's `size-262144`.
const CHUNK_BYTES: usize = 256 * 1024;
/// Links of a node: kubo's historic default, which every known result CID was made with.
const LINKS_MAX: usize = 174;
/// UnixFS data type "file".
const FILE: u64 = 2;

/// Which of kubo's options the CID is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `--cid-version`.
    pub version: Version,
    /// `--raw-leaves`.
    pub raw_leaves: bool,
}

impl Profile {
    /// `ipfs add` without options: CIDv0, wrapped leaves. What results on chain use.
    pub const DEFAULT: Self = Self {
        version: Version::V0,
        raw_leaves: false,
    };
    /// `ipfs add --cid-version=1`, which implies raw leaves.
    pub const V1: Self = Self {
        version: Version::V1,
        raw_leaves: true,
    };
}

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its name.
    pub cid: Cid,
    /// Bytes of the file.
    pub size: u64,
    /// Bytes of all its blocks: what kubo reports as `Size`.
    pub dag_size: u64,
}

/// Hashes a file piece by piece:
///
/// ```
/// let mut importer = store::unixfs::Importer::new(store::unixfs::Profile::DEFAULT);
/// importer.write(b"hello ");
/// importer.write(b"world\n");
/// let cid = importer.finish().cid.to_string();
/// assert_eq!(cid, "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o");
/// ```
#[derive(Debug)]
pub struct Importer {
    profile: Profile,
    chunk: Vec<u8>,
    /// Links that wait for their parent, leaves first. The last level is never empty.
    levels: Vec<Vec<Imported>>,
    size: u64,
}

impl Importer {
    /// An importer that has seen nothing yet.
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            chunk: Vec::new(),
            levels: Vec::new(),
            size: 0,
        }
    }

    /// The next bytes; how they are cut into calls does not matter.
    pub fn write(&mut self, mut bytes: &[u8]) {
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = CHUNK_BYTES - self.chunk.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.chunk.extend_from_slice(now);
            bytes = later;
            if self.chunk.len() == CHUNK_BYTES {
                self.cut();
            }
        }
    }

    /// The name of everything written.
    pub fn finish(mut self) -> Imported {
        if !self.chunk.is_empty() || self.size == 0 {
            self.cut();
        }
        let mut level = 0;
        loop {
            let links = std::mem::take(&mut self.levels[level]);
            let is_top = level + 1 == self.levels.len();
            match links.as_slice() {
                [root] if is_top => return *root,
                [] => {}
                links => self.push(level + 1, self.parent(links)),
            }
            level += 1;
        }
    }

    fn cut(&mut self) {
        let leaf = self.leaf();
        self.chunk.clear();
        self.push(0, leaf);
    }

    fn push(&mut self, level: usize, link: Imported) {
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        self.levels[level].push(link);
        if self.levels[level].len() == LINKS_MAX {
            let full = std::mem::take(&mut self.levels[level]);
            self.push(level + 1, self.parent(&full));
        }
    }

    fn leaf(&self) -> Imported {
        let size = self.chunk.len() as u64;
        if self.profile.raw_leaves {
            return Imported {
                cid: Cid::raw(Sha256::digest(&self.chunk).into()),
                size,
                dag_size: size,
            };
        }
        let (head, tail) = leaf_wrapping(size);
        let mut hasher = Sha256::new();
        for part in [&head, &self.chunk, &tail] {
            hasher.update(part);
        }
        Imported {
            cid: Cid::node(self.profile.version, hasher.finalize().into()),
            size,
            dag_size: size + (head.len() + tail.len()) as u64,
        }
    }

    fn parent(&self, links: &[Imported]) -> Imported {
        let block = node(links);
        let below: u64 = links.iter().map(|link| link.dag_size).sum();
        Imported {
            cid: Cid::node(self.profile.version, Sha256::digest(&block).into()),
            size: links.iter().map(|link| link.size).sum(),
            dag_size: below + block.len() as u64,
        }
    }
}

/// What stands before and after the bytes of a wrapped leaf. An empty file has no data field.
fn leaf_wrapping(size: u64) -> (Vec<u8>, Vec<u8>) {
    let mut before = Vec::new();
    number(&mut before, 1, FILE);
    if size > 0 {
        key(&mut before, 2, LENGTH_DELIMITED);
        varint(&mut before, size);
    }
    let mut tail = Vec::new();
    number(&mut tail, 3, size);
    let mut head = Vec::new();
    key(&mut head, 1, LENGTH_DELIMITED);
    varint(&mut head, (before.len() + tail.len()) as u64 + size);
    head.extend(before);
    (head, tail)
}

/// A `dag-pb` node over `links`: the links first, then the UnixFS data with their sizes.
fn node(links: &[Imported]) -> Vec<u8> {
    let mut block = Vec::new();
    let mut data = Vec::new();
    number(&mut data, 1, FILE);
    number(&mut data, 3, links.iter().map(|link| link.size).sum());
    for link in links {
        let mut entry = Vec::new();
        field(&mut entry, 1, &link.cid.to_bytes());
        field(&mut entry, 2, b"");
        number(&mut entry, 3, link.dag_size);
        field(&mut block, 2, &entry);
        number(&mut data, 4, link.size);
    }
    field(&mut block, 1, &data);
    block
}

const VARINT: u64 = 0;
const LENGTH_DELIMITED: u64 = 2;

fn key(out: &mut Vec<u8>, field: u64, wire_type: u64) {
    varint(out, field << 3 | wire_type);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    key(out, field, VARINT);
    varint(out, value);
}

fn field(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    key(out, field, LENGTH_DELIMITED);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
#[path = "unixfs_tests.rs"]
mod tests;
