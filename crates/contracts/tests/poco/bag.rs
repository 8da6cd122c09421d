//! Our own entry points: many tasks in one transaction, many calls in one transaction.
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolCall, SolValue};
use contracts::Hub;

use crate::orders::Orders;
use crate::stage::{APP_PRICE, DATASET_PRICE, POOL_PRICE, Stage, TIMEREF, digest, key, personal};

/// What the scheduler and the worker get of a task, with 1 % for the scheduler.
const SCHEDULER_SHARE: u64 = POOL_PRICE / 100;
const WORKER_SHARE: u64 = POOL_PRICE - SCHEDULER_SHARE;

/// A link as workers write it; the seed decides the hash.
pub(crate) fn link(seed: u8) -> Bytes {
    let cid = [&[0x12, 0x20], keccak256([seed]).as_slice()].concat();
    let digits = base58(&cid);
    Bytes::from(format!(r#"{{"storage":"ipfs","location":"/ipfs/{digits}"}}"#).into_bytes())
}

/// Slow and plain, to check the contracts' own.
fn base58(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut digits = vec![0_u32];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    let text = digits.iter().rev().map(|digit| ALPHABET[*digit as usize]);
    String::from_utf8(text.collect()).unwrap()
}

fn bag_of(
    deal: B256,
    first: u64,
    count: u64,
    worker: Address,
    authority: &PrivateKeySigner,
) -> Hub::contributeAndFinalizeBagCall {
    let (first, count) = (U256::from(first), U256::from(count));
    let message = keccak256((worker, deal, first, count).abi_encode_packed());
    let seeds = (0..count.to::<u64>()).map(|task| task as u8);
    Hub::contributeAndFinalizeBagCall {
        dealId: deal,
        firstIndex: first,
        digests: seeds.clone().map(digest).collect(),
        results: seeds.map(link).collect(),
        authorizationSign: personal(authority, message),
    }
}

fn task_id(deal: B256, index: u64) -> B256 {
    keccak256((deal, U256::from(index)).abi_encode())
}

/// A deal of `volume` tasks and the address and key of who does them.
fn started(offers: impl Fn(&Stage) -> Orders, volume: u64) -> (Stage, B256, Address) {
    let mut stage = Stage::ours();
    let deal = stage.deal(offers(&stage).for_volume(volume));
    let worker = stage.workers[0].address();
    (stage, deal, worker)
}

#[test]
fn a_bag_leaves_what_its_tasks_would_one_by_one() {
    let (mut stage, deal, worker) = started(Stage::offers_with_dataset, 5);
    stage.task(deal, 2);
    let call = bag_of(deal, 1, 3, worker, &stage.scheduler);
    let receipt = stage.act_as(0, &call);
    let events = receipt.events(stage.at.hub);
    let count = |name: &str| events.iter().filter(|event| *event == name).count();
    assert_eq!(count("TaskInitialize"), 2, "one was initialized before");
    assert_eq!((count("TaskFinalize"), count("Seize")), (3, 1));
    assert_eq!(stage.gain(worker), 3 * WORKER_SHARE as i64);
    let scheduler = stage.scheduler.address();
    let paid = 2 * (POOL_PRICE * 30 / 100);
    assert_eq!(
        stage.gain(scheduler),
        (3 * SCHEDULER_SHARE) as i64 - paid as i64
    );
    assert_eq!(stage.account(stage.app_owner.address()).0, 3 * APP_PRICE);
    assert_eq!(
        stage.account(stage.dataset_owner.address()).0,
        3 * DATASET_PRICE
    );
    let rest = 2 * (APP_PRICE + DATASET_PRICE + POOL_PRICE);
    assert_eq!(stage.account(stage.requester.address()).1, rest);
    assert_eq!(stage.account(stage.at.hub).0, rest + paid);
}

#[test]
fn a_task_of_a_bag_reads_like_any_other() {
    let (mut stage, deal, worker) = started(Stage::offers, 4);
    let start = stage.chain.now();
    stage.chain.wait(5);
    let call = bag_of(deal, 1, 3, worker, &stage.scheduler);
    stage.act_as(0, &call);
    for position in 0..3 {
        let task = task_id(deal, 1 + position);
        let view = stage.view_task(task);
        assert_eq!((view.status, view.dealid), (3, deal));
        assert_eq!(view.idx, U256::from(1 + position));
        assert_eq!(view.resultDigest, digest(position as u8));
        assert_eq!(view.results, link(position as u8));
        assert_eq!(view.contributors, [worker]);
        assert_eq!(view.revealDeadline, U256::from(start + 5 + 2 * TIMEREF));
        let contribution = stage.view_contribution(task, 0);
        let expected = stage.contribution(task, 0, digest(position as u8));
        assert_eq!((contribution.status, contribution.weight), (2, U256::ZERO));
        assert_eq!(contribution.resultHash, expected.hash);
        assert_eq!(contribution.resultSeal, expected.seal);
        assert_eq!(view.consensusValue, expected.hash);
        assert_eq!(stage.view_contribution(task, 1).status, 0);
    }
}

#[test]
fn a_task_of_a_bag_is_over() {
    let (mut stage, deal, worker) = started(Stage::offers, 2);
    let call = bag_of(deal, 0, 2, worker, &stage.scheduler);
    stage.act_as(0, &call);
    let hub = stage.at.hub;
    assert_eq!(stage.chain.refuse(worker, hub, &call), "", "twice");
    let task = task_id(deal, 1);
    let alone = stage.contribution(task, 0, digest(1));
    assert_eq!(stage.chain.refuse(worker, hub, &alone.call()), "");
    let again = Hub::initializeCall {
        dealId: deal,
        index: U256::from(1),
    };
    assert_eq!(stage.chain.refuse(worker, hub, &again), "");
    stage.chain.wait(10 * TIMEREF);
    let claim = Hub::claimCall { taskId: task };
    assert_eq!(stage.chain.refuse(worker, hub, &claim), "");
}

#[test]
fn a_bag_is_refused_whole() {
    let (mut stage, deal, worker) = started(Stage::offers, 3);
    let hub = stage.at.hub;
    let scheduler = stage.scheduler.clone();
    let good = bag_of(deal, 0, 3, worker, &scheduler);
    let mut fewer = good.clone();
    fewer.results.pop();
    let mut odd = good.clone();
    odd.results[1] = Bytes::from_static(b"no link");
    let mut empty = bag_of(deal, 0, 0, worker, &scheduler);
    empty.digests.clear();
    let refused = [
        ("beyond the deal", bag_of(deal, 1, 3, worker, &scheduler)),
        (
            "a stranger's authorization",
            bag_of(deal, 0, 3, worker, &key(99)),
        ),
        ("another worker's", bag_of(deal, 0, 3, hub, &scheduler)),
        ("no such deal", bag_of(digest(1), 0, 3, worker, &scheduler)),
        ("fewer results than digests", fewer),
        ("a result that is no link", odd),
        ("nothing", empty),
    ];
    for (name, call) in refused {
        assert_eq!(stage.chain.refuse(worker, hub, &call), "", "{name}");
    }
    let begun = stage.task(deal, 1);
    stage.contribute(begun, 1, digest(7));
    assert_eq!(stage.chain.refuse(worker, hub, &good), "", "one has begun");
}

/// What makes orders of another kind.
type Change = fn(Orders) -> Orders;

#[test]
fn a_bag_is_for_plain_tasks_in_time() {
    let callback = Address::repeat_byte(0xca);
    let kinds: [(&str, Change); 3] = [
        ("trust", |orders| orders.with_trust(U256::from(2))),
        ("an enclave", |orders| orders.with_tag(1)),
        ("a callback", |orders| {
            orders.with_callback(Address::repeat_byte(0xca))
        }),
    ];
    for (name, kind) in kinds {
        let (mut stage, deal, worker) = started(|stage| kind(stage.offers()), 2);
        stage.chain.put_code(callback, Bytes::new());
        let call = bag_of(deal, 0, 2, worker, &stage.scheduler);
        assert_eq!(
            stage.chain.refuse(worker, stage.at.hub, &call),
            "",
            "{name}"
        );
    }
    let (mut stage, deal, worker) = started(Stage::offers, 2);
    let call = bag_of(deal, 0, 2, worker, &stage.scheduler);
    stage.chain.wait(7 * TIMEREF);
    assert_eq!(stage.chain.refuse(worker, stage.at.hub, &call), "", "late");
}

#[test]
fn several_calls_in_one_act_as_their_sender() {
    let (mut stage, deal, _) = started(Stage::offers, 2);
    let sender = stage.workers[1].address();
    let initialize = |index: u64| {
        let index = U256::from(index);
        Hub::initializeCall {
            dealId: deal,
            index,
        }
        .abi_encode()
        .into()
    };
    let transfer = Hub::transferCall {
        to: stage.deployer,
        value: U256::from(7),
    };
    let calls = vec![initialize(0), initialize(1), transfer.abi_encode().into()];
    let call = Hub::multicallCall { calls };
    let receipt = stage.chain.act(sender, stage.at.hub, &call);
    let first = B256::abi_decode(&receipt.value[0]).unwrap();
    assert_eq!(first, task_id(deal, 0));
    assert_eq!(stage.view_task(task_id(deal, 1)).status, 1);
    assert_eq!(stage.gain(sender), -7);
    assert_eq!(
        stage.chain.refuse(sender, stage.at.hub, &call),
        "",
        "initialized already"
    );
    let views = vec![Hub::nameCall {}.abi_encode().into()];
    let receipt = stage
        .chain
        .act(sender, stage.at.hub, &Hub::multicallCall { calls: views });
    assert_eq!(String::abi_decode(&receipt.value[0]).unwrap(), "Staked RLC");
}
