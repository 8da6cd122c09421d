//! The same Boost scenarios on our contracts and on the official ones, compared line by line:
//! what succeeds, why the rest is refused, every event, every balance, every view.
//!
//! Left out is what differs on purpose: the result of a sponsored task, which the official
//! contract cannot pay; a price without a dataset, which it locks and never gives back; and a
//! requester of zero.
use std::fmt::{Debug, Display};

use alloy::primitives::{Address, B256, Bytes, Log, U256, hex, keccak256};
use alloy::sol_types::{SolCall, SolEventInterface};
use contracts::{Hub, Workerpool};

use crate::boost::{DEADLINE, KITTY, Push, claim, task_of};
use crate::boost_matching::{EMPTY, FORGED, ODD, PARTIES, Spoil, TERMS};
use crate::official;
use crate::orders::{Order, Orders};
use crate::stage::{APP_PRICE, DEPOSIT, Stage, finalize_call, key};

const CALLBACK: Address = Address::repeat_byte(0xca);
/// Logs the data it is called with: CALLDATACOPY all of it, then LOG0.
const LOGGING: &[u8] = &[0x36, 0x60, 0, 0x60, 0, 0x37, 0x36, 0x60, 0, 0xa0, 0];

/// One of the two worlds, what its addresses and hashes are called in both, and what happened.
struct World {
    stage: Stage,
    names: Vec<(String, String)>,
    offered: u64,
    trace: Vec<String>,
}

impl World {
    fn new(mut stage: Stage) -> Self {
        stage.chain.put_code(CALLBACK, Bytes::from_static(LOGGING));
        let parties = [
            (stage.at.hub, "hub"),
            (stage.app, "app"),
            (stage.dataset, "dataset"),
            (stage.pool, "pool"),
        ];
        let mut world = Self {
            stage,
            names: Vec::new(),
            offered: 0,
            trace: Vec::new(),
        };
        for (address, name) in parties {
            world.call(address, name);
        }
        world
    }

    /// Names something that looks different in the two worlds.
    fn call(&mut self, value: impl AsRef<[u8]>, name: impl Display) {
        self.names.push((hex::encode(value), format!("<{name}>")));
    }

    fn note(&mut self, text: impl Display) {
        let text = text.to_string();
        let text = self
            .names
            .iter()
            .fold(text, |text, (value, name)| text.replace(value, name));
        self.trace.push(text);
    }

    fn see(&mut self, value: impl Debug) {
        self.note(format!("{value:?}"));
    }

    /// Notes what comes of a call; true when it succeeds.
    fn send<C: SolCall>(&mut self, from: Address, call: &C) -> bool {
        match self.stage.chain.attempt(from, self.stage.at.hub, call) {
            Ok(receipt) => {
                self.note(receipt.logs.iter().map(described).collect::<String>());
                true
            }
            Err(reason) => {
                self.note(format!("refused: {reason}"));
                false
            }
        }
    }

    fn push(&mut self, push: &Push) -> bool {
        let (deal, index) = (push.deal, push.index);
        self.call(task_of(deal, index), format!("task {index}"));
        self.send(push.worker, &push.call())
    }

    fn claim(&mut self, deal: B256, index: u64) {
        self.call(task_of(deal, index), format!("task {index}"));
        self.send(ODD, &claim(deal, index));
    }

    /// Signed orders unlike any before.
    fn offer(&mut self, dataset: bool, adapt: impl FnOnce(&mut Orders)) -> Orders {
        let stage = &self.stage;
        let mut orders = if dataset {
            stage.offers_with_dataset()
        } else {
            stage.offers()
        };
        let salt = B256::from(U256::from(1000 + self.offered));
        (orders.app.salt, orders.dataset.salt) = (salt, salt);
        (orders.workerpool.salt, orders.request.salt) = (salt, salt);
        adapt(&mut orders);
        let orders = self.stage.signed(orders);
        self.introduce(&orders);
        orders
    }

    fn introduce(&mut self, orders: &Orders) {
        let hub = self.stage.at.hub;
        let number = self.offered;
        self.offered += 1;
        for first in 0..3 {
            let deal = task_of(orders.request.hash(hub), first);
            self.call(deal, format!("deal {number} from {first}"));
        }
        self.call(orders.app.hash(hub), format!("app order {number}"));
        self.call(orders.dataset.hash(hub), format!("dataset order {number}"));
        self.call(
            orders.workerpool.hash(hub),
            format!("workerpool order {number}"),
        );
        self.call(orders.request.hash(hub), format!("request order {number}"));
    }

