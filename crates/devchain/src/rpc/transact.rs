//! Methods that run code: calls, estimates and transactions.

use alloy::consensus::transaction::{Recovered, SignerRecoverable};
use alloy::consensus::{SignableTransaction, TxEnvelope, TypedTransaction};
use alloy::eips::{BlockId, Decodable2718};
use alloy::network::{TransactionBuilder, TxSignerSync};
use alloy::primitives::{Address, Bytes, U64};
use alloy::rpc::types::TransactionRequest;
use serde_json::Value;

use super::query::{find, view};
use super::{Params, RpcError, value};
use crate::chain::{Chain, View};
use crate::execute;
use crate::node::Node;

/// The state and block context to simulate in. Calls at the head see the block that would be
/// mined now: blocks come on demand, so the head's own time may be long past.
fn context(
    node: &Node,
    chain: &Chain,
    id: Option<BlockId>,
    run: impl FnOnce(View<'_>, &alloy::consensus::Header) -> Result<Value, RpcError>,
) -> Result<Value, RpcError> {
    let view = view(chain, id)?;
    let block = find(chain, id.unwrap_or_default()).filter(|block| block.hash != chain.head().hash);
    match block {
        Some(block) => run(view, &block.header),
        None => run(view, &chain.next_header(chain.time(node.wall_time()))),
    }
}

fn refuse_overrides(params: &mut Params) -> Result<(), RpcError> {
    match params.opt::<Value>(2)? {
        None => Ok(()),
        Some(Value::Object(overrides)) if overrides.is_empty() => Ok(()),
        Some(_) => Err(RpcError::params("state overrides are not supported")),
    }
}

pub(super) fn call(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (request, id) = (params.get::<TransactionRequest>(0)?, params.opt(1)?);
    refuse_overrides(params)?;
    let ledger = node.read();
    let chain = &ledger.chain;
    context(node, chain, id, |view, header| {
        value(execute::call(chain, view, header, request)?)
    })
}

pub(super) fn estimate(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (request, id) = (params.get::<TransactionRequest>(0)?, params.opt(1)?);
    refuse_overrides(params)?;
    let ledger = node.read();
    let chain = &ledger.chain;
    context(node, chain, id, |view, header| {
        value(U64::from(execute::estimate(chain, view, header, request)?))
    })
}

pub(super) fn send_raw(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let raw = params.get::<Bytes>(0)?;
    let transaction = TxEnvelope::decode_2718_exact(&raw)
        .map_err(|error| RpcError::params(format!("invalid transaction: {error}")))?;
    let sender = transaction
        .recover_signer()
        .map_err(|error| RpcError::rejected(format!("invalid sender: {error}")))?;
    submit(node, Recovered::new_unchecked(transaction, sender))
}

fn submit(node: &Node, transaction: Recovered<TxEnvelope>) -> Result<Value, RpcError> {
    let hash = *transaction.tx_hash();
    node.write(|ledger, now| ledger.submit(transaction, now))?;
    value(hash)
}

/// Fills in, signs and submits for an unlocked account, all under one lock, so that requests that
/// arrive together get different nonces.
pub(super) fn send(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let request = params.get::<TransactionRequest>(0)?;
    let from = request
        .from
        .ok_or_else(|| RpcError::params("missing `from`"))?;
    let signer = node
        .unlocked(from)
        .ok_or_else(|| RpcError::rejected("unknown account"))?;
    node.write(|ledger, now| {
        let request = fill(&ledger.chain, from, request, now)?;
        let incomplete = |_| RpcError::params("incomplete transaction");
        let mut transaction: TypedTransaction = request.build_typed_tx().map_err(incomplete)?;
        let signature = signer
            .sign_transaction_sync(&mut transaction)
            .map_err(RpcError::internal)?;
        let transaction = TxEnvelope::from(transaction.into_signed(signature));
        let hash = *transaction.tx_hash();
        ledger.submit(Recovered::new_unchecked(transaction, from), now)?;
        value(hash)
    })
}

/// What the sender left open: nonce, gas and a price of nothing.
fn fill(
    chain: &Chain,
    from: Address,
    mut request: TransactionRequest,
    now: u64,
) -> Result<TransactionRequest, RpcError> {
    request.chain_id = Some(chain.id());
    request.nonce.get_or_insert(chain.nonce(&from));
    if request.max_fee_per_gas.is_none() && request.max_priority_fee_per_gas.is_none() {
        request.gas_price.get_or_insert(0);
    } else {
        let priority_fee = *request.max_priority_fee_per_gas.get_or_insert(0);
        request.max_fee_per_gas.get_or_insert(priority_fee);
    }
    if request.to.is_none() {
        request.set_create();
    }
    if request.gas.is_none() {
        let header = chain.next_header(chain.time(now));
        request.gas = Some(execute::estimate(
            chain,
            chain.latest(),
            &header,
            request.clone(),
        )?);
    }
    Ok(request)
}
