//! Content identifiers: what a result is called on chain and at every gateway.
//!
//! Only the two kinds that a UnixFS file can have are known: `dag-pb` nodes and `raw` leaves, both
//! under sha2-256. That is all kubo produces for `ipfs add` without exotic options.

use std::{fmt, str::FromStr};

use protocol::multiaddr::{decode58, encode58};

use crate::Error;

/// sha2-256, 32 bytes: the only hash kubo uses for files by default.
const MULTIHASH: [u8; 2] = [0x12, 0x20];
const DIGEST_BYTES: usize = 32;
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// A CIDv1 in base32 has 59 characters; nothing longer can be one, so nothing longer is decoded.
const TEXT_CHARS_MAX: usize = 64;

/// How a CID is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// `Qm…`: base58, always `dag-pb`. The only kind that fits the binary multiaddr on chain.
    V0,
    /// `b…`: base32, with the codec spelled out.
    V1,
}

/// What the hashed block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// A UnixFS node, which may link to others.
    DagPb,
    /// The bytes of a small file or of one chunk.
    Raw,
}

impl Codec {
    const fn code(self) -> u8 {
        match self {
            Self::DagPb => 0x70,
            Self::Raw => 0x55,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            0x70 => Some(Self::DagPb),
            0x55 => Some(Self::Raw),
            _ => None,
        }
    }
}

/// The name of a file's content. Parsing is strict, so a `Cid` is also a safe file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cid {
    version: Version,
    codec: Codec,
    digest: [u8; DIGEST_BYTES],
}

impl Cid {
    /// A UnixFS node. Raw leaves are [`Cid::raw`].
    pub(crate) const fn node(version: Version, digest: [u8; DIGEST_BYTES]) -> Self {
        Self {
            version,
            codec: Codec::DagPb,
            digest,
        }
    }

    /// A raw leaf: it has no version 0 form.
    pub(crate) const fn raw(digest: [u8; DIGEST_BYTES]) -> Self {
        Self {
            version: Version::V1,
            codec: Codec::Raw,
            digest,
        }
    }

    /// The binary form, as it stands in the links of a `dag-pb` node.
    pub fn to_bytes(&self) -> Vec<u8> {
        let multihash = [&MULTIHASH[..], &self.digest].concat();
        match self.version {
            Version::V0 => multihash,
            Version::V1 => [&[1, self.codec.code()], &multihash[..]].concat(),
        }
    }

    /// The spelling that content is kept under: one block has one, however it was asked for
    /// (`Qm…` and `bafybei…` may name the same node).
    #[must_use]
    pub fn canonical(self) -> Self {
        match self.codec {
            Codec::DagPb => Self::node(Version::V0, self.digest),
            Codec::Raw => self,
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (version, codec, multihash) = match bytes {
            [1, code, rest @ ..] => (Version::V1, Codec::from_code(*code)?, rest),
            rest => (Version::V0, Codec::DagPb, rest),
        };
        let digest = multihash.strip_prefix(&MULTIHASH)?.try_into().ok()?;
        Some(Self {
            version,
            codec,
            digest,
        })
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Version::V0 => f.write_str(&encode58(&self.to_bytes())),
            Version::V1 => write!(f, "b{}", encode32(&self.to_bytes())),
        }
    }
}

impl FromStr for Cid {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > TEXT_CHARS_MAX {
            return Err(Error::NotACid);
        }
        let bytes = match text.strip_prefix('b') {
            Some(digits) => decode32(digits).filter(|bytes| bytes.first() == Some(&1)),
            None => decode58(text).filter(|bytes| bytes.first() == Some(&MULTIHASH[0])),
        };
        bytes
            .and_then(|bytes| Self::from_bytes(&bytes))
            .ok_or(Error::NotACid)
    }
}

fn encode32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(symbol32(buffer >> bits));
        }
    }
    if bits > 0 {
        text.push(symbol32(buffer << (5 - bits)));
    }
    text
}

fn symbol32(value: u32) -> char {
    char::from(BASE32[(value & 31) as usize])
}

/// None for a foreign character and for leftover bits that are not zero, so that one content has
/// one spelling.
fn decode32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for c in text.bytes() {
        let value = BASE32.iter().position(|symbol| *symbol == c)? as u32;
        buffer = ((buffer << 5) | value) & 0xffff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
        }
    }
    let leftover = buffer & ((1 << bits) - 1);
    (leftover == 0 && bits < 5).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V0: &str = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH";
    const V1: &str = "bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y";
    const RAW: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

    #[test]
    fn texts_round_trip() {
        for text in [V0, V1, RAW] {
            assert_eq!(text.parse::<Cid>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn both_spellings_of_a_node_are_one_content() {
        let canonical = |text: &str| text.parse::<Cid>().unwrap().canonical().to_string();
        assert_eq!(canonical(V0), V0);
        assert_eq!(canonical(V1), V0);
        assert_eq!(canonical(RAW), RAW);
    }

    #[test]
    fn nothing_else_is_a_cid() {
        let upper = V1.to_uppercase();
        let cut = &RAW[..RAW.len() - 1];
        let longer = format!("{V0}1");
        let path = "../../etc/passwd";
        for text in ["", "b", "Qm", "z6Mk", path, &upper, cut, &longer, "é"] {
            assert!(text.parse::<Cid>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn base32_round_trips(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(decode32(&encode32(&bytes)), Some(bytes));
        }

        #[test]
        fn parsing_never_panics_and_is_unambiguous(text in "[ -~]{0,70}") {
            if let Ok(cid) = text.parse::<Cid>() {
                prop_assert_eq!(cid.to_string(), text);
            }
        }
    }
}