    fn match_by(&mut self, orders: &Orders, sponsor: Option<Address>, first: u64) -> B256 {
        let deal = task_of(orders.request.hash(self.stage.at.hub), first);
        let number = self.offered;
        self.call(deal, format!("deal {number}"));
        match sponsor {
            Some(sponsor) => self.send(sponsor, &orders.boost_sponsored()),
            None => self.send(ODD, &orders.boost()),
        };
        self.view(deal);
        deal
    }

    fn deal(&mut self, dataset: bool, adapt: impl FnOnce(&mut Orders)) -> B256 {
        let orders = self.offer(dataset, adapt);
        self.match_by(&orders, None, 0)
    }

    fn view(&mut self, deal: B256) {
        let call = Hub::viewDealBoostCall { id: deal };
        let view = self.stage.chain.read(self.stage.at.hub, &call);
        self.see(view);
        let view = self.stage.view_deal(deal);
        self.see(view);
        for index in 0..3 {
            let view = self.stage.view_task(task_of(deal, index));
            self.see(view);
            let view = self.stage.view_contribution(task_of(deal, index), 0);
            self.see(view);
        }
    }

    fn money(&mut self) {
        let stage = &self.stage;
        let mut accounts = vec![stage.at.hub, KITTY, stage.requester.address()];
        accounts.extend([&stage.scheduler, &stage.app_owner].map(|signer| signer.address()));
        accounts.push(stage.dataset_owner.address());
        accounts.extend(stage.workers.iter().map(|signer| signer.address()));
        for account in accounts {
            let money = self.stage.account(account);
            self.note(format!("{account:?}: {money:?}"));
        }
    }
}

fn described(log: &Log) -> String {
    match Hub::HubEvents::decode_log(log) {
        Ok(event) => format!("{:?}\n", event.data),
        Err(_) => format!("{log:?}\n"),
    }
}

