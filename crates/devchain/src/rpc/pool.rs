//! The waiting transactions, as geth's `txpool` namespace shows them.

use std::collections::BTreeMap;

use alloy::consensus::Transaction as _;
use alloy::consensus::TxEnvelope;
use alloy::consensus::transaction::Recovered;
use alloy::primitives::{Address, U64};
use serde_json::{Map, Value, json};

use super::{Params, RpcError, present, value};
use crate::ledger::Ledger;
use crate::node::Node;

type ByNonce = BTreeMap<u64, Value>;

/// A sender's transactions: those that could be mined, and those with a gap before them.
fn split(
    ledger: &Ledger,
    sender: Address,
    show: fn(&Recovered<TxEnvelope>) -> Result<Value, RpcError>,
) -> Result<(ByNonce, ByNonce), RpcError> {
    let next = ledger.next_nonce(sender);
    let (mut pending, mut queued) = (ByNonce::new(), ByNonce::new());
    for transaction in ledger.pool.of(sender) {
        let nonce = transaction.nonce();
        let side = if nonce < next {
            &mut pending
        } else {
            &mut queued
        };
        side.insert(nonce, show(transaction)?);
    }
    Ok((pending, queued))
}

fn by_sender(
    node: &Node,
    show: fn(&Recovered<TxEnvelope>) -> Result<Value, RpcError>,
) -> Result<Value, RpcError> {
    let ledger = node.read();
    let (mut pending, mut queued) = (Map::new(), Map::new());
    for sender in ledger.pool.senders() {
        let (ready, waiting) = split(&ledger, sender, show)?;
        for (side, found) in [(&mut pending, ready), (&mut queued, waiting)] {
            if !found.is_empty() {
                side.insert(sender.to_string(), value(found)?);
            }
        }
    }
    Ok(json!({ "pending": pending, "queued": queued }))
}

pub(super) fn content(node: &Node) -> Result<Value, RpcError> {
    by_sender(node, in_full)
}

pub(super) fn inspect(node: &Node) -> Result<Value, RpcError> {
    by_sender(node, in_short)
}

pub(super) fn content_from(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let sender = params.get::<Address>(0)?;
    let (pending, queued) = split(&node.read(), sender, in_full)?;
    Ok(json!({ "pending": pending, "queued": queued }))
}

pub(super) fn status(node: &Node) -> Result<Value, RpcError> {
    let ledger = node.read();
    let (mut pending, mut queued) = (0_usize, 0_usize);
    for sender in ledger.pool.senders() {
        let next = ledger.next_nonce(sender);
        let all = ledger.pool.of(sender).count();
        let ready = ledger.pool.of(sender).filter(|found| found.nonce() < next);
        let ready = ready.count();
        pending += ready;
        queued += all - ready;
    }
    Ok(json!({ "pending": U64::from(pending), "queued": U64::from(queued) }))
}

fn in_full(transaction: &Recovered<TxEnvelope>) -> Result<Value, RpcError> {
    value(present::waiting(transaction))
}

fn in_short(transaction: &Recovered<TxEnvelope>) -> Result<Value, RpcError> {
    let to = transaction.to();
    let to = to.map_or_else(|| "contract creation".to_owned(), |to| to.to_string());
    let (wei, gas) = (transaction.value(), transaction.gas_limit());
    let price = transaction.max_fee_per_gas();
    Ok(json!(format!("{to}: {wei} wei + {gas} gas × {price} wei")))
}
