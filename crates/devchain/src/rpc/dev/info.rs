//! What the node says about itself.

use alloy::primitives::{B256, U64, keccak256};
use serde_json::{Value, json};

use crate::node::Node;
use crate::rpc::{CLIENT_VERSION, RpcError};

pub(super) fn node_info(node: &Node) -> Result<Value, RpcError> {
    let ledger = node.read();
    let (chain, terms) = (&ledger.chain, ledger.chain.terms());
    let head = chain.head();
    let base_fee = U64::from(terms.base_fee.unwrap_or_default());
    Ok(json!({
        "currentBlockNumber": U64::from(chain.head_number()),
        "currentBlockTimestamp": head.header.timestamp,
        "currentBlockHash": head.hash,
        "hardFork": "prague",
        "transactionOrder": "fees",
        "environment": {
            "baseFee": base_fee,
            "chainId": chain.id(),
            "gasLimit": U64::from(terms.gas_limit),
            "gasPrice": base_fee,
        },
        "forkConfig": {},
    }))
}

pub(super) fn metadata(node: &Node) -> Result<Value, RpcError> {
    let ledger = node.read();
    let chain = &ledger.chain;
    let head = chain.head();
    Ok(json!({
        "clientVersion": CLIENT_VERSION,
        "chainId": chain.id(),
        "instanceId": instance(chain.block(0).map(|block| block.hash)),
        "latestBlockNumber": chain.head_number(),
        "latestBlockHash": head.hash,
        "snapshots": {},
    }))
}

/// Tells chains apart: no two begin with the same block unless one is a copy of the other.
fn instance(genesis: Option<B256>) -> B256 {
    keccak256(genesis.unwrap_or_default())
}
