//! The JSON-RPC methods, independent of how requests arrive.

mod account;
mod debug;
mod dev;
mod envelope;
mod error;
mod fees;
mod filter;
mod params;
mod pool;
mod present;
mod query;
mod transact;

pub use envelope::BATCH_REQUESTS_MAX;
pub(crate) use envelope::answer;
pub use error::RpcError;
pub use filter::{
    ARRIVALS_MAX, FILTER_IDLE_SECONDS, FILTER_TERMS_MAX, FILTERS_MAX, LOGS_RESULTS_MAX,
};
pub(crate) use filter::{Filters, wanted};
pub(crate) use params::Params;
pub(crate) use present::{header, logs};

use alloy::primitives::{Bytes, U64, keccak256};
use serde::Serialize;
use serde_json::{Value, json};

use crate::node::Node;

/// What the node calls itself.
pub(crate) const CLIENT_VERSION: &str = concat!("devchain/", env!("CARGO_PKG_VERSION"));

/// Whether the method adds a transaction, see [`crate::SEND_HOLD_MS`].
pub(crate) fn is_send(method: &str) -> bool {
    matches!(
        method,
        "eth_sendRawTransaction" | "eth_sendTransaction" | "eth_sendUnsignedTransaction"
    )
}

/// Runs one method.
pub(crate) fn dispatch(node: &Node, method: &str, params: Value) -> Result<Value, RpcError> {
    let mut params = Params::new(params)?;
    let params = &mut params;
    match method {
        "web3_clientVersion" => Ok(json!(CLIENT_VERSION)),
        "web3_sha3" => value(keccak256(params.get::<Bytes>(0)?)),
        "net_version" => Ok(json!(node.read().chain.id().to_string())),
        "net_listening" => Ok(json!(true)),
        "net_peerCount" => value(U64::ZERO),
        "eth_chainId" => value(U64::from(node.read().chain.id())),
        "eth_syncing" | "eth_mining" => Ok(json!(false)),
        "eth_accounts" | "eth_requestAccounts" => value(node.unlocked_addresses()),
        "eth_gasPrice" => fees::gas_price(node),
        "eth_maxPriorityFeePerGas" | "eth_hashrate" => value(U64::ZERO),
        "eth_blobBaseFee" => value(U64::from(fees::BLOB_BASE_FEE)),
        "eth_coinbase" => value(node.read().chain.terms().coinbase),
        "eth_blockNumber" => value(U64::from(node.read().chain.head_number())),
        "eth_feeHistory" => fees::history(node, params),
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
        "eth_getUncleByBlockNumberAndIndex" | "eth_getUncleByBlockHashAndIndex" => Ok(Value::Null),
        "eth_getRawTransactionByHash" => query::raw(node, params),
        "eth_getRawTransactionByBlockNumberAndIndex" => query::raw_by_number(node, params),
        "eth_getRawTransactionByBlockHashAndIndex" => query::raw_by_hash(node, params),
        "eth_getTransactionByHash" => query::transaction(node, params),
        "eth_getTransactionByBlockNumberAndIndex" => query::transaction_by_number(node, params),
        "eth_getTransactionByBlockHashAndIndex" => query::transaction_by_hash(node, params),
        "eth_getTransactionReceipt" => query::receipt(node, params),
        "eth_call" => transact::call(node, params),
        "eth_estimateGas" => transact::estimate(node, params),
        "eth_createAccessList" => transact::access_list(node, params),
        "eth_sendRawTransaction" => transact::send_raw(node, params),
        "eth_sendTransaction" => transact::send(node, params),
        "eth_sendUnsignedTransaction" => transact::send_unsigned(node, params),
        "eth_signTransaction" => transact::sign(node, params),
        "eth_sign" => account::sign(node, params),
        "personal_sign" => account::sign_personal(node, params),
        "eth_signTypedData" | "eth_signTypedData_v3" | "eth_signTypedData_v4" => {
            account::sign_typed(node, params)
        }
        "eth_getLogs" => filter::logs(node, params),
        "eth_newFilter" => filter::new_logs(node, params),
        "eth_newBlockFilter" => filter::new_blocks(node),
        "eth_newPendingTransactionFilter" => filter::new_transactions(node),
        "eth_getFilterChanges" => filter::changes(node, params),
        "eth_getFilterLogs" => filter::all_logs(node, params),
        "eth_uninstallFilter" => filter::uninstall(node, params),
        "txpool_status" => pool::status(node),
        "txpool_content" => pool::content(node),
        "txpool_contentFrom" => pool::content_from(node, params),
        "txpool_inspect" => pool::inspect(node),
        "debug_traceTransaction" => debug::trace_transaction(node, params),
        "debug_traceCall" => debug::trace_call(node, params),
        _ => dev::dispatch(node, method, params),
    }
}

/// A result as JSON.
pub(crate) fn value(result: impl Serialize) -> Result<Value, RpcError> {
    serde_json::to_value(result).map_err(RpcError::internal)
}
