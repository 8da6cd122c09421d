//! Moving the chain's clock.

use serde_json::{Value, json};

use super::done;
use crate::chain::TIME_MAX;
use crate::node::Node;
use crate::rpc::{Params, RpcError};
use crate::terms::Terms;

pub(super) fn increase(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let seconds = params.number(0)?.unwrap_or_default();
    let seconds = i64::try_from(seconds).map_err(|_| RpcError::params("too many seconds"))?;
    let offset = node.write(|ledger, now| ledger.increase_time(seconds, now))?;
    Ok(json!(offset))
}

/// `evm_setTime`: makes it that time, in seconds or milliseconds; the answer is by how many seconds
/// the chain's clock now differs from the machine's. A time too late to be seconds is milliseconds.
pub(super) fn set(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let time = needed(params)?;
    let time = if time > TIME_MAX { time / 1000 } else { time };
    let offset = node.write(|ledger, now| ledger.set_time(time, now).map_err(RpcError::internal));
    Ok(json!(offset?))
}

pub(super) fn set_next(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let time = needed(params)?;
    done(node.write(|ledger, now| ledger.set_next_time(time, now)))
}

/// `anvil_setBlockTimestampInterval`: so many seconds from one block to the next.
pub(super) fn set_spacing(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let spacing = needed(params)?;
    if spacing > u64::from(u32::MAX) {
        return Err(RpcError::params("too many seconds"));
    }
    done(put_spacing(node, Some(spacing)).map(drop))
}

/// Ends that; false when there was no such interval.
pub(super) fn remove_spacing(node: &Node) -> Result<Value, RpcError> {
    put_spacing(node, None).map(|old| json!(old.is_some()))
}

fn put_spacing(node: &Node, spacing: Option<u64>) -> Result<Option<u64>, RpcError> {
    node.write(|ledger, _| {
        let terms = ledger.chain.terms();
        let set = ledger.set_terms(Terms { spacing, ..terms });
        set.map_err(RpcError::internal)?;
        Ok(terms.spacing)
    })
}

fn needed(params: &mut Params) -> Result<u64, RpcError> {
    let missing = || RpcError::params("missing number of seconds");
    params.number(0)?.ok_or_else(missing)
}
