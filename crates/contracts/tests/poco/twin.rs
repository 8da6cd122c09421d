//! The same random life on our contracts and on the official ones, compared step by step: what
//! succeeds, why the rest is refused, every event, every balance, every view.
use std::fmt::Display;

use alloy::primitives::{Address, B256, Bytes, Log, U256, address, keccak256};
use alloy::sol_types::{SolCall, SolEventInterface};
use contracts::Hub;

use crate::chain::answering;
use crate::official;
use crate::orders::Order;
use crate::stage::{Stage, digest};

const SEEDS: u64 = 6;
const STEPS: usize = 500;
const KITTY: Address = address!("99c2268479b93fDe36232351229815DF80837e23");
const CALLBACK: Address = Address::repeat_byte(0xca);

/// One thing somebody does; numbers count deals and tasks from the beginning.
#[derive(Debug, Clone, Copy)]
enum Action {
    Match {
        trust: u64,
        dataset: bool,
        callback: bool,
        sponsored: bool,
        volume: u64,
        price: u64,
    },
    Initialize {
        deal: usize,
        index: u64,
    },
    Contribute {
        task: usize,
        worker: usize,
        seed: u8,
    },
    ContributeAndFinalize {
        task: usize,
        worker: usize,
        seed: u8,
    },
    Reveal {
        task: usize,
        worker: usize,
        seed: u8,
    },
    Finalize {
        task: usize,
        seed: u8,
    },
    Reopen {
        task: usize,
    },
    Claim {
        task: usize,
    },
    Wait {
        seconds: u64,
    },
}

/// A generator that needs no crate: the constants of Knuth's MMIX.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// The newest things are the most interesting ones.
    fn recent(&mut self, count: usize) -> usize {
        count.saturating_sub(1 + self.below(3) as usize)
    }

    /// Mostly what would be next for a task with this status, otherwise anything.
    fn action(&mut self, deals: usize, task: usize, status: u8) -> Action {
        let worker = self.below(4) as usize;
        // Mostly the right result, so that consensus is reached.
        let seed = if self.below(6) == 0 { 8 } else { 7 };
        match (status, self.below(8)) {
            (1, 0..7) => Action::Contribute { task, worker, seed },
            (2, 0..6) => Action::Reveal { task, worker, seed },
            (2, 6) => Action::Finalize { task, seed },
            _ => self.anything(deals, task, worker, seed),
        }
    }

    fn anything(&mut self, deals: usize, task: usize, worker: usize, seed: u8) -> Action {
        match self.below(12) {
            0..2 => self.offer(),
            2..6 => Action::Initialize {
                deal: self.recent(deals),
                index: self.below(5),
            },
            6 => Action::Contribute { task, worker, seed },
            7 => Action::ContributeAndFinalize { task, worker, seed },
            8 => Action::Reveal { task, worker, seed },
            9 => Action::Reopen { task },
            10 => Action::Claim { task },
            _ => Action::Wait {
                seconds: [301, 601, 601, 3001][self.below(4) as usize],
            },
        }
    }

    fn offer(&mut self) -> Action {
        Action::Match {
            trust: [0, 1, 2, 3, 5, 9][self.below(6) as usize],
            dataset: self.below(2) == 0,
            callback: self.below(4) == 0,
            sponsored: self.below(4) == 0,
            volume: 1 + self.below(4),
            price: self.below(3) * 3_333_333_333,
        }
    }
}

/// One of the two worlds, and what its addresses and hashes are called in both.
struct Twin {
    stage: Stage,
    names: Vec<(String, String)>,
    deals: Vec<B256>,
    tasks: Vec<B256>,
}

impl Twin {
    fn new(mut stage: Stage) -> Self {
        stage.chain.put_code(CALLBACK, answering(B256::ZERO));
        let parties = [
            (stage.at.hub, "hub"),
            (stage.app, "app"),
            (stage.dataset, "dataset"),
        ];
        let mut twin = Self {
            stage,
            names: Vec::new(),
            deals: Vec::new(),
            tasks: Vec::new(),
        };
        for (address, name) in parties {
            twin.call(format!("{address:?}"), name);
        }
        let pool = twin.stage.pool;
        twin.call(format!("{pool:?}"), "pool");
        twin
    }

