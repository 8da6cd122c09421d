//! What a node is told when it is opened.

use std::path::PathBuf;
use std::sync::Arc;

use alloy::primitives::{Address, U256};
use alloy::signers::local::PrivateKeySigner;

use crate::clock::{Clock, SystemClock};

/// Gas one block may use. Twice Ethereum's classic limit, so that a deployment of any size fits.
pub const BLOCK_GAS_LIMIT: u64 = 60_000_000;

/// The chain id used when nothing else is said.
pub const CHAIN_ID_DEFAULT: u64 = 65_535;

/// Everything [`crate::Node::open`] needs. `alloc` matters only for a new chain; an existing data
/// directory keeps the balances it has.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the chain log lives; `None` keeps the chain in memory only.
    pub data_dir: Option<PathBuf>,
    /// EIP-155 chain id; opening a data directory with another id fails.
    pub chain_id: u64,
    /// Balances at genesis, in wei.
    pub alloc: Vec<(Address, U256)>,
    /// Accounts the node signs for: `eth_accounts` and `eth_sendTransaction`. For development only.
    pub unlocked: Vec<PrivateKeySigner>,
    /// Source of block times.
    pub clock: Arc<dyn Clock>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: None,
            chain_id: CHAIN_ID_DEFAULT,
            alloc: Vec::new(),
            unlocked: Vec::new(),
            clock: Arc::new(SystemClock),
        }
    }
}
