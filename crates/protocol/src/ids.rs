//! Typed ids: mixing up a deal and a task is a compile error.

use std::{fmt, str::FromStr};

use alloy_primitives::{B256, U256, keccak256};
use serde::{Deserialize, Serialize};

use crate::Error;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub B256);

        impl $name {
            /// The id made of one byte repeated: for tests and examples.
            pub const fn repeat(byte: u8) -> Self {
                Self(B256::repeat_byte(byte))
            }
            /// True for the id of nothing (what the hub returns for an unknown object).
            pub fn is_zero(&self) -> bool {
                self.0.is_zero()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
        impl From<B256> for $name {
            fn from(value: B256) -> Self {
                Self(value)
            }
        }
        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                bytes32(text).map(Self)
            }
        }
    };
}

id!(
    /// A deal: `keccak256(requestOrderHash ‖ consumedBefore)` (spec/contracts.md §5).
    DealId
);
id!(
    /// A task: `keccak256(dealId ‖ idx)` (spec/contracts.md §5).
    TaskId
);
id!(
    /// An order: its EIP-712 digest, domain included (spec/contracts.md §4).
    OrderHash
);

impl DealId {
    /// The id of the task at `index`, which is absolute over the request order
    /// (`botFirst ≤ index < botFirst + botSize`).
    pub fn task(&self, index: u64) -> TaskId {
        let mut bytes = [0u8; 64];
        bytes[..32].copy_from_slice(self.0.as_slice());
        bytes[32..].copy_from_slice(&U256::from(index).to_be_bytes::<32>());
        TaskId(keccak256(bytes))
    }

    /// The deal that a request order opens when `consumed` of its volume is used already.
    pub fn of(request: OrderHash, consumed: U256) -> Self {
        let mut bytes = [0u8; 64];
        bytes[..32].copy_from_slice(request.0.as_slice());
        bytes[32..].copy_from_slice(&consumed.to_be_bytes::<32>());
        Self(keccak256(bytes))
    }
}

/// Reads `0x` and 64 hexadecimal digits.
///
/// # Errors
/// [`Error::NotBytes32`] for anything else.
pub fn bytes32(text: &str) -> Result<B256, Error> {
    let wrong = || Error::NotBytes32(text.to_owned());
    let digits = text.strip_prefix("0x").ok_or_else(wrong)?;
    if digits.len() != 64 {
        return Err(wrong());
    }
    digits.parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// spec/pool-worker.md §8.2 and spec/client.md Appendix A.
    #[test]
    fn task_ids_equal_the_official_ones() {
        let spec = DealId::repeat(0x11).task(5).to_string();
        assert_eq!(
            spec,
            "0xac00b23a846b2a9258ef918be58333f931a077ed9d20285597a29c7a7d0357cc"
        );
        let deal: DealId = "0x9bb6672d6d72d26bc2518ca2cc19191b08c5ddeec0e8ae0473709938f0f40c38"
            .parse()
            .unwrap();
        assert_eq!(
            deal.task(0).to_string(),
            "0x72f50cbd35cac085389145d657377ae48f3918a87edb1e54c131e57dc38e10de"
        );
        assert_eq!(
            deal.task(1).to_string(),
            "0xdf49f6fda30c7e320de0cffe8d66a3ab5ba59aec042c4ca78452066185a6d058"
        );
    }

    #[test]
    fn ids_are_read_strictly() {
        assert!("0x11".parse::<TaskId>().is_err());
        assert!("11".repeat(32).parse::<TaskId>().is_err());
        let text = format!("0x{}", "aB".repeat(32));
        assert_eq!(
            text.parse::<TaskId>().unwrap().to_string(),
            text.to_lowercase()
        );
    }
}
