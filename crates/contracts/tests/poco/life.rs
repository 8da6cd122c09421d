//! A task from the match to the money, and what is logged on the way.
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use contracts::Hub;

use crate::chain::{Receipt, answering};
use crate::stage::{
    APP_PRICE, DATASET_PRICE, POOL_PRICE, POOL_STAKE, Stage, TIMEREF, WORKER_STAKE, digest, key,
};

const WORKER_SHARE: u64 = POOL_PRICE * 99 / 100;
const SCHEDULER_SHARE: u64 = POOL_PRICE - WORKER_SHARE;

/// What every successful settlement logs before the workers are paid.
const SETTLED: [&str; 5] = ["Seize", "Transfer", "Reward", "Transfer", "Unlock"];

fn assert_events<T>(stage: &Stage, receipt: &Receipt<T>, expected: &[&str]) {
    assert_eq!(receipt.events(stage.at.hub), expected);
}

#[test]
fn matching_locks_the_price_and_the_schedulers_stake() {
    let mut stage = Stage::new();
    let orders = stage.signed(stage.offers_with_dataset().for_volume(3));
    let receipt = stage.chain.act(Address::ZERO, stage.at.hub, &orders.call());
    let logged = [
        "Transfer",
        "Lock",
        "Transfer",
        "Lock",
        "SchedulerNotice",
        "OrdersMatched",
    ];
    assert_events(&stage, &receipt, &logged);
    let matched = &receipt.find::<Hub::OrdersMatched>()[0];
    assert_eq!(matched.dealid, receipt.value);
    assert_eq!(matched.volume, U256::from(3));
    let price = 3 * (APP_PRICE + DATASET_PRICE + POOL_PRICE);
    assert_eq!(stage.account(stage.requester.address()).1, price);
    assert_eq!(stage.account(stage.scheduler.address()).1, 3 * POOL_STAKE);
    assert_eq!(stage.account(stage.at.hub).0, price + 3 * POOL_STAKE);
}

#[test]
fn a_deal_is_readable_as_it_was_agreed() {
    let mut stage = Stage::new();
    let callback = Address::repeat_byte(9);
    let mut orders = stage
        .offers_with_dataset()
        .for_volume(2)
        .with_callback(callback);
    orders.request.beneficiary = Address::repeat_byte(8);
    let dealid = stage.deal(orders.clone());
    let deal = stage.view_deal(dealid);
    assert_eq!(deal.app.pointer, stage.app);
    assert_eq!(deal.app.owner, stage.app_owner.address());
    assert_eq!(deal.app.price, U256::from(APP_PRICE));
    assert_eq!(deal.dataset.pointer, stage.dataset);
    assert_eq!(deal.dataset.price, U256::from(DATASET_PRICE));
    assert_eq!(deal.workerpool.owner, stage.scheduler.address());
    assert_eq!(deal.trust, U256::from(1));
    assert_eq!(deal.requester, stage.requester.address());
    assert_eq!(deal.beneficiary, orders.request.beneficiary);
    assert_eq!(deal.callback, callback);
    assert_eq!(deal.params, orders.request.params);
    assert_eq!(deal.startTime, U256::from(stage.chain.now()));
    assert_eq!((deal.botFirst, deal.botSize), (U256::ZERO, U256::from(2)));
    assert_eq!(deal.workerStake, U256::from(WORKER_STAKE));
    assert_eq!(deal.schedulerRewardRatio, U256::from(1));
    assert_eq!(deal.sponsor, stage.requester.address());
}

#[test]
fn a_deal_without_extras_has_none() {
    let mut stage = Stage::new();
    let dealid = stage.deal(stage.offers());
    let deal = stage.view_deal(dealid);
    assert_eq!(deal.dataset, Hub::Resource::default());
    assert_eq!(deal.callback, Address::ZERO);
    assert_eq!(deal.beneficiary, stage.requester.address());
}

