//! The node to compare with.

use anyhow::Result;
use tools::{ANVIL_MNEMONIC, Anvil};

use crate::{ACCOUNTS, CHAIN_ID};

/// Starts the node with our rules: gas is free, blocks hold as much, no extra contract.
pub(crate) fn start() -> Result<Anvil> {
    let (chain_id, accounts) = (CHAIN_ID.to_string(), ACCOUNTS.to_string());
    let gas_limit = devchain::BLOCK_GAS_LIMIT.to_string();
    Anvil::start(&[
        "--mnemonic",
        ANVIL_MNEMONIC,
        "--chain-id",
        &chain_id,
        "--accounts",
        &accounts,
        "--hardfork",
        "prague",
        "--gas-limit",
        &gas_limit,
        "--gas-price",
        "0",
        "--block-base-fee-per-gas",
        "0",
        "--disable-min-priority-fee",
        "--disable-default-create2-deployer",
    ])
}
