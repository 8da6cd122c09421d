//! Boost tasks: one transaction of a worker, or a claim.
use alloy::primitives::{Address, B256, Bytes, U256, address, keccak256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolCall, SolValue};
use contracts::Hub;

use crate::chain::{Receipt, answering};
use crate::orders::Orders;
use crate::stage::{
    APP_PRICE, DATASET_PRICE, DEPOSIT, POOL_PRICE, POOL_STAKE, Stage, TIMEREF, digest,
    finalize_call, key,
};

pub(crate) const KITTY: Address = address!("99c2268479b93fDe36232351229815DF80837e23");
/// No result is taken from this many seconds after the match on.
pub(crate) const DEADLINE: u64 = 7 * TIMEREF;
const CALLBACK: Address = Address::repeat_byte(0xca);
const WORKER_SHARE: u64 = POOL_PRICE * 99 / 100;
const SCHEDULER_SHARE: u64 = POOL_PRICE - WORKER_SHARE;

impl Orders {
    pub(crate) fn boost(&self) -> Hub::matchOrdersBoostCall {
        Hub::matchOrdersBoostCall {
            appOrder: self.app.clone(),
            datasetOrder: self.dataset.clone(),
            workerpoolOrder: self.workerpool.clone(),
            requestOrder: self.request.clone(),
        }
    }

    pub(crate) fn boost_sponsored(&self) -> Hub::sponsorMatchOrdersBoostCall {
        Hub::sponsorMatchOrdersBoostCall {
            appOrder: self.app.clone(),
            datasetOrder: self.dataset.clone(),
            workerpoolOrder: self.workerpool.clone(),
            requestOrder: self.request.clone(),
        }
    }
}

/// A result on its way to the hub.
#[derive(Clone)]
pub(crate) struct Push {
    pub(crate) deal: B256,
    pub(crate) index: u64,
    pub(crate) worker: Address,
    pub(crate) results: Bytes,
    pub(crate) told: Bytes,
    pub(crate) authority: PrivateKeySigner,
    pub(crate) enclave: Option<PrivateKeySigner>,
    /// What the enclave says it computed, if that differs from what is pushed.
    pub(crate) computed: Option<Bytes>,
}

pub(crate) fn task_of(deal: B256, index: u64) -> B256 {
    keccak256((deal, U256::from(index)).abi_encode())
}

impl Push {
    pub(crate) fn new(stage: &Stage, deal: B256, index: u64) -> Self {
        Self {
            deal,
            index,
            worker: stage.workers[0].address(),
            results: Bytes::from_static(b"result"),
            told: Bytes::new(),
            authority: stage.scheduler.clone(),
            enclave: None,
            computed: None,
        }
    }

    pub(crate) fn telling(mut self, told: &'static [u8]) -> Self {
        self.told = Bytes::from_static(told);
        self
    }

    pub(crate) fn in_enclave(mut self, enclave: &PrivateKeySigner) -> Self {
        self.enclave = Some(enclave.clone());
        self
    }

    pub(crate) fn by(mut self, authority: &PrivateKeySigner) -> Self {
        self.authority = authority.clone();
        self
    }

    pub(crate) fn computing(mut self, computed: &Bytes) -> Self {
        self.computed = Some(computed.clone());
        self
    }

    pub(crate) fn call(&self) -> Hub::pushResultBoostCall {
        let task = task_of(self.deal, self.index);
        let challenge = self.enclave.as_ref().map(PrivateKeySigner::address);
        let challenge = challenge.unwrap_or_default();
        let authorized = keccak256((self.worker, task, challenge).abi_encode_packed());
        let computed = self.computed.as_ref().unwrap_or(&self.results);
        let sealed = keccak256((self.worker, task, keccak256(computed)).abi_encode_packed());
        let enclave_sign = self.enclave.as_ref().map(|one| personal(one, sealed));
        Hub::pushResultBoostCall {
            dealId: self.deal,
            index: U256::from(self.index),
            results: self.results.clone(),
            resultsCallback: self.told.clone(),
            authorizationSign: personal(&self.authority, authorized),
            enclaveChallenge: challenge,
            enclaveSign: enclave_sign.unwrap_or_default(),
        }
    }
}

fn personal(signer: &PrivateKeySigner, message: B256) -> Bytes {
    let signature = signer.sign_message_sync(message.as_slice()).unwrap();
    signature.as_bytes().into()
}

