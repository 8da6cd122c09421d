//! Methods only a development node has.

use alloy::primitives::{Address, U64, U256};
use serde_json::{Value, json};

use super::{Params, RpcError, value};
use crate::node::Node;

/// Blocks one request may mine by hand.
const MINE_BLOCKS_MAX: u64 = 10_000;

pub(super) fn dispatch(node: &Node, method: &str, params: &mut Params) -> Result<Value, RpcError> {
    match method {
        "evm_mine" => mine_one(node, params),
        "anvil_mine" | "hardhat_mine" => mine(node, params),
        "evm_increaseTime" | "anvil_increaseTime" => increase_time(node, params),
        "evm_setNextBlockTimestamp" | "anvil_setNextBlockTimestamp" => set_next_time(node, params),
        "evm_snapshot" | "anvil_snapshot" => {
            value(U64::from(node.write(|ledger, _| ledger.snapshot())?))
        }
        "evm_revert" | "anvil_revert" => {
            let id = params.number(0)?.unwrap_or_default();
            Ok(json!(node.write(|ledger, _| ledger.revert(id))?))
        }
        "anvil_setBalance" | "hardhat_setBalance" => set_balance(node, params),
        method => Err(RpcError::method(method)),
    }
}

/// `evm_mine`, with the block's time in seconds as a number or as `{timestamp}`.
fn mine_one(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let time = match params.opt::<Value>(0)? {
        Some(Value::Object(mut options)) => options.remove("timestamp"),
        time => time,
    };
    let time = Params::new(json!([time]))?.number(0)?;
    node.write(|ledger, now| {
        if let Some(time) = time {
            ledger.set_next_time(time, now)?;
        }
        ledger.mine_empty(now).map_err(RpcError::internal)
    })?;
    Ok(json!("0x0"))
}

/// `anvil_mine(count, interval)`: so many blocks, their times `interval` seconds apart.
fn mine(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let count = params.number(0)?.unwrap_or(1);
    let interval = params.number(1)?.unwrap_or(0).min(u64::from(u32::MAX));
    if count > MINE_BLOCKS_MAX {
        return Err(RpcError::limit(format!(
            "cannot mine more than {MINE_BLOCKS_MAX} blocks"
        )));
    }
    node.write(|ledger, now| {
        for index in 0..count {
            if index > 0 && interval > 0 {
                let time = ledger.chain.head().header.timestamp + interval;
                ledger.set_next_time(time, now)?;
            }
            ledger.mine_empty(now).map_err(RpcError::internal)?;
        }
        Ok(())
    })?;
    Ok(Value::Null)
}

fn increase_time(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let seconds = params.number(0)?.unwrap_or_default();
    let seconds = i64::try_from(seconds).map_err(|_| RpcError::params("too many seconds"))?;
    let offset = node.write(|ledger, _| ledger.increase_time(seconds).map_err(RpcError::internal));
    Ok(json!(offset?))
}

fn set_next_time(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let time = params
        .number(0)?
        .ok_or_else(|| RpcError::params("missing timestamp"))?;
    node.write(|ledger, now| ledger.set_next_time(time, now))?;
    Ok(Value::Null)
}

fn set_balance(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, balance) = (params.get::<Address>(0)?, params.get::<U256>(1)?);
    node.write(|ledger, _| {
        ledger
            .set_balance(address, balance)
            .map_err(RpcError::internal)
    })?;
    Ok(Value::Null)
}
