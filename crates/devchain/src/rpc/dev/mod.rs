//! Methods only a development node has, under the names of Ganache, Hardhat and anvil. Test suites
//! mix them freely: hence `evm_`, `hardhat_` and `anvil_` of the same word are the same method,
//! unless they are known to differ.

mod blocks;
mod info;
mod senders;
mod state;
mod time;

use serde_json::{Value, json};

use super::{Params, RpcError};
use crate::node::Node;

/// Development namespaces, in the order clients use them most.
const NAMESPACES: [&str; 3] = ["evm_", "anvil_", "hardhat_"];

pub(super) fn dispatch(node: &Node, method: &str, params: &mut Params) -> Result<Value, RpcError> {
    let mut known = NAMESPACES.iter();
    let word = known.find_map(|namespace| method.strip_prefix(namespace));
    match word.unwrap_or_default() {
        "mine" if method == "evm_mine" => blocks::mine_one(node, params),
        "mine" => blocks::mine(node, params),
        "snapshot" => blocks::snapshot(node),
        "revert" => blocks::revert(node, params),
        "rollback" => blocks::roll_back(node, params),
        "reorg" => blocks::reorganise(node, params),
        "reset" => blocks::reset(node, params),
        "setAutomine" => blocks::set_automine(node, params),
        "getAutomine" => blocks::automine(node),
        "setIntervalMining" => blocks::set_interval(node, params),
        "getIntervalMining" => blocks::interval(node),
        "setCoinbase" => blocks::set_coinbase(node, params),
        "setBlockGasLimit" => blocks::set_gas_limit(node, params),
        "setNextBlockBaseFeePerGas" => blocks::set_base_fee(node, params),
        "setPrevRandao" => blocks::set_randao(node, params),
        "setMinGasPrice" => Err(RpcError::rejected(
            "a minimum gas price has no meaning where blocks have a base fee",
        )),
        "increaseTime" => time::increase(node, params),
        "setTime" => time::set(node, params),
        "setNextBlockTimestamp" => time::set_next(node, params),
        "setBlockTimestampInterval" => time::set_spacing(node, params),
        "removeBlockTimestampInterval" => time::remove_spacing(node),
        "setBalance" => state::set_balance(node, params),
        "addBalance" => state::add_balance(node, params),
        "setCode" => state::set_code(node, params),
        "setNonce" => state::set_nonce(node, params),
        "setStorageAt" => state::set_storage(node, params),
        "impersonateAccount" => senders::impersonate(node, params),
        "stopImpersonatingAccount" => senders::stop_impersonating(node, params),
        "autoImpersonateAccount" => senders::impersonate_all(node, params),
        "dropTransaction" => senders::drop_one(node, params),
        "dropAllTransactions" => senders::drop_all(node),
        "removePoolTransactions" => senders::drop_of(node, params),
        "nodeInfo" => info::node_info(node),
        "metadata" => info::metadata(node),
        // There is no such log to switch on or off.
        "setLoggingEnabled" => Ok(Value::Null),
        _ => Err(RpcError::method(method)),
    }
}

/// The answer of methods that have nothing to say.
fn done(result: Result<(), RpcError>) -> Result<Value, RpcError> {
    result.map(|()| Value::Null)
}

/// The answer of methods that say they did it.
fn yes(result: Result<(), RpcError>) -> Result<Value, RpcError> {
    result.map(|()| json!(true))
}