#[test]
fn trust_one_by_contribute_reveal_finalize() {
    let mut stage = Stage::new();
    let deal = stage.deal(stage.offers_with_dataset());
    let call = Hub::initializeCall {
        dealId: deal,
        index: U256::ZERO,
    };
    let receipt = stage.chain.act(Address::ZERO, stage.at.hub, &call);
    assert_events(&stage, &receipt, &["TaskInitialize"]);
    let task = receipt.value;
    let receipt = stage.contribute(task, 0, digest(7));
    assert_events(
        &stage,
        &receipt,
        &["Transfer", "Lock", "TaskContribute", "TaskConsensus"],
    );
    let worker = stage.workers[0].address();
    assert_eq!(stage.account(worker).1, WORKER_STAKE);
    let receipt = stage.reveal(task, 0, digest(7));
    assert_events(&stage, &receipt, &["TaskReveal"]);
    let receipt = stage.finalize(task);
    let logged = [
        "Seize",
        "Transfer",
        "Reward",
        "Transfer",
        "Reward",
        "Transfer",
        "Unlock",
        "Transfer",
        "Unlock",
        "Transfer",
        "Reward",
        "Transfer",
        "Reward",
        "TaskFinalize",
    ];
    assert_events(&stage, &receipt, &logged);
    let price = (APP_PRICE + DATASET_PRICE + POOL_PRICE) as i64;
    assert_eq!(stage.gain(stage.requester.address()), -price);
    assert_eq!(stage.account(stage.app_owner.address()), (APP_PRICE, 0));
    assert_eq!(
        stage.account(stage.dataset_owner.address()),
        (DATASET_PRICE, 0)
    );
    assert_eq!(
        stage.gain(stage.scheduler.address()),
        SCHEDULER_SHARE as i64
    );
    assert_eq!(stage.gain(worker), WORKER_SHARE as i64);
    assert_eq!(stage.account(stage.at.hub), (0, 0));
    assert_eq!(stage.score(0), 0, "a worker alone proves nothing");
}

#[test]
fn a_task_is_readable_at_every_step() {
    let mut stage = Stage::new();
    let deal = stage.deal(stage.offers());
    let start = stage.chain.now();
    let task = stage.task(deal, 0);
    let view = stage.view_task(task);
    assert_eq!((view.status, view.dealid, view.idx), (1, deal, U256::ZERO));
    assert_eq!(view.timeref, U256::from(TIMEREF));
    assert_eq!(view.contributionDeadline, U256::from(start + 7 * TIMEREF));
    assert_eq!(view.finalDeadline, U256::from(start + 10 * TIMEREF));
    stage.contribute(task, 0, digest(7));
    let view = stage.view_task(task);
    let hash = stage.contribution(task, 0, digest(7)).hash;
    assert_eq!((view.status, view.consensusValue), (2, hash));
    assert_eq!(view.revealDeadline, U256::from(start + 2 * TIMEREF));
    assert_eq!(view.winnerCounter, U256::from(1));
    assert_eq!(view.contributors, [stage.workers[0].address()]);
    let contribution = stage.view_contribution(task, 0);
    assert_eq!((contribution.status, contribution.resultHash), (1, hash));
    assert_eq!(contribution.weight, U256::from(1));
    stage.reveal(task, 0, digest(7));
    assert_eq!(stage.view_contribution(task, 0).status, 2);
    assert_eq!(stage.view_task(task).resultDigest, digest(7));
    stage.finalize(task);
    let view = stage.view_task(task);
    assert_eq!(
        (view.status, view.results.as_ref()),
        (3, b"result".as_slice())
    );
    assert_eq!(view.resultsTimestamp, U256::ZERO);
}

#[test]
fn trust_one_in_one_transaction() {
    let mut stage = Stage::new();
    let task = stage.one_task(stage.offers());
    let call = stage
        .contribution(task, 0, digest(7))
        .final_call(Bytes::new());
    let receipt = stage.act_as(0, &call);
    let paid = ["Transfer", "Reward", "Transfer", "Reward"];
    let told = [
        "TaskContribute",
        "TaskConsensus",
        "TaskReveal",
        "TaskFinalize",
    ];
    assert_events(
        &stage,
        &receipt,
        &[SETTLED.as_slice(), &paid, &told].concat(),
    );
    let worker = stage.workers[0].address();
    assert_eq!(stage.gain(worker), WORKER_SHARE as i64);
    assert_eq!(
        stage.gain(stage.scheduler.address()),
        SCHEDULER_SHARE as i64
    );
    let view = stage.view_task(task);
    assert_eq!((view.status, view.resultDigest), (3, digest(7)));
    assert_eq!(view.revealCounter, U256::from(1));
    assert_eq!(
        view.revealDeadline,
        U256::from(stage.chain.now() + 2 * TIMEREF)
    );
    assert_eq!(view.contributors, [worker]);
    let contribution = stage.view_contribution(task, 0);
    assert_eq!((contribution.status, contribution.weight), (2, U256::ZERO));
}

