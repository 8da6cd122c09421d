//! What the next blocks are to look like, as far as anybody can say by hand.

use alloy::primitives::{Address, B256};

use crate::config::BLOCK_GAS_LIMIT;

/// The parts of coming headers that methods such as `anvil_setCoinbase` set. Gas is free unless
/// somebody asks for a base fee, and then for one block only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Who gets the tips.
    pub(crate) coinbase: Address,
    pub(crate) gas_limit: u64,
    /// Seconds between one block and the next, in place of the clock.
    pub(crate) spacing: Option<u64>,
    /// Base fee of the next block, in wei per gas.
    pub(crate) base_fee: Option<u64>,
    /// `block.prevrandao` of the next block.
    pub(crate) randao: Option<B256>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            coinbase: Address::ZERO,
            gas_limit: BLOCK_GAS_LIMIT,
            spacing: None,
            base_fee: None,
            randao: None,
        }
    }
}

impl Terms {
    /// The terms after a block was mined under these.
    pub(crate) fn spent(self) -> Self {
        Self {
            base_fee: None,
            randao: None,
            ..self
        }
    }
}
