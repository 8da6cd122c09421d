//! Tags: what a deal asks of the machine it runs on (spec/client.md §4.4).

use std::fmt;

use alloy_primitives::{B256, U256};
use serde::{Deserialize, Serialize};

use crate::Error;

/// 256 bits, of which the low ones have names; unknown bits are carried along unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tag(pub B256);

const NAMES: [(&str, usize); 5] = [
    ("tee", 0),
    ("scone", 1),
    ("gramine", 2),
    ("tdx", 3),
    ("gpu", 8),
];

impl Tag {
    /// No demand: a standard task.
    pub const NONE: Self = Self(B256::ZERO);

    /// `tee` and `tdx`: what the published SDK 9.0.1 puts on every order.
    pub const TEE_TDX: Self = Self(B256::with_last_byte(0x09));

    /// Whether the code must run inside an enclave (bit 0).
    pub fn is_tee(&self) -> bool {
        self.bit(0)
    }

    /// Whether the enclave must be one of Intel TDX: the lowest four bits say so together
    /// (spec/secrets-tee.md §0). Bit 0 alone names no framework.
    pub fn is_tdx(&self) -> bool {
        self.0[31] & 0x0f == Self::TEE_TDX.0[31]
    }

    /// Whether a GPU is asked for (bit 8).
    pub fn is_gpu(&self) -> bool {
        self.bit(8)
    }

    /// All bits of both: how the demands of several orders add up.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every bit of `demand` is offered by `self`.
    pub fn covers(&self, demand: Self) -> bool {
        demand.0 & !self.0 == B256::ZERO
    }

    /// The tag without the framework bits 1–3: how a dataset order's tag counts in a match
    /// (spec/contracts.md §0).
    #[must_use]
    pub fn without_framework(self) -> Self {
        Self(self.0 & !B256::with_last_byte(0x0e))
    }

    fn bit(&self, index: usize) -> bool {
        U256::from_be_bytes(self.0.0).bit(index)
    }

    /// Reads a bytes32 hexstring, or names separated by commas (`tee,tdx`); empty is no tag.
    ///
    /// # Errors
    /// [`Error::Tag`] for an unknown name.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.starts_with("0x") {
            return crate::ids::bytes32(text).map(Self);
        }
        let mut bits = U256::ZERO;
        for name in text.split(',').map(str::trim).filter(|n| !n.is_empty()) {
            let known = NAMES.iter().find(|(n, _)| *n == name);
            let (_, bit) = known.ok_or_else(|| Error::Tag(text.to_owned(), name.to_owned()))?;
            bits.set_bit(*bit, true);
        }
        Ok(Self(B256::from(bits)))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_hex_agree() {
        assert_eq!(Tag::parse("tee,tdx").unwrap(), Tag::TEE_TDX);
        assert_eq!(Tag::parse(&Tag::TEE_TDX.to_string()).unwrap(), Tag::TEE_TDX);
        assert!(Tag::parse("gpu").unwrap().to_string().ends_with("0100"));
        assert!(Tag::parse("tee,foo").is_err());
    }

    #[test]
    fn a_framework_is_four_bits_together() {
        assert!(Tag::TEE_TDX.is_tdx() && Tag::parse("tee,tdx,gpu").unwrap().is_tdx());
        for other in [
            "",
            "tee",
            "tdx",
            "tee,scone",
            "tee,gramine",
            "tee,scone,tdx",
        ] {
            assert!(!Tag::parse(other).unwrap().is_tdx(), "{other}");
        }
    }

    #[test]
    fn a_pool_covers_what_it_offers_only() {
        assert!(Tag::TEE_TDX.covers(Tag::NONE));
        assert!(!Tag::NONE.covers(Tag::TEE_TDX));
        assert_eq!(Tag::TEE_TDX.without_framework(), Tag::parse("tee").unwrap());
    }
}