#[test]
fn one_transaction_is_not_enough_for_more_trust_or_a_second_worker() {
    let mut stage = Stage::new();
    let trusting = stage.one_task(stage.offers().with_trust(U256::from(2)));
    let call = stage
        .contribution(trusting, 0, digest(7))
        .final_call(Bytes::new());
    let worker = stage.workers[0].address();
    assert_eq!(stage.chain.refuse(worker, stage.at.hub, &call), "");
    let mut offers = stage.offers();
    offers.app.salt = digest(1);
    offers.workerpool.salt = digest(1);
    offers.request.salt = digest(1);
    let task = stage.one_task(offers);
    let call = stage
        .contribution(task, 0, digest(7))
        .final_call(Bytes::from_static(b"more"));
    let refused = stage.chain.refuse(worker, stage.at.hub, &call);
    assert_eq!(refused, "", "bytes for a callback nobody asked for");
}

#[test]
fn trust_five_takes_three_workers() {
    let mut stage = Stage::new();
    let task = stage.one_task(stage.offers().with_trust(U256::from(5)));
    for worker in 0..2 {
        let receipt = stage.contribute(task, worker, digest(7));
        assert_events(&stage, &receipt, &["Transfer", "Lock", "TaskContribute"]);
    }
    let receipt = stage.contribute(task, 2, digest(7));
    assert_events(
        &stage,
        &receipt,
        &["Transfer", "Lock", "TaskContribute", "TaskConsensus"],
    );
    for worker in 0..3 {
        stage.reveal(task, worker, digest(7));
    }
    let receipt = stage.finalize(task);
    let worker = [
        "Transfer",
        "Unlock",
        "Transfer",
        "Reward",
        "AccurateContribution",
    ];
    let end = ["Transfer", "Reward", "TaskFinalize"];
    let logged = [SETTLED.as_slice(), &worker, &worker, &worker, &end].concat();
    assert_events(&stage, &receipt, &logged);
    let share = WORKER_SHARE / 3;
    for worker in 0..3 {
        assert_eq!(stage.gain(stage.workers[worker].address()), share as i64);
        assert_eq!(stage.score(worker), 1);
    }
    let rest = POOL_PRICE - 3 * share;
    assert_eq!(stage.gain(stage.scheduler.address()), rest as i64);
}

#[test]
fn a_bag_is_initialized_and_executed_task_by_task() {
    let mut stage = Stage::new();
    let deal = stage.deal(stage.offers().for_volume(3));
    let indexes = (0..3).map(U256::from).collect::<Vec<_>>();
    let call = Hub::initializeArrayCall {
        dealIds: vec![deal; 3],
        indexes,
    };
    assert!(stage.chain.act(Address::ZERO, stage.at.hub, &call).value);
    let again = Hub::initializeCall {
        dealId: deal,
        index: U256::from(1),
    };
    assert_eq!(stage.chain.refuse(Address::ZERO, stage.at.hub, &again), "");
    let beyond = Hub::initializeCall {
        dealId: deal,
        index: U256::from(3),
    };
    assert_eq!(stage.chain.refuse(Address::ZERO, stage.at.hub, &beyond), "");
    for index in 0..3_u64 {
        let task = keccak256([deal, B256::from(U256::from(index))].concat());
        let call = stage
            .contribution(task, 0, digest(7))
            .final_call(Bytes::new());
        stage.act_as(0, &call);
        assert_eq!(stage.view_task(task).idx, U256::from(index));
    }
    assert_eq!(
        stage.gain(stage.workers[0].address()),
        3 * WORKER_SHARE as i64
    );
    assert_eq!(stage.account(stage.requester.address()).1, 0);
}

#[test]
fn a_second_match_of_a_request_goes_on_where_the_first_ended() {
    let mut stage = Stage::new();
    let mut orders = stage.offers().for_volume(5);
    orders.app.volume = U256::from(2);
    let first = stage.deal(orders.clone());
    orders.app.salt = digest(3);
    orders.app.volume = U256::from(9);
    let second = stage.deal(orders);
    let (first, second) = (stage.view_deal(first), stage.view_deal(second));
    assert_eq!((first.botFirst, first.botSize), (U256::ZERO, U256::from(2)));
    assert_eq!(
        (second.botFirst, second.botSize),
        (U256::from(2), U256::from(3))
    );
}

#[test]
fn a_sponsor_pays_instead_of_the_requester() {
    let mut stage = Stage::new();
    let sponsor = stage.workers[3].address();
    let orders = stage.signed(stage.offers());
    let receipt = stage.chain.act(sponsor, stage.at.hub, &orders.sponsored());
    assert_eq!(
        receipt.events(stage.at.hub).last().unwrap(),
        "DealSponsored"
    );
    let price = APP_PRICE + POOL_PRICE;
    assert_eq!(stage.account(sponsor).1, price);
    assert_eq!(stage.account(stage.requester.address()).1, 0);
    assert_eq!(stage.view_deal(receipt.value).sponsor, sponsor);
    let task = stage.task(receipt.value, 0);
    let call = stage
        .contribution(task, 0, digest(7))
        .final_call(Bytes::new());
    stage.act_as(0, &call);
    assert_eq!(stage.gain(sponsor), -(price as i64));
}