pub(crate) fn claim(deal: B256, index: u64) -> Hub::claimBoostCall {
    Hub::claimBoostCall {
        dealId: deal,
        index: U256::from(index),
    }
}

impl Stage {
    fn boost_deal(&mut self, orders: Orders) -> B256 {
        let call = self.signed(orders).boost();
        self.chain.act(Address::ZERO, self.at.hub, &call).value
    }

    fn push(&mut self, push: &Push) -> Receipt<()> {
        let receipt = self.chain.act(push.worker, self.at.hub, &push.call());
        Receipt {
            value: (),
            logs: receipt.logs,
            gas: receipt.gas,
        }
    }

    fn refuse_push(&mut self, push: &Push) -> String {
        self.chain.refuse(push.worker, self.at.hub, &push.call())
    }

    fn refuse_claim(&mut self, deal: B256, index: u64) -> String {
        let call = claim(deal, index);
        self.chain.refuse(Address::ZERO, self.at.hub, &call)
    }

    fn claim_boost(&mut self, deal: B256, index: u64) -> Vec<String> {
        let hub = self.at.hub;
        let receipt = self.chain.act(Address::ZERO, hub, &claim(deal, index));
        receipt.events(hub)
    }

    fn boost_status(&mut self, deal: B256, index: u64) -> u8 {
        self.view_task(task_of(deal, index)).status
    }
}

fn error(reason: &str) -> String {
    format!("PocoBoost: {reason}")
}

#[test]
fn a_result_pays_everyone() {
    let mut stage = Stage::new();
    let deal = stage.boost_deal(stage.offers_with_dataset());
    let receipt = stage.push(&Push::new(&stage, deal, 0));
    let logged = [
        "Seize",
        "Transfer",
        "Reward",
        "Transfer",
        "Reward",
        "Transfer",
        "Reward",
        "Transfer",
        "Unlock",
        "Transfer",
        "Reward",
        "ResultPushedBoost",
    ];
    assert_eq!(receipt.events(stage.at.hub), logged);
    let rewarded: Vec<Address> = receipt
        .find::<Hub::Reward>()
        .iter()
        .map(|one| one.owner)
        .collect();
    let worker = stage.workers[0].address();
    let owners =
        [&stage.app_owner, &stage.dataset_owner, &stage.scheduler].map(|one| one.address());
    assert_eq!(rewarded, [worker, owners[0], owners[1], owners[2]]);
    let pushed = &receipt.find::<Hub::ResultPushedBoost>()[0];
    assert_eq!((pushed.dealId, pushed.index), (deal, U256::ZERO));
    assert_eq!(pushed.results, Bytes::from_static(b"result"));
    let price = (APP_PRICE + DATASET_PRICE + POOL_PRICE) as i64;
    assert_eq!(stage.gain(stage.requester.address()), -price);
    assert_eq!(stage.gain(worker), WORKER_SHARE as i64);
    assert_eq!(
        stage.gain(stage.scheduler.address()),
        SCHEDULER_SHARE as i64
    );
    assert_eq!(stage.account(owners[0]), (APP_PRICE, 0));
    assert_eq!(stage.account(owners[1]), (DATASET_PRICE, 0));
    assert_eq!(stage.account(stage.at.hub), (0, 0));
    assert_eq!(stage.score(0), 0);
}

#[test]
fn what_costs_nothing_is_not_rewarded() {
    let mut stage = Stage::new();
    let mut orders = stage.offers_with_dataset();
    orders.app.appprice = U256::ZERO;
    orders.dataset.datasetprice = U256::ZERO;
    orders.workerpool.workerpoolprice = U256::ZERO;
    let deal = stage.boost_deal(orders);
    let receipt = stage.push(&Push::new(&stage, deal, 0));
    // The worker and the scheduler are told of zeros.
    let logged = [
        "Seize",
        "Transfer",
        "Reward",
        "Transfer",
        "Unlock",
        "Transfer",
        "Reward",
        "ResultPushedBoost",
    ];
    assert_eq!(receipt.events(stage.at.hub), logged);
}