    fn call(&mut self, value: impl Display, name: impl Display) {
        self.names.push((value.to_string(), format!("<{name}>")));
    }

    fn renamed(&self, text: String) -> String {
        self.names
            .iter()
            .fold(text, |text, (value, name)| text.replace(value, name))
    }

    fn step(&mut self, action: Action) -> String {
        let requester = self.stage.requester.address();
        let scheduler = self.stage.scheduler.address();
        let outcome = match action {
            Action::Match { .. } => self.make_deal(action),
            Action::Initialize { deal, index } => self.initialize(deal, index),
            Action::Contribute { task, worker, seed } => {
                let call = self.contribution(task, worker, seed).call();
                self.send(self.stage.workers[worker].address(), &call)
            }
            Action::ContributeAndFinalize { task, worker, seed } => {
                let told = self.told(task, seed);
                let call = self.contribution(task, worker, seed).final_call(told);
                self.send(self.stage.workers[worker].address(), &call)
            }
            Action::Reveal { task, worker, seed } => {
                let call = Hub::revealCall {
                    taskId: self.task(task),
                    resultDigest: self.digest(task, seed),
                };
                self.send(self.stage.workers[worker].address(), &call)
            }
            Action::Finalize { task, seed } => {
                let call = Hub::finalizeCall {
                    taskId: self.task(task),
                    results: Bytes::from(vec![seed; 84]),
                    resultsCallback: self.told(task, seed),
                };
                self.send(scheduler, &call)
            }
            Action::Reopen { task } => self.send(
                scheduler,
                &Hub::reopenCall {
                    taskId: self.task(task),
                },
            ),
            Action::Claim { task } => self.send(
                requester,
                &Hub::claimCall {
                    taskId: self.task(task),
                },
            ),
            Action::Wait { seconds } => {
                self.stage.chain.wait(seconds);
                String::new()
            }
        };
        let view = self.view();
        self.renamed(format!("{outcome}\n{view}"))
    }

    fn send<C: SolCall>(&mut self, from: Address, call: &C) -> String {
        match self.stage.chain.attempt(from, self.stage.at.hub, call) {
            Ok(receipt) => receipt.logs.iter().map(described).collect(),
            Err(reason) => format!("refused: {reason}"),
        }
    }

    fn make_deal(&mut self, action: Action) -> String {
        let Action::Match {
            trust,
            dataset,
            callback,
            sponsored,
            volume,
            price,
        } = action
        else {
            return String::new();
        };
        let offers = if dataset {
            self.stage.offers_with_dataset()
        } else {
            self.stage.offers()
        };
        let mut orders = offers.with_trust(U256::from(trust)).for_volume(volume);
        let number = self.deals.len();
        let salt = digest(number as u8);
        (orders.app.salt, orders.dataset.salt) = (salt, salt);
        (orders.workerpool.salt, orders.request.salt) = (salt, salt);
        orders.workerpool.workerpoolprice = U256::from(price);
        orders.request.workerpoolmaxprice = U256::from(price);
        if callback {
            orders.request.callback = CALLBACK;
        }
        let orders = self.stage.signed(orders);
        let hub = self.stage.at.hub;
        let hashes = [
            orders.app.hash(hub),
            orders.workerpool.hash(hub),
            orders.request.hash(hub),
        ];
        let kinds = ["app", "workerpool", "request"];
        for (hash, kind) in hashes.into_iter().zip(kinds) {
            self.call(hash, format!("{kind} order {number}"));
        }
        self.call(orders.dataset.hash(hub), format!("dataset order {number}"));
        let id = keccak256([hashes[2], B256::ZERO].concat());
        self.call(id, format!("deal {number}"));
        self.deals.push(id);
        let sponsor = self.stage.workers[3].address();
        if sponsored {
            self.send(sponsor, &orders.sponsored())
        } else {
            self.send(sponsor, &orders.call())
        }
    }

