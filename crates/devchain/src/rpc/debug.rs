//! What happened inside a transaction.

use alloy::primitives::B256;
use serde::Deserialize;
use serde_json::Value;

use super::{Params, RpcError, transact, value};
use crate::execute;
use crate::node::Node;
use crate::simulate;
use crate::trace::{CallTracer, TRACE_CALLS_MAX};

/// Geth's tracing options, as far as they matter here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Options {
    tracer: Option<String>,
    tracer_config: TracerConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TracerConfig {
    only_top_call: bool,
}

fn tracer(options: Option<Options>) -> Result<CallTracer, RpcError> {
    let options = options.unwrap_or_default();
    match options.tracer.as_deref() {
        Some("callTracer") => Ok(CallTracer::new(options.tracer_config.only_top_call)),
        _ => Err(RpcError::params("the only tracer is `callTracer`")),
    }
}

fn finished(tracer: CallTracer, gas: Option<(u64, u64)>) -> Result<Value, RpcError> {
    let too_many = || {
        RpcError::limit(format!(
            "more than {TRACE_CALLS_MAX} calls, or too much data"
        ))
    };
    let mut call = tracer.finish().ok_or_else(too_many)?;
    if let Some((limit, used)) = gas {
        (call.gas, call.gas_used) = (super::U64::from(limit), super::U64::from(used));
    }
    value(call)
}

/// Runs the transaction again, after those before it in its block.
pub(super) fn trace_transaction(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (hash, options) = (params.get::<B256>(0)?, params.opt(1)?);
    let mut tracer = tracer(options)?;
    let ledger = node.read();
    let missing = || RpcError::rejected("transaction not found");
    let (block, index) = ledger.chain.transaction(&hash).ok_or_else(missing)?;
    let gas = execute::repeat(&ledger.chain, block, index, &mut tracer)?;
    finished(tracer, Some(gas))
}

pub(super) fn trace_call(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let mut tracer = tracer(params.opt(2)?)?;
    let ledger = node.read();
    let (request, scene) = transact::staged(&ledger, params, node.wall_time())?;
    simulate::watch(&ledger.chain, scene, request, &mut tracer)?;
    finished(tracer, None)
}
