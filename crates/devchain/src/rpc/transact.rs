//! Methods that run code: calls, estimates and transactions.

use alloy::consensus::transaction::{Recovered, SignerRecoverable};
use alloy::consensus::{SignableTransaction, TxEnvelope, TypedTransaction};
use alloy::eips::{BlockId, Decodable2718, Encodable2718};
use alloy::network::{TransactionBuilder, TxSignerSync};
use alloy::primitives::{Address, Bytes, Signature, U64, U256};
use alloy::rpc::types::TransactionRequest;
use alloy::signers::local::PrivateKeySigner;
use serde_json::{Value, json};

use super::query::scene;
use super::{Params, RpcError, account, value};
use crate::ledger::Ledger;
use crate::node::Node;
use crate::simulate::{self, Scene};

/// A call's arguments: the request, the block, the state and the block to pretend.
pub(super) fn staged<'a>(
    ledger: &'a Ledger,
    params: &mut Params,
    now: u64,
) -> Result<(TransactionRequest, Scene<'a>), RpcError> {
    let (request, id) = (params.get::<TransactionRequest>(0)?, params.opt(1)?);
    let (state, block) = (params.opt(2)?, params.opt(3)?);
    let scene = scene(ledger, id, now)?;
    let scene = Scene {
        state,
        block,
        ..scene
    };
    Ok((request, scene))
}

pub(super) fn call(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let ledger = node.read();
    let (request, scene) = staged(&ledger, params, node.wall_time())?;
    value(simulate::call(&ledger.chain, scene, request)?)
}

pub(super) fn estimate(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let ledger = node.read();
    let (request, scene) = staged(&ledger, params, node.wall_time())?;
    value(U64::from(simulate::estimate(
        &ledger.chain,
        scene,
        request,
    )?))
}

pub(super) fn access_list(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let ledger = node.read();
    let (request, scene) = staged(&ledger, params, node.wall_time())?;
    let (list, gas_used, failure) = simulate::access_list(&ledger.chain, scene, request)?;
    let mut answer = json!({ "accessList": list, "gasUsed": U64::from(gas_used) });
    if let Some(failure) = failure {
        answer["error"] = json!(failure.message);
    }
    Ok(answer)
}

pub(super) fn send_raw(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    submit(node, recover(&params.get::<Bytes>(0)?)?)
}

/// The transaction in the bytes that were signed.
pub(super) fn recover(raw: &[u8]) -> Result<Recovered<TxEnvelope>, RpcError> {
    let transaction = TxEnvelope::decode_2718_exact(raw)
        .map_err(|error| RpcError::params(format!("invalid transaction: {error}")))?;
    let sender = transaction
        .recover_signer()
        .map_err(|error| RpcError::rejected(format!("invalid sender: {error}")))?;
    Ok(Recovered::new_unchecked(transaction, sender))
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
    node.write(|ledger, now| {
        let transaction = complete(node, ledger, request, now)?;
        let hash = *transaction.tx_hash();
        ledger.submit(transaction, now)?;
        value(hash)
    })
}

/// `eth_sendUnsignedTransaction`: sends for anybody, as if impersonated for this once.
pub(super) fn send_unsigned(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let request = params.get::<TransactionRequest>(0)?;
    let from = sender(node, &request)?;
    node.write(|ledger, now| {
        let transaction = finish(ledger, from, None, request, now)?;
        let hash = *transaction.tx_hash();
        ledger.submit(transaction, now)?;
        value(hash)
    })
}

/// Fills in and signs for an unlocked account; the answer is what `eth_sendRawTransaction` takes.
pub(super) fn sign(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let request = params.get::<TransactionRequest>(0)?;
    let from = sender(node, &request)?;
    account::key(node, from)?;
    let transaction = complete(node, &node.read(), request, node.wall_time())?;
    value(Bytes::from(transaction.encoded_2718()))
}

/// Who sends: the node's first account unless it says another, as in other development nodes.
fn sender(node: &Node, request: &TransactionRequest) -> Result<Address, RpcError> {
    let missing = || RpcError::params("missing `from`");
    let first = || node.unlocked_addresses().first().copied();
    request.from.or_else(first).ok_or_else(missing)
}

/// A request made a transaction, signed for its sender.
pub(super) fn complete(
    node: &Node,
    ledger: &Ledger,
    request: TransactionRequest,
    now: u64,
) -> Result<Recovered<TxEnvelope>, RpcError> {
    let (from, signer) = signer(node, ledger, &request)?;
    finish(ledger, from, signer, request, now)
}

/// Who sends a request, and the key to sign with; none for a sender that is impersonated.
pub(super) fn signer<'a>(
    node: &'a Node,
    ledger: &Ledger,
    request: &TransactionRequest,
) -> Result<(Address, Option<&'a PrivateKeySigner>), RpcError> {
    let from = sender(node, request)?;
    match account::key(node, from) {
        Err(_) if ledger.session.impersonates(from) => Ok((from, None)),
        key => Ok((from, Some(key?))),
    }
}

/// The same when it is known who signs; nobody does for a sender that needs no signature.
fn finish(
    ledger: &Ledger,
    from: Address,
    signer: Option<&PrivateKeySigner>,
    request: TransactionRequest,
    now: u64,
) -> Result<Recovered<TxEnvelope>, RpcError> {
    let chain_id = ledger.chain.id();
    if request.chain_id.is_some_and(|id| id != chain_id) {
        return Err(RpcError::rejected("invalid chain id for signer"));
    }
    let request = fill(ledger, from, request, now)?;
    let incomplete = |_| RpcError::params("incomplete transaction");
    let mut transaction: TypedTransaction = request.build_typed_tx().map_err(incomplete)?;
    let signature = match signer {
        Some(signer) => signer
            .sign_transaction_sync(&mut transaction)
            .map_err(RpcError::internal)?,
        None => forged(from),
    };
    let transaction = TxEnvelope::from(transaction.into_signed(signature));
    Ok(Recovered::new_unchecked(transaction, from))
}

/// Stands where an impersonated sender's signature would: it tells senders apart, so that equal
/// transactions of two senders have two hashes, and is nobody's.
fn forged(sender: Address) -> Signature {
    let sender = U256::from_be_slice(sender.as_slice());
    Signature::new(sender, U256::ONE, false)
}

/// What the sender left open: nonce, gas and a price of no more than what the block takes.
fn fill(
    ledger: &Ledger,
    from: Address,
    mut request: TransactionRequest,
    now: u64,
) -> Result<TransactionRequest, RpcError> {
    request.chain_id = Some(ledger.chain.id());
    request.nonce.get_or_insert(ledger.next_nonce(from));
    if request.gas_price.is_none() {
        let base_fee = ledger.chain.terms().base_fee.unwrap_or_default();
        let tip = *request.max_priority_fee_per_gas.get_or_insert(0);
        request
            .max_fee_per_gas
            .get_or_insert(tip.saturating_add(base_fee.into()));
    }
    if request.to.is_none() {
        request.set_create();
    }
    if request.gas.is_none() {
        let pending = Some(BlockId::pending());
        let scene = scene(ledger, pending, now)?;
        let estimate = simulate::estimate(&ledger.chain, scene, request.clone())?;
        request.gas = Some(estimate);
    }
    Ok(request)
}