    fn initialize(&mut self, deal: usize, index: u64) -> String {
        let deal = self.deals.get(deal).copied().unwrap_or_default();
        let index = U256::from(index);
        let outcome = self.send(
            Address::ZERO,
            &Hub::initializeCall {
                dealId: deal,
                index,
            },
        );
        if !outcome.starts_with("refused") {
            let task = keccak256([deal, B256::from(index)].concat());
            self.call(task, format!("task {}", self.tasks.len()));
            self.tasks.push(task);
        }
        outcome
    }

    fn task(&self, task: usize) -> B256 {
        self.tasks.get(task).copied().unwrap_or_default()
    }

    /// What a callback is told; nothing when the deal has none.
    fn told(&mut self, task: usize, seed: u8) -> Bytes {
        let task = self.task(task);
        let deal = self.stage.view_task(task).dealid;
        match self.stage.view_deal(deal).callback {
            Address::ZERO => Bytes::new(),
            _ => Bytes::from(vec![seed; 40]),
        }
    }

    fn digest(&mut self, task: usize, seed: u8) -> B256 {
        match self.told(task, seed) {
            told if told.is_empty() => digest(seed),
            told => keccak256(told),
        }
    }

    fn contribution(&mut self, task: usize, worker: usize, seed: u8) -> crate::stage::Contribution {
        let digest = self.digest(task, seed);
        let id = self.task(task);
        let contribution = self.stage.contribution(id, worker, digest);
        self.call(contribution.hash, format!("hash {seed} of task {task}"));
        self.call(
            contribution.seal,
            format!("seal {seed} of task {task} by {worker}"),
        );
        contribution
    }

    /// Everything of the newest deals and tasks, and everybody's money.
    fn view(&mut self) -> String {
        let mut text = String::new();
        for deal in self.deals.iter().rev().take(1).copied().collect::<Vec<_>>() {
            text += &format!("{:?}\n", self.stage.view_deal(deal));
        }
        for task in self.tasks.iter().rev().take(3).copied().collect::<Vec<_>>() {
            text += &format!("{:?}\n", self.stage.view_task(task));
            for worker in 0..4 {
                text += &format!("{:?}\n", self.stage.view_contribution(task, worker));
            }
        }
        let stage = &mut self.stage;
        let mut accounts = vec![stage.at.hub, KITTY, stage.requester.address()];
        accounts.extend([&stage.scheduler, &stage.app_owner].map(|signer| signer.address()));
        accounts.push(stage.dataset_owner.address());
        accounts.extend(stage.workers.iter().map(|signer| signer.address()));
        for account in accounts {
            text += &format!("{account:?}: {:?}\n", stage.account(account));
        }
        for worker in 0..4 {
            text += &format!("score {}\n", stage.score(worker));
        }
        text
    }
}

fn described(log: &Log) -> String {
    let event = Hub::HubEvents::decode_log(log).unwrap();
    format!("{:?}\n", event.data)
}

#[test]
#[ignore = "slow: two worlds, six lives"]
fn both_live_the_same_life() {
    let package = tools::need!(official::package());
    let mut settled = 0;
    for seed in 0..SEEDS {
        let mut dice = Dice(seed);
        let (mut ours, mut theirs) = (
            Twin::new(Stage::ours()),
            Twin::new(Stage::official(&package)),
        );
        for step in 0..STEPS {
            let task = dice.recent(ours.tasks.len());
            let id = ours.task(task);
            let status = ours.stage.view_task(id).status;
            let action = match step {
                0 => dice.offer(),
                _ => dice.action(ours.deals.len(), task, status),
            };
            let (left, right) = (ours.step(action), theirs.step(action));
            settled += usize::from(left.contains("TaskFinalize("));
            assert_eq!(left, right, "seed {seed}, step {step}: {action:?}");
        }
    }
    assert!(
        settled > SEEDS as usize,
        "only {settled} tasks were finalized"
    );
}