fn compare(scenario: fn(&mut World)) {
    let package = tools::need!(official::package());
    let [ours, theirs] = [Stage::ours(), Stage::official(&package)].map(|stage| {
        let mut world = World::new(stage);
        scenario(&mut world);
        world.trace
    });
    for (line, (left, right)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(left, right, "line {line}");
    }
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn both_refuse_the_same_orders() {
    compare(|world| {
        let before = [TERMS, PARTIES, EMPTY, LIMITS].concat();
        let faults: Vec<(bool, Spoil)> = before
            .iter()
            .map(|(_, spoil)| (false, *spoil))
            .chain(FORGED.iter().map(|(_, spoil)| (true, *spoil)))
            .collect();
        for (number, one) in faults.iter().enumerate() {
            for other in &faults[number..] {
                for dataset in [false, true] {
                    match_spoilt(world, dataset, [*one, *other]);
                }
            }
        }
    });
}

/// Orders with two faults, each made before or after signing.
fn match_spoilt(world: &mut World, dataset: bool, faults: [(bool, Spoil); 2]) {
    let known = world.names.len();
    let mut orders = world.offer(dataset, |orders| {
        for (_, spoil) in faults.iter().filter(|(forged, _)| !forged) {
            spoil(orders);
        }
        if orders.request.dataset.is_zero() && orders.dataset.dataset.is_zero() {
            orders.dataset.datasetprice = U256::ZERO;
        }
    });
    for (_, spoil) in faults.iter().filter(|(forged, _)| *forged) {
        spoil(&mut orders);
    }
    world.introduce(&orders);
    world.send(ODD, &orders.boost());
    // Nothing is said of these orders again.
    world.names.truncate(known);
}

/// What is not told by a sentence, and what is odd but allowed.
const LIMITS: &[(&str, Spoil)] = &[
    ("app price", |o| {
        let price = (U256::from(1) << 96) + U256::from(1);
        (o.app.appprice, o.request.appmaxprice) = (price, price);
    }),
    ("workerpool price", |o| {
        let price = (U256::from(1) << 96) + U256::from(2);
        (o.workerpool.workerpoolprice, o.request.workerpoolmaxprice) = (price, price);
    }),
    ("dataset price", |o| {
        let price = (U256::from(1) << 96) + U256::from(3);
        (o.dataset.datasetprice, o.request.datasetmaxprice) = (price, price);
    }),
    ("volume", |o| *o = o.clone().for_volume(65_537)),
    ("endless volume", |o| {
        (o.app.volume, o.dataset.volume) = (U256::MAX, U256::MAX);
        (o.workerpool.volume, o.request.volume) = (U256::MAX, U256::MAX);
    }),
    ("poor requester", |o| {
        let price = U256::from(2 * DEPOSIT);
        (o.app.appprice, o.request.appmaxprice) = (price, price);
    }),
    ("poor both", |o| {
        let price = U256::from(9 * DEPOSIT);
        (o.workerpool.workerpoolprice, o.request.workerpoolmaxprice) = (price, price);
    }),
    ("no dataset asked for", |o| {
        o.request.dataset = Address::ZERO
    }),
    ("no dataset offered", |o| o.dataset.dataset = Address::ZERO),
    ("no signature", |o| o.app.sign = Bytes::new()),
    ("trust 0 and 1", |o| o.workerpool.trust = U256::from(1)),
    ("more trust offered", |o| o.workerpool.trust = U256::from(9)),
    ("TEE", |o| *o = o.clone().with_tag(0xf)),
    ("category", |o| {
        (o.request.category, o.workerpool.category) = (U256::from(5), U256::from(5));
    }),
    ("free", |o| {
        (o.app.appprice, o.dataset.datasetprice) = (U256::ZERO, U256::ZERO);
        o.workerpool.workerpoolprice = U256::ZERO;
    }),
];

#[test]
fn both_take_the_same_results() {
    compare(|world| {
        for case in 0..16_u32 {
            let [tee, callback, broker, dataset] = [1, 2, 4, 8].map(|bit| case & bit != 0);
            let authority = if broker {
                key(41).address()
            } else {
                Address::ZERO
            };
            let call = Hub::setTeeBrokerCall { broker: authority };
            world.send(world.stage.deployer, &call);
            let deal = world.deal(dataset, |orders| {
                *orders = orders.clone().for_volume(100);
                if tee {
                    *orders = orders.clone().with_tag(1);
                }
                if callback {
                    orders.request.callback = CALLBACK;
                }
                orders.request.tag |= B256::repeat_byte(0x46);
                orders.workerpool.tag |= B256::repeat_byte(0x47);
            });
            push_all_ways(world, deal);
            world.money();
        }
    });
}

/// With and without an enclave, something to tell and what it signs; by either authority; with
/// signatures of every kind.
fn push_all_ways(world: &mut World, deal: B256) {
    let mut index = 0;
    for case in 0..64_u32 {
        let [enclave, telling, by_broker, about_told] = [1, 2, 4, 8].map(|bit| case & bit != 0);
        let mut push = Push::new(&world.stage, deal, index);
        if telling {
            push = push.telling(b"something for the callback");
        }
        if enclave {
            push = push.in_enclave(&key(40));
        }
        if by_broker {
            push = push.by(&key(41));
        }
        if about_told {
            let told = push.told.clone();
            push = push.computing(&told);
        }
        let mut call = push.call();
        match case >> 4 {
            1 => call.authorizationSign = Bytes::from_static(b"short"),
            2 => call.enclaveSign = Bytes::from_static(b"short"),
            3 => call.enclaveSign = call.authorizationSign.clone(),
            _ => {}
        }
        world.call(task_of(deal, index), format!("task {index}"));
        if world.send(push.worker, &call) {
            world.push(&push);
            index += 1;
        }
    }
}

#[test]
fn both_live_the_same_boost_life() {
    compare(|world| {
        let deal = world.deal(true, |o| *o = o.clone().for_volume(3));
        let pushes = [0, 1, 2, 3].map(|index| Push::new(&world.stage, deal, index));
        let nowhere = Push::new(&world.stage, ODD.into_word(), 0);
        for seconds in [0, DEADLINE - 1, 1, 10 * DEADLINE] {
            world.stage.chain.wait(seconds);
            world.push(&nowhere);
            world.claim(ODD.into_word(), 0);
            for index in [0, 2, 3, 65_536, u64::MAX] {
                world.claim(deal, index);
            }
            let next = usize::from(seconds > 0);
            world.push(&pushes[next]);
            world.push(&pushes[3]);
            world.view(deal);
            world.money();
            classic_calls(world, deal);
        }
    });
}

/// What the hub says to everything else about tasks of a Boost deal.
fn classic_calls(world: &mut World, deal: B256) {
    let worker = world.stage.workers[0].address();
    let scheduler = world.stage.scheduler.address();
    for index in 0..3 {
        let task = task_of(deal, index);
        let contribution = world.stage.contribution(task, 0, B256::ZERO);
        world.send(
            worker,
            &Hub::initializeCall {
                dealId: deal,
                index: U256::from(index),
            },
        );
        world.send(worker, &contribution.call());
        world.send(worker, &contribution.final_call(Bytes::new()));
        world.send(
            worker,
            &Hub::revealCall {
                taskId: task,
                resultDigest: B256::ZERO,
            },
        );
        world.send(scheduler, &Hub::reopenCall { taskId: task });
        world.send(scheduler, &finalize_call(task));
        world.send(worker, &Hub::claimCall { taskId: task });
        world.send(worker, &Hub::resultForCall { id: task });
        let views = Hub::viewTaskABILegacyCall { _taskid: task };
        let view = world.stage.chain.read(world.stage.at.hub, &views);
        world.see((view._0, view._1, view._2, view._3));
    }
}

#[test]
fn both_share_money_alike() {
    compare(|world| {
        let prices = [0_u64, 1, 99, 101, 3_333_333_333, 40_000_000_001];
        for (round, price) in prices.into_iter().cycle().take(24).enumerate() {
            let policy = Workerpool::changePolicyCall {
                _newWorkerStakeRatioPolicy: U256::from(35),
                _newSchedulerRewardRatioPolicy: U256::from([0, 1, 33, 100][round % 4]),
            };
            let (scheduler, pool) = (world.stage.scheduler.address(), world.stage.pool);
            world.stage.chain.act(scheduler, pool, &policy);
            let deal = world.deal(round % 3 == 0, |o| {
                *o = o.clone().for_volume(3);
                o.app.appprice = U256::from(if round % 2 == 0 { 0 } else { APP_PRICE });
                o.workerpool.workerpoolprice = U256::from(price);
                o.request.workerpoolmaxprice = U256::from(price);
            });
            world.push(&Push::new(&world.stage, deal, 0));
            world.money();
            world.stage.chain.wait(DEADLINE);
            world.claim(deal, 1);
            world.money();
        }
    });
}

#[test]
fn both_count_on_from_deal_to_deal() {
    compare(|world| {
        let mut orders = world.offer(true, |o| {
            *o = o.clone().for_volume(200_000);
            o.app.volume = U256::from(2);
            (o.app.appprice, o.dataset.datasetprice) = (U256::ZERO, U256::ZERO);
            o.workerpool.workerpoolprice = U256::ZERO;
        });
        let mut first = 0;
        for (round, volume) in [2, 3, 65_530, 1, 1, 70_000].into_iter().enumerate() {
            orders.app.salt = keccak256([round as u8]);
            orders.app.volume = U256::from(volume);
            orders = world.stage.signed(orders.clone());
            world.introduce(&orders);
            // Classic deals use up the same orders.
            if round == 1 {
                world.send(ODD, &orders.call());
            } else {
                let deal = world.match_by(&orders, None, first);
                world.push(&Push::new(&world.stage, deal, 0));
                world.push(&Push::new(&world.stage, deal, volume - 1));
                world.push(&Push::new(&world.stage, deal, first));
            }
            first += volume;
        }
    });
}

#[test]
fn both_refund_the_sponsor() {
    compare(|world| {
        let sponsor = world.stage.workers[3].address();
        let orders = world.offer(true, |o| *o = o.clone().for_volume(2));
        let deal = world.match_by(&orders, Some(sponsor), 0);
        world.money();
        world.stage.chain.wait(DEADLINE);
        world.claim(deal, 0);
        world.money();
    });
}

#[test]
fn both_want_enough_gas_for_a_callback() {
    compare(|world| {
        // INVALID burns all it is given.
        for code in [&[0xfe], LOGGING] {
            world
                .stage
                .chain
                .put_code(CALLBACK, Bytes::copy_from_slice(code));
            for gas in [200_000, 29_000_000, 30_000_000, 100_000_000] {
                let call = Hub::setCallbackGasCall {
                    gas_: U256::from(gas),
                };
                world.send(world.stage.deployer, &call);
                let deal = world.deal(false, |o| o.request.callback = CALLBACK);
                world.push(&Push::new(&world.stage, deal, 0).telling(b"told"));
            }
        }
    });
}