#[test]
fn a_task_is_done_once() {
    let mut stage = Stage::new();
    let deal = stage.boost_deal(stage.offers().for_volume(2));
    stage.push(&Push::new(&stage, deal, 1));
    let again = stage.refuse_push(&Push::new(&stage, deal, 1));
    assert_eq!(again, error("Task status not unset"));
    let unknown = stage.refuse_push(&Push::new(&stage, deal, 2));
    assert_eq!(unknown, error("Unknown task"));
    let nowhere = stage.refuse_push(&Push::new(&stage, B256::ZERO, 0));
    assert_eq!(nowhere, error("Unknown task"));
    stage.chain.wait(DEADLINE - 1);
    stage.push(&Push::new(&stage, deal, 0));
    assert_eq!(stage.refuse_claim(deal, 0), error("Task status not unset"));
    assert_eq!(stage.account(stage.at.hub), (0, 0));
}

#[test]
fn a_late_result_is_refused_and_the_task_claimed() {
    let mut stage = Stage::new();
    let deal = stage.boost_deal(stage.offers_with_dataset().for_volume(2));
    assert_eq!(stage.refuse_claim(deal, 2), error("Unknown task"));
    stage.chain.wait(DEADLINE - 1);
    assert_eq!(stage.refuse_claim(deal, 0), error("Deadline not reached"));
    stage.chain.wait(1);
    let late = stage.refuse_push(&Push::new(&stage, deal, 0));
    assert_eq!(late, error("Deadline reached"));
    let logged = [
        "Transfer",
        "Unlock",
        "Seize",
        "Reward",
        "Lock",
        "TaskClaimed",
    ];
    assert_eq!(stage.claim_boost(deal, 1), logged);
    assert_eq!(stage.refuse_claim(deal, 1), error("Task status not unset"));
    let price = APP_PRICE + DATASET_PRICE + POOL_PRICE;
    let requester = stage.account(stage.requester.address());
    assert_eq!(requester, (DEPOSIT - price, price));
    let scheduler = stage.account(stage.scheduler.address());
    assert_eq!(scheduler, (DEPOSIT - 2 * POOL_STAKE, POOL_STAKE));
    assert_eq!(stage.account(KITTY), (0, POOL_STAKE));
    assert_eq!(stage.account(stage.at.hub).0, price + 2 * POOL_STAKE);
}

#[test]
fn the_kitty_rewards_the_scheduler() {
    let mut stage = Stage::new();
    let mut orders = stage.offers().for_volume(1);
    orders.workerpool.workerpoolprice = U256::from(50_000_000_000_u64);
    orders.request.workerpoolmaxprice = orders.workerpool.workerpoolprice;
    let failing = stage.boost_deal(orders);
    stage.chain.wait(DEADLINE);
    stage.claim_boost(failing, 0);
    assert_eq!(stage.account(KITTY).1, 15_000_000_000);
    let mut orders = stage.offers();
    orders.request.salt = digest(1);
    orders.app.salt = digest(1);
    orders.workerpool.salt = digest(1);
    let deal = stage.boost_deal(orders);
    let receipt = stage.push(&Push::new(&stage, deal, 0));
    let seized = receipt.find::<Hub::Seize>();
    assert_eq!(
        (seized[1].owner, seized[1].amount),
        (KITTY, U256::from(1_500_000_000))
    );
    let last = receipt.find::<Hub::Reward>().pop().unwrap();
    // One reward for both.
    assert_eq!(last.amount, U256::from(1_500_000_000 + SCHEDULER_SHARE));
    assert_eq!(stage.account(KITTY).1, 13_500_000_000);
    assert_eq!(stage.account(stage.at.hub).0, 13_500_000_000);
}

#[test]
fn indexes_count_from_the_first_task_of_the_deal() {
    let mut stage = Stage::new();
    let mut orders = stage.offers().for_volume(2);
    orders.request.volume = U256::from(4);
    orders.workerpool.volume = U256::from(4);
    stage.boost_deal(orders.clone());
    orders.app.salt = digest(1);
    let deal = stage.boost_deal(orders);
    stage.push(&Push::new(&stage, deal, 0));
    stage.push(&Push::new(&stage, deal, 1));
    let unknown = stage.refuse_push(&Push::new(&stage, deal, 2));
    assert_eq!(unknown, error("Unknown task"));
    assert_eq!(stage.boost_status(deal, 1), 3);
    assert_eq!(stage.boost_status(deal, 2), 0);
}

