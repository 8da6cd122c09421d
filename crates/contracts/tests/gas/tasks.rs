//! Every step of a task.
use std::ops::Range;

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use contracts::Hub;

use crate::chain::answering;
use crate::market::{Market, in_enclave};
use crate::side::Side;
use crate::stage::TIMEREF;

pub(crate) fn measure(side: &Side) {
    initializing(side);
    alone(side);
    in_an_enclave(side);
    together(side);
    disagreeing(side);
    at_once(side);
    calling_back(side);
    claiming(side);
    claiming_many(side);
    reopening(side);
}

fn initializing(side: &Side) {
    let mut market = Market::busy(side);
    let orders = market.orders().for_volume(10);
    let deal = market.deal(orders);
    side.row("initialize (index 0)", market.initialize(deal, 0).gas);
    side.row("initialize (index ≥ 1)", market.initialize(deal, 1).gas);
    let orders = market.orders().for_volume(10);
    let call = initialize_array(market.deal(orders), 0..10);
    side.row("initializeArray (10)", market.act(&call).gas);
}

pub(crate) fn initialize_array(deal: B256, tasks: Range<u64>) -> Hub::initializeArrayCall {
    Hub::initializeArrayCall {
        dealIds: tasks.clone().map(|_| deal).collect(),
        indexes: tasks.map(U256::from).collect(),
    }
}

fn alone(side: &Side) {
    let mut market = Market::busy(side);
    let orders = market.orders();
    let task = market.one_task(orders);
    side.row(
        "contribute, trust 1 (consensus)",
        market.contribute(task, 0),
    );
    side.row("reveal, first", market.reveal(task, 0));
    side.row("finalize, 1 worker", market.finalize(task));
    let orders = market.orders_with_dataset();
    let task = market.one_task(orders);
    market.contribute(task, 0);
    market.reveal(task, 0);
    side.row("finalize, 1 worker, dataset", market.finalize(task));
}

fn in_an_enclave(side: &Side) {
    let mut market = Market::busy(side);
    let orders = in_enclave(market.orders());
    let task = market.one_task(orders);
    let gas = market.contribute_from_enclave(task, 0);
    side.row("contribute, TEE", gas);
}

fn together(side: &Side) {
    let mut market = Market::busy(side);
    let orders = market.orders().with_trust(U256::from(5));
    let task = market.one_task(orders);
    for (worker, name) in [
        "contribute, 1st of 3 (trust 5)",
        "contribute, 2nd of 3",
        "contribute, 3rd of 3 (consensus)",
    ]
    .into_iter()
    .enumerate()
    {
        side.row(name, market.contribute(task, worker));
    }
    market.reveal(task, 0);
    side.row("reveal, next", market.reveal(task, 1));
    market.reveal(task, 2);
    side.row("finalize, 3 workers", market.finalize(task));
}

/// And the kitty pays out.
fn disagreeing(side: &Side) {
    let mut market = Market::busy(side);
    market.feed_kitty();
    let orders = market.orders().with_trust(U256::from(3));
    let task = market.one_task(orders);
    market.contribute_result(task, 3, keccak256("wrong"));
    for worker in 0..3 {
        market.contribute(task, worker);
    }
    for worker in 0..3 {
        market.reveal(task, worker);
    }
    let gas = market.finalize(task);
    side.row("finalize, 4 contributors, 1 seized", gas);
}

fn at_once(side: &Side) {
    let mut market = Market::busy(side);
    let orders = market.orders();
    let dataset = in_enclave(market.orders_with_dataset());
    let enclave = in_enclave(market.orders());
    for (name, orders, tee) in [
        ("contributeAndFinalize (standard)", orders, false),
        ("contributeAndFinalize (TEE)", enclave, true),
        ("contributeAndFinalize (TEE), dataset", dataset, true),
    ] {
        let task = market.one_task(orders);
        side.row(name, market.contribute_and_finalize(task, tee));
    }
}

fn calling_back(side: &Side) {
    let mut market = Market::busy(side);
    let callback = Address::repeat_byte(0xca);
    market.chain.put_code(callback, answering(B256::ZERO));
    let orders = in_enclave(market.orders().with_callback(callback));
    let task = market.one_task(orders);
    let numbers = (1..=5).map(|number| B256::from(U256::from(number)));
    let words: Vec<B256> = [keccak256("told")].into_iter().chain(numbers).collect();
    let told = Bytes::from(words.concat());
    let gas = market.contribute_and_call_back(task, told);
    side.row("contributeAndFinalize (TEE), no-op callback of 192 B", gas);
}

fn claiming(side: &Side) {
    let mut market = Market::busy(side);
    market.feed_kitty();
    for (name, trust, contributors) in [
        ("claim, no contribution", 1, 0),
        ("claim, 1 contributor", 1, 1),
        ("claim, 3 contributors", 5, 3),
    ] {
        let orders = market.orders().with_trust(U256::from(trust));
        let task = market.one_task(orders);
        for worker in 0..contributors {
            market.contribute(task, worker);
        }
        market.expire();
        let gas = market.act(&Hub::claimCall { taskId: task }).gas;
        side.row(name, gas);
    }
}

fn claiming_many(side: &Side) {
    let mut market = Market::busy(side);
    market.feed_kitty();
    let orders = market.orders().for_volume(10);
    let deal = market.deal(orders);
    let tasks = (0..10).map(|index| market.initialize(deal, index).value);
    let tasks = tasks.collect();
    let orders = market.orders().for_volume(9);
    let deal = market.deal(orders);
    market.expire();
    let call = Hub::claimArrayCall { taskIds: tasks };
    side.row("claimArray (10)", market.act(&call).gas);
    let call = initialize_array(deal, 1..9);
    let call = Hub::initializeAndClaimArrayCall {
        dealIds: call.dealIds,
        indexes: call.indexes,
    };
    side.row("initializeAndClaimArray (8)", market.act(&call).gas);
}

fn reopening(side: &Side) {
    for (name, trust, contributors) in [
        ("reopen, 1 contributor", 1, 1),
        ("reopen, 3 contributors", 5, 3),
    ] {
        let mut market = Market::busy(side);
        let orders = market.orders().with_trust(U256::from(trust));
        let task = market.one_task(orders);
        for worker in 0..contributors {
            market.contribute(task, worker);
        }
        market.chain.wait(2 * TIMEREF);
        let call = Hub::reopenCall { taskId: task };
        side.row(name, market.act(&call).gas);
    }
}