#[test]
fn the_scheduler_of_a_deal_stays_when_the_pool_is_sold() {
    let mut stage = Stage::new();
    let task = stage.one_task(stage.offers());
    let sale = contracts::WorkerpoolRegistry::transferFromCall {
        from: stage.scheduler.address(),
        to: stage.deployer,
        tokenId: U256::from_be_slice(stage.pool.as_slice()),
    };
    stage.chain.act(
        stage.scheduler.address(),
        stage.at.workerpool_registry,
        &sale,
    );
    stage.contribute(task, 0, digest(7));
    stage.reveal(task, 0, digest(7));
    stage.finalize(task);
    assert_eq!(
        stage.gain(stage.scheduler.address()),
        SCHEDULER_SHARE as i64
    );
}

#[test]
fn a_callback_is_told_and_may_fail() {
    let reverting = Bytes::from_static(&[0x60, 0x00, 0x60, 0x00, 0xfd]);
    let burning = Bytes::from_static(&[0xfe]);
    for code in [answering(B256::ZERO), reverting, burning, Bytes::new()] {
        let mut stage = Stage::new();
        let callback = Address::repeat_byte(0xca);
        stage.chain.put_code(callback, code);
        let task = stage.one_task(stage.offers().with_callback(callback));
        let data = Bytes::from_static(b"told");
        let contribution = stage.contribution(task, 0, keccak256(&data));
        let pending = stage.chain.refuse(
            Address::ZERO,
            stage.at.hub,
            &Hub::resultForCall { id: task },
        );
        assert_eq!(pending, "task-pending");
        stage.act_as(0, &contribution.final_call(data.clone()));
        let told = stage
            .chain
            .read(stage.at.hub, &Hub::resultForCall { id: task });
        assert_eq!(told, data);
    }
}

#[test]
fn a_callback_gets_only_what_the_digest_covers() {
    let mut stage = Stage::new();
    let task = stage.one_task(stage.offers().with_callback(Address::repeat_byte(0xca)));
    let worker = stage.workers[0].address();
    for told in [b"".as_slice(), b"lies"] {
        let contribution = stage.contribution(task, 0, keccak256(b"told"));
        let call = contribution.final_call(Bytes::copy_from_slice(told));
        assert_eq!(stage.chain.refuse(worker, stage.at.hub, &call), "");
    }
}

#[test]
fn an_enclave_signs_what_it_computed() {
    let mut stage = Stage::new();
    let task = stage.one_task(stage.offers().with_tag(1));
    let worker = stage.workers[0].address();
    let plain = stage.contribution(task, 0, digest(7));
    assert_eq!(stage.chain.refuse(worker, stage.at.hub, &plain.call()), "");
    let (enclave, scheduler) = (key(77), stage.scheduler.clone());
    let mut signed = plain.with_enclave(worker, &enclave, &scheduler);
    let good = signed.enclave_sign.clone();
    signed.enclave_sign = signed.authorization.clone();
    assert_eq!(stage.chain.refuse(worker, stage.at.hub, &signed.call()), "");
    signed.enclave_sign = good;
    stage.act_as(0, &signed.call());
    assert_eq!(
        stage.view_contribution(task, 0).enclaveChallenge,
        enclave.address()
    );
}

#[test]
fn the_tee_broker_answers_for_enclaves() {
    let mut stage = Stage::new();
    let (broker, enclave) = (key(66), key(77));
    let call = Hub::setTeeBrokerCall {
        broker: broker.address(),
    };
    stage.chain.act(stage.deployer, stage.at.hub, &call);
    let task = stage.one_task(stage.offers().with_tag(1));
    let worker = stage.workers[0].address();
    let scheduler = stage.scheduler.clone();
    let by_pool = stage
        .contribution(task, 0, digest(7))
        .with_enclave(worker, &enclave, &scheduler);
    assert_eq!(
        stage.chain.refuse(worker, stage.at.hub, &by_pool.call()),
        ""
    );
    let by_broker = stage
        .contribution(task, 0, digest(7))
        .with_enclave(worker, &enclave, &broker);
    stage.act_as(0, &by_broker.final_call(Bytes::new()));
    assert_eq!(stage.view_task(task).status, 3);
}