/// The official contract takes the price from the requester, who has locked nothing.
#[test]
fn a_sponsor_pays_for_the_result() {
    let mut stage = Stage::ours();
    let sponsor = stage.workers[3].address();
    let orders = stage.signed(stage.offers_with_dataset().for_volume(2));
    let hub = stage.at.hub;
    let deal = stage
        .chain
        .act(sponsor, hub, &orders.boost_sponsored())
        .value;
    let receipt = stage.push(&Push::new(&stage, deal, 0));
    assert_eq!(receipt.find::<Hub::Seize>()[0].owner, sponsor);
    let price = APP_PRICE + DATASET_PRICE + POOL_PRICE;
    assert_eq!(stage.account(sponsor), (DEPOSIT - 2 * price, price));
    stage.chain.wait(DEADLINE);
    stage.claim_boost(deal, 1);
    assert_eq!(stage.account(sponsor), (DEPOSIT - price, 0));
    assert_eq!(stage.gain(stage.requester.address()), 0);
}

#[test]
fn a_contribution_is_authorized_by_the_scheduler() {
    let mut stage = Stage::new();
    let deal = stage.boost_deal(stage.offers());
    let invalid = error("Invalid contribution authorization signature");
    let push = Push::new(&stage, deal, 0);
    assert_eq!(stage.refuse_push(&push.clone().by(&key(40))), invalid);
    // An authorization is for one worker.
    let other = stage.workers[1].address();
    let refused = stage.chain.refuse(other, stage.at.hub, &push.call());
    assert_eq!(refused, invalid);
    let mut call = push.call();
    call.authorizationSign = Bytes::from_static(b"short");
    let refused = stage.chain.refuse(push.worker, stage.at.hub, &call);
    assert_eq!(refused, "invalid-signature-format");
    stage.push(&push);
}

#[test]
fn an_enclave_signs_the_results() {
    let mut stage = Stage::new();
    let enclave = key(40);
    let deal = stage.boost_deal(stage.offers().with_tag(1));
    let push = Push::new(&stage, deal, 0);
    assert_eq!(
        stage.refuse_push(&push),
        error("Tag requires enclave challenge")
    );
    let push = push.in_enclave(&enclave);
    let forged = push.clone().computing(&Bytes::from_static(b"other"));
    assert_eq!(
        stage.refuse_push(&forged),
        error("Invalid enclave signature")
    );
    // Without a callback, what it would be told is neither signed nor used.
    stage.push(&push.telling(b"nobody"));
}

#[test]
fn an_enclave_signs_what_the_callback_is_told() {
    let mut stage = Stage::new();
    stage.chain.put_code(CALLBACK, answering(B256::ZERO));
    let deal = stage.boost_deal(stage.offers().with_tag(1).with_callback(CALLBACK));
    let push = Push::new(&stage, deal, 0)
        .in_enclave(&key(40))
        .telling(b"told");
    assert_eq!(stage.refuse_push(&push), error("Invalid enclave signature"));
    let told = push.told.clone();
    stage.push(&push.computing(&told));
}

#[test]
fn the_tee_broker_authorizes_enclaves() {
    let mut stage = Stage::new();
    let (broker, enclave) = (key(41), key(40));
    let call = Hub::setTeeBrokerCall {
        broker: broker.address(),
    };
    stage.chain.act(stage.deployer, stage.at.hub, &call);
    let deal = stage.boost_deal(stage.offers().with_tag(1));
    let push = Push::new(&stage, deal, 0).in_enclave(&enclave);
    let invalid = error("Invalid contribution authorization signature");
    assert_eq!(stage.refuse_push(&push), invalid);
    stage.push(&push.by(&broker));
}

#[test]
fn a_callback_is_told_and_may_fail() {
    let mut stage = Stage::new();
    // INVALID burns all its gas.
    stage.chain.put_code(CALLBACK, Bytes::from_static(&[0xfe]));
    let deal = stage.boost_deal(stage.offers().with_callback(CALLBACK));
    let push = Push::new(&stage, deal, 0);
    assert_eq!(stage.refuse_push(&push), error("Callback requires data"));
    let push = push.telling(b"told");
    set_callback_gas(&mut stage, 100_000_000);
    let starved = stage.refuse_push(&push);
    assert_eq!(starved, error("Not enough gas after callback"));
    set_callback_gas(&mut stage, 200_000);
    let receipt = stage.push(&push);
    assert_eq!(
        receipt.events(stage.at.hub).last().unwrap(),
        "ResultPushedBoost"
    );
}

