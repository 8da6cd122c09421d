//! Who may send without a signature, and which transactions wait no longer.

use alloy::consensus::Transaction as _;
use alloy::primitives::{Address, B256};
use serde_json::Value;

use super::done;
use crate::node::Node;
use crate::pool::Pool;
use crate::rpc::{Params, RpcError, value};

pub(super) fn impersonate(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let address = params.get::<Address>(0)?;
    done(
        node.write(|ledger, _| match ledger.session.impersonate(address) {
            true => Ok(()),
            false => Err(RpcError::limit("too many impersonated accounts")),
        }),
    )
}

pub(super) fn stop_impersonating(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let address = params.get::<Address>(0)?;
    done(node.write(|ledger, _| {
        ledger.session.stop_impersonating(address);
        Ok(())
    }))
}

pub(super) fn impersonate_all(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let all = params.get::<bool>(0)?;
    done(node.write(|ledger, _| {
        ledger.session.impersonates_all = all;
        Ok(())
    }))
}

/// Drops a waiting transaction; the answer is its hash, or null when there is none.
pub(super) fn drop_one(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let hash = params.get::<B256>(0)?;
    node.write(|ledger, _| {
        let place = ledger.pool.get(&hash);
        let place = place.map(|found| (found.signer(), found.nonce()));
        let dropped = place.and_then(|(sender, nonce)| ledger.pool.take(sender, nonce));
        value(dropped.map(|_| hash))
    })
}

pub(super) fn drop_all(node: &Node) -> Result<Value, RpcError> {
    done(node.write(|ledger, _| {
        ledger.pool = Pool::default();
        Ok(())
    }))
}

/// Drops what waits of one sender.
pub(super) fn drop_of(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let sender = params.get::<Address>(0)?;
    done(node.write(|ledger, _| {
        ledger.pool.drop_stale(sender, u64::MAX);
        Ok(())
    }))
}
