//! The single-transaction flow. The official contracts have it in their repository, and nowhere
//! else; ours are measured as soon as the hub answers to it.
use alloy::primitives::{B256, Bytes, FixedBytes, TxKind, U256, keccak256};
use alloy::signers::SignerSync;
use alloy::sol_types::{SolCall, SolValue};
use revm::context::result::ExecutionResult;

use crate::market::{Market, RESULTS, in_enclave, task};
use crate::orders::Order;
use crate::side::Side;
use crate::stage::key;

alloy::sol! {
    function pushResultBoost(
        bytes32 dealId, uint256 index, bytes results, bytes resultsCallback,
        bytes authorizationSign, address enclaveChallenge, bytes enclaveSign
    );
    function claimBoost(bytes32 dealId, uint256 index);
}

/// `matchOrdersBoost` takes what `matchOrders` takes.
const MATCH: FixedBytes<4> = FixedBytes([0x8a, 0x8b, 0x36, 0x07]);

pub(crate) fn measure(side: &Side) {
    let mut market = Market::busy(side);
    let Some((deal, gas)) = match_orders(&mut market, 1) else {
        return;
    };
    side.row("matchOrdersBoost", gas);
    side.row("pushResultBoost", push_result(&mut market, deal, 0));
    let mut market = Market::busy(side);
    market.feed_kitty();
    if let Some((deal, _)) = match_orders(&mut market, 1) {
        market.expire();
        let call = claimBoostCall {
            dealId: deal,
            index: U256::ZERO,
        };
        side.row("claimBoost", send(&mut market, call.abi_encode()).unwrap());
    }
}

pub(crate) fn measure_lives(side: &Side) {
    for (name, bag) in [("Boost, TEE, bag of 1", 1), ("Boost, TEE, bag of 10", 10)] {
        let mut market = Market::busy(side);
        let Some((deal, matched)) = match_orders(&mut market, bag) else {
            return;
        };
        let pushed = (0..bag).map(|index| push_result(&mut market, deal, index));
        let gas = matched + pushed.sum::<u64>();
        side.row(name, gas.div_ceil(bag));
    }
}

/// The deal and what it took, unless the hub knows nothing of this.
fn match_orders(market: &mut Market, volume: u64) -> Option<(B256, u64)> {
    let orders = in_enclave(market.orders().for_volume(volume));
    let signed = market.sealed(orders);
    let request = signed.request.hash(market.at.hub);
    let deal = keccak256([request, B256::ZERO].concat());
    let mut data = signed.call().abi_encode();
    data[..4].copy_from_slice(MATCH.as_slice());
    send(market, data).map(|gas| (deal, gas))
}

fn push_result(market: &mut Market, deal: B256, index: u64) -> u64 {
    let (task, worker, enclave) = (task(deal, index), market.workers[0].address(), key(77));
    let message = keccak256((worker, task, keccak256(RESULTS)).abi_encode_packed());
    let plain = market.contribution(task, 0, B256::ZERO);
    let attested = plain.with_enclave(worker, &enclave, &market.scheduler);
    let seen = enclave.sign_message_sync(message.as_slice()).unwrap();
    let call = pushResultBoostCall {
        dealId: deal,
        index: U256::from(index),
        results: RESULTS.into(),
        resultsCallback: Bytes::new(),
        authorizationSign: attested.authorization,
        enclaveChallenge: enclave.address(),
        enclaveSign: seen.as_bytes().into(),
    };
    send(market, call.abi_encode()).unwrap()
}

/// Sent by a worker.
fn send(market: &mut Market, data: Vec<u8>) -> Option<u64> {
    let (worker, hub) = (market.workers[0].address(), market.at.hub);
    let result = market
        .chain
        .transact(worker, TxKind::Call(hub), data.into());
    match &result {
        ExecutionResult::Success { .. } => Some(result.gas().tx_gas_used()),
        _ => None,
    }
}
