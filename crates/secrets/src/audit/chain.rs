//! The chain that the lines make, and what breaks it.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Entry;
use crate::Error;

/// Keeps these hashes apart from all others.
const DOMAIN: &[u8] = b"iexec/sms/audit/1\n";
/// What stands between the text of a line and its hash.
const HASH_KEY: &str = ",\"hash\":\"";
/// Bytes of that, of a hash in hexadecimal and of what closes the line.
const HASH_TAIL_BYTES: usize = HASH_KEY.len() + 64 + 2;

/// The last line of a log: who knows it notices when the log was cut below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Lines up to here.
    pub entries: u64,
    /// The hash of the last one; zeros before the first.
    pub hash: [u8; 32],
}

/// `entries:hash`, as `/metrics` tells it.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.entries, hex::encode(self.hash))
    }
}

impl std::str::FromStr for Head {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a head is a number, a colon and 64 hexadecimal digits";
        let (entries, hash) = text.split_once(':').ok_or(wrong)?;
        let mut head = Self {
            entries: entries.parse().map_err(|_| wrong)?,
            hash: [0; 32],
        };
        hex::decode_to_slice(hash, &mut head.hash).map_err(|_| wrong)?;
        Ok(head)
    }
}

/// Why a log cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A line is not as it was written.
    #[error("line {0} was changed")]
    Changed(u64),
    /// A line does not follow the one before it.
    #[error("line {0} does not follow the one before it: lines were removed or moved")]
    Order(u64),
    /// It ends before what is known to have been written.
    #[error("it ends after line {found} but had {known} lines: its end was cut off")]
    Cut {
        /// Lines that are there.
        found: u64,
        /// Lines that were there.
        known: u64,
    },
    /// The line of the known head is another one.
    #[error("line {0} is not the one that is known: the log was written again")]
    Other(u64),
}

#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    time: u64,
    previous: String,
    entry: &'a Entry,
}

#[derive(Deserialize)]
struct Link {
    seq: u64,
    previous: String,
}

impl Head {
    /// Adds the line of `entry` to `lines`; says what its head is then.
    pub(super) fn write(self, time: u64, entry: &Entry, lines: &mut Vec<u8>) -> io::Result<Self> {
        let line = Line {
            seq: self.entries + 1,
            time,
            previous: hex::encode(self.hash),
            entry,
        };
        let mut text = serde_json::to_vec(&line)?;
        text.pop();
        let hash = hash(&text);
        lines.extend_from_slice(&text);
        lines.extend_from_slice(format!("{HASH_KEY}{}\"}}\n", hex::encode(hash)).as_bytes());
        let entries = line.seq;
        Ok(Self { entries, hash })
    }

    /// Goes on over the lines that are whole, one in memory at a time; says how many bytes they
    /// have. `look` is told each head.
    pub(super) fn follow(
        &mut self,
        mut lines: impl BufRead,
        path: &Path,
        look: impl Fn(&Self) -> Result<(), Broken>,
    ) -> Result<u64, Error> {
        let broken = |source| Error::Audit {
            path: path.to_owned(),
            source,
        };
        let (mut bytes, mut line) = (0, Vec::new());
        loop {
            line.clear();
            let read = lines.read_until(b'\n', &mut line);
            read.map_err(Error::disk("read", path))?;
            if !line.ends_with(b"\n") {
                return Ok(bytes);
            }
            self.step(&line).map_err(broken)?;
            look(self).map_err(broken)?;
            bytes += line.len() as u64;
        }
    }

    fn step(&mut self, line: &[u8]) -> Result<(), Broken> {
        let number = self.entries + 1;
        let changed = || Broken::Changed(number);
        let line = line.strip_suffix(b"\n").ok_or_else(changed)?;
        let text = line
            .len()
            .checked_sub(HASH_TAIL_BYTES)
            .ok_or_else(changed)?;
        let (text, tail) = line.split_at(text);
        let hash = hash(text);
        if tail != format!("{HASH_KEY}{}\"}}", hex::encode(hash)).as_bytes() {
            return Err(changed());
        }
        let link: Link = serde_json::from_slice(line).map_err(|_| changed())?;
        if link.seq != number || link.previous != hex::encode(self.hash) {
            return Err(Broken::Order(number));
        }
        self.entries = number;
        self.hash = hash;
        Ok(())
    }

    /// The log has become shorter than it was.
    pub(super) const fn cut(&self) -> Broken {
        Broken::Cut {
            found: 0,
            known: self.entries,
        }
    }
}

fn hash(text: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(DOMAIN)
        .chain_update(text)
        .finalize()
        .into()
}

/// Checks a whole log, and that `known` is a part of it. A torn last line is no part: a crash
/// leaves one, and nobody was told that it is there.
///
/// # Errors
/// [`Error::Audit`] when it was changed, [`Error::Disk`] when it cannot be read.
pub fn verify(path: &Path, known: Option<Head>) -> Result<Head, Error> {
    let broken = |source| Error::Audit {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(Error::disk("open", path))?;
    let mut head = Head::default();
    head.follow(BufReader::new(file), path, |head| match known {
        Some(known) if known.entries == head.entries && known != *head => {
            Err(Broken::Other(head.entries))
        }
        _ => Ok(()),
    })?;
    match known {
        Some(known) if known.entries > head.entries => Err(broken(Broken::Cut {
            found: head.entries,
            known: known.entries,
        })),
        _ => Ok(head),
    }
}
