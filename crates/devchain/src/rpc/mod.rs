//! The JSON-RPC methods, independent of how requests arrive.

mod dev;
mod envelope;
mod error;
mod filter;
mod params;
mod present;
mod query;
mod transact;

pub use envelope::BATCH_REQUESTS_MAX;
pub(crate) use envelope::answer;
pub use error::RpcError;
pub(crate) use filter::Filters;
pub use filter::{FILTER_IDLE_SECONDS, FILTERS_MAX, LOGS_RESULTS_MAX};
pub(crate) use params::Params;
pub(crate) use present::{header, logs};

use alloy::primitives::{Bytes, U64, keccak256};
use serde::Serialize;
use serde_json::{Value, json};

use crate::node::Node;

/// Whether the method adds a transaction, see [`crate::SEND_HOLD_MS`].
pub(crate) fn is_send(method: &str) -> bool {
    matches!(method, "eth_sendRawTransaction" | "eth_sendTransaction")
}

/// Runs one method.
pub(crate) fn dispatch(node: &Node, method: &str, params: Value) -> Result<Value, RpcError> {
    let mut params = Params::new(params)?;
    let params = &mut params;
    match method {
        "web3_clientVersion" => Ok(json!(concat!("devchain/", env!("CARGO_PKG_VERSION")))),
        "web3_sha3" => value(keccak256(params.get::<Bytes>(0)?)),
        "net_version" => Ok(json!(node.read().chain.id().to_string())),
        "net_listening" => Ok(json!(true)),
        "net_peerCount" => value(U64::ZERO),
        "eth_chainId" => value(U64::from(node.read().chain.id())),
        "eth_syncing" | "eth_mining" => Ok(json!(false)),
        "eth_accounts" | "eth_requestAccounts" => value(node.unlocked_addresses()),
        "eth_gasPrice" | "eth_maxPriorityFeePerGas" | "eth_blobBaseFee" => value(U64::ZERO),
        "eth_blockNumber" => value(U64::from(node.read().chain.head_number())),
        "eth_feeHistory" => query::fee_history(node, params),
        "eth_getBalance" => query::balance(node, params),
        "eth_getTransactionCount" => query::transaction_count(node, params),
        "eth_getCode" => query::code(node, params),
        "eth_getStorageAt" => query::storage(node, params),
        "eth_getBlockByNumber" => query::block_by_number(node, params),
        "eth_getBlockByHash" => query::block_by_hash(node, params),
        "eth_getBlockReceipts" => query::block_receipts(node, params),
        "eth_getBlockTransactionCountByNumber" => query::count_by_number(node, params),
        "eth_getBlockTransactionCountByHash" => query::count_by_hash(node, params),
        "eth_getUncleCountByBlockNumber" | "eth_getUncleCountByBlockHash" => value(U64::ZERO),
        "eth_getTransactionByHash" => query::transaction(node, params),
        "eth_getTransactionByBlockNumberAndIndex" => query::transaction_by_number(node, params),
        "eth_getTransactionByBlockHashAndIndex" => query::transaction_by_hash(node, params),
        "eth_getTransactionReceipt" => query::receipt(node, params),
        "eth_call" => transact::call(node, params),
        "eth_estimateGas" => transact::estimate(node, params),
        "eth_sendRawTransaction" => transact::send_raw(node, params),
        "eth_sendTransaction" => transact::send(node, params),
        "eth_getLogs" => filter::logs(node, params),
        "eth_newFilter" => filter::new_logs(node, params),
        "eth_newBlockFilter" => filter::new_blocks(node),
        "eth_getFilterChanges" => filter::changes(node, params),
        "eth_getFilterLogs" => filter::all_logs(node, params),
        "eth_uninstallFilter" => filter::uninstall(node, params),
        _ => dev::dispatch(node, method, params),
    }
}

/// A result as JSON.
pub(crate) fn value(result: impl Serialize) -> Result<Value, RpcError> {
    serde_json::to_value(result).map_err(RpcError::internal)
}