fn set_callback_gas(stage: &mut Stage, gas: u64) {
    let call = Hub::setCallbackGasCall {
        gas_: U256::from(gas),
    };
    stage.chain.act(stage.deployer, stage.at.hub, &call);
}

#[test]
fn only_the_status_of_a_task_is_kept() {
    let mut stage = Stage::new();
    let deal = stage.boost_deal(stage.offers().for_volume(2));
    stage.push(&Push::new(&stage, deal, 0));
    stage.chain.wait(DEADLINE);
    stage.claim_boost(deal, 1);
    for (index, status) in [(0, 3), (1, 4)] {
        let task = stage.view_task(task_of(deal, index));
        let expected = Hub::Task {
            status,
            ..Hub::Task::default()
        };
        assert_eq!(task, expected);
        let contribution = stage.view_contribution(task_of(deal, index), 0);
        assert_eq!(contribution, Hub::Contribution::default());
    }
    assert_eq!(stage.view_deal(deal), Hub::Deal::default());
    let result = |index| Hub::resultForCall {
        id: task_of(deal, index),
    };
    assert!(stage.chain.read(stage.at.hub, &result(0)).is_empty());
    let failed = stage.chain.refuse(Address::ZERO, stage.at.hub, &result(1));
    assert_eq!(failed, "task-pending");
}

#[test]
fn nothing_of_a_classic_task_works() {
    let mut stage = Stage::new();
    let deal = stage.boost_deal(stage.offers().for_volume(3));
    stage.push(&Push::new(&stage, deal, 0));
    stage.chain.wait(DEADLINE);
    stage.claim_boost(deal, 1);
    stage.chain.wait(10 * TIMEREF);
    let index = U256::from(2);
    refuse_silently(
        &mut stage,
        &Hub::initializeCall {
            dealId: deal,
            index,
        },
    );
    let call = Hub::initializeAndClaimArrayCall {
        dealIds: vec![deal],
        indexes: vec![index],
    };
    refuse_silently(&mut stage, &call);
    for task in [0, 1, 2].map(|index| task_of(deal, index)) {
        let contribution = stage.contribution(task, 0, digest(7));
        refuse_silently(&mut stage, &contribution.call());
        refuse_silently(&mut stage, &contribution.final_call(Bytes::new()));
        refuse_silently(
            &mut stage,
            &Hub::revealCall {
                taskId: task,
                resultDigest: digest(7),
            },
        );
        refuse_silently(&mut stage, &Hub::reopenCall { taskId: task });
        refuse_silently(&mut stage, &finalize_call(task));
        refuse_silently(&mut stage, &Hub::claimCall { taskId: task });
        refuse_silently(
            &mut stage,
            &Hub::claimArrayCall {
                taskIds: vec![task],
            },
        );
    }
}

fn refuse_silently(stage: &mut Stage, call: &impl SolCall) {
    // Whoever it is: the checks before are the same for all.
    for from in [stage.scheduler.address(), stage.workers[0].address()] {
        assert_eq!(stage.chain.refuse(from, stage.at.hub, call), "");
    }
}

#[test]
fn a_classic_task_cannot_be_pushed_or_claimed() {
    let mut stage = Stage::new();
    let deal = stage.deal(stage.offers());
    stage.task(deal, 0);
    let refused = stage.refuse_push(&Push::new(&stage, deal, 0));
    assert_eq!(refused, error("Unknown task"));
    assert_eq!(stage.refuse_claim(deal, 0), error("Unknown task"));
}

/// The official contracts take 402 474 and 154 909 (spec/contracts.md §21), with everyone known.
#[test]
fn a_boost_task_is_cheap() {
    let mut stage = Stage::ours();
    let mut gas = (0, 0);
    for salt in 0..2 {
        let mut orders = stage.offers().for_volume(2);
        orders.request.params = "x".repeat(139);
        orders.app.salt = digest(salt);
        orders.workerpool.salt = digest(salt);
        orders.request.salt = digest(salt);
        let call = stage.signed(orders).boost();
        let matched = stage.chain.act(Address::ZERO, stage.at.hub, &call);
        let mut push = Push::new(&stage, matched.value, 0);
        push.results = Bytes::from(vec![b'x'; 84]);
        gas = (matched.gas, stage.push(&push).gas);
    }
    assert!(gas.0 < 280_000, "matchOrdersBoost takes {}", gas.0);
    assert!(gas.1 < 120_000, "pushResultBoost takes {}", gas.1);
}
