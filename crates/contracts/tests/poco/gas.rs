//! The official middleware sends every transaction with a fixed gas limit (spec/contracts.md §18);
//! the contracts must fit in it in the worst usual case: all accounts cold, a dataset, a callback.
use alloy::primitives::{Address, Bytes, U256, keccak256};
use contracts::Hub;

use crate::chain::answering;
use crate::stage::{Stage, digest};

const INITIALIZE_GAS_MAX: u64 = 300_000;
const CONTRIBUTE_GAS_MAX: u64 = 500_000;
const REVEAL_GAS_MAX: u64 = 100_000;
const FINALIZE_GAS_MAX: u64 = 500_000;
const CONTRIBUTE_AND_FINALIZE_GAS_MAX: u64 = 700_000;

#[test]
fn a_replicated_task_fits() {
    let mut stage = Stage::new();
    let offers = stage.offers_with_dataset().with_trust(U256::from(16));
    let deal = stage.deal(offers);
    let call = Hub::initializeCall {
        dealId: deal,
        index: U256::ZERO,
    };
    let receipt = stage.chain.act(Address::ZERO, stage.at.hub, &call);
    assert!(
        receipt.gas <= INITIALIZE_GAS_MAX,
        "initialize takes {}",
        receipt.gas
    );
    for worker in 0..4 {
        let gas = stage.contribute(receipt.value, worker, digest(7)).gas;
        assert!(gas <= CONTRIBUTE_GAS_MAX, "contribute takes {gas}");
    }
    for worker in 0..4 {
        let gas = stage.reveal(receipt.value, worker, digest(7)).gas;
        assert!(gas <= REVEAL_GAS_MAX, "reveal takes {gas}");
    }
    let gas = stage.finalize(receipt.value).gas;
    assert!(gas <= FINALIZE_GAS_MAX, "finalize takes {gas}");
}

#[test]
fn a_task_with_a_callback_fits() {
    let mut stage = Stage::new();
    let callback = Address::repeat_byte(0xca);
    stage.chain.put_code(callback, answering(digest(0)));
    let task = stage.one_task(stage.offers_with_dataset().with_callback(callback));
    let told = Bytes::from(vec![7; 192]);
    let call = stage
        .contribution(task, 0, keccak256(&told))
        .final_call(told);
    let gas = stage.act_as(0, &call).gas;
    assert!(
        gas <= CONTRIBUTE_AND_FINALIZE_GAS_MAX,
        "contributeAndFinalize takes {gas}"
    );
}
