//! From a deal to finished tasks, in order and out of order.
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::sol_types::{SolCall, SolValue};
use contracts::Hub;

use super::{Gen, Make, task_id};
use crate::known::{Deal, Task};
use crate::mocks;
use crate::step::Step;

pub(super) const OPS: &[(u64, &str, Make)] = &[
    (260, "progress", progress),
    (10, "initialize", initialize),
    (4, "initializeArray", initialize_array),
    (2, "initializeAndClaimArray", initialize_and_claim_array),
    (8, "contribute", contribute),
    (12, "contributeAndFinalize", contribute_and_finalize),
    (5, "reveal", reveal),
    (4, "reopen", reopen),
    (6, "finalize", finalize),
    (5, "claim", claim),
    (3, "claimArray", claim_array),
];

/// How many results a task may have, only one of which most workers find.
const ANSWERS: u64 = 3;

/// A result that a worker may find.
pub(super) struct Answer {
    pub(super) digest: B256,
    results: Bytes,
    /// For the callback of the deal, if there is one.
    told: Bytes,
}

impl Gen<'_> {
    /// Follows from the task and a number alone, so that workers can agree and remember.
    pub(super) fn answer(&self, task: &Task, number: u64) -> Answer {
        let deal = self.known.deal_of(task);
        let seed = keccak256((task.id, U256::from(number)).abi_encode_packed());
        let results = Bytes::copy_from_slice(&seed[..(seed[0] as usize % 33)]);
        let told = match deal.view.callback {
            // No callback, but the digest may still be that of some bytes.
            Address::ZERO if !seed[1].is_multiple_of(8) => Bytes::new(),
            mocks::RELAY => self.relayed(task, seed[2]),
            _ => Bytes::from(seed.repeat(1 + seed[3] as usize % 4)),
        };
        let digest = if told.is_empty() && deal.view.callback.is_zero() {
            seed
        } else {
            keccak256(&told)
        };
        Answer {
            digest,
            results,
            told,
        }
    }

    /// What a callback that calls the hub again may try.
    fn relayed(&self, task: &Task, number: u8) -> Bytes {
        let taskId = task.id;
        let call = match number % 5 {
            0 => Hub::claimCall { taskId }.abi_encode(),
            1 => Hub::finalizeCall {
                taskId,
                results: Bytes::new(),
                resultsCallback: Bytes::new(),
            }
            .abi_encode(),
            2 => Hub::viewTaskCall { id: taskId }.abi_encode(),
            3 => Hub::approveCall {
                spender: mocks::ECHO,
                value: U256::from(number),
            }
            .abi_encode(),
            _ => Hub::withdrawCall {
                amount: U256::from(1),
            }
            .abi_encode(),
        };
        call.into()
    }

    /// What most workers find is the same.
    fn number(&mut self) -> u64 {
        if self.dice.chance(80) {
            0
        } else {
            self.dice.below(ANSWERS)
        }
    }

    fn worker(&mut self) -> Address {
        let worker = self.dice.pick(&self.cast.workers);
        self.mostly(worker)
    }

    /// Who may let workers contribute, and which enclave the worker names.
    fn authority(&mut self, task: &Task) -> [Address; 2] {
        let deal = self.known.deal_of(task);
        let scheduler = deal.view.workerpool.owner;
        let tee = deal.view.tag[31] & 1 == 1;
        if !tee && self.dice.chance(92) {
            return [scheduler, Address::ZERO];
        }
        let enclave = self.dice.pick(&self.cast.enclaves);
        match self.known.broker {
            Address::ZERO => [scheduler, enclave],
            broker => [broker, enclave],
        }
    }

    fn contribute_to(&mut self, task: &Task, worker: Address, fault: u64) -> Hub::contributeCall {
        let number = self.number();
        let answer = self.answer(task, number);
        let resultHash = keccak256((task.id, answer.digest).abi_encode_packed());
        let resultSeal = keccak256((worker, task.id, answer.digest).abi_encode_packed());
        let [mut authority, mut enclave] = self.authority(task);
        match fault {
            1 => enclave = self.dice.pick(&[Address::ZERO, mocks::ZERO, mocks::SILENT]),
            2 => authority = self.stranger(),
            _ => {}
        }
        let mut authorizationSign =
            self.cast
                .authorize(self.dice, [authority, worker, enclave], task.id);
        let message = keccak256((resultHash, resultSeal).abi_encode_packed());
        let mut enclaveSign = match enclave {
            Address::ZERO => Bytes::new(),
            _ => self.cast.sign_message(self.dice, enclave, message),
        };
        match fault {
            3 => enclaveSign = self.cast.forge(self.dice, enclave, message),
            4 => authorizationSign = self.cast.forge(self.dice, authority, message),
            5 => enclave = self.anyone(),
            _ => {}
        }
        Hub::contributeCall {
            taskId: task.id,
            resultHash,
            resultSeal: if fault == 6 {
                self.dice.word()
            } else {
                resultSeal
            },
            enclaveChallenge: enclave,
            enclaveSign,
            authorizationSign,
        }
    }

    fn finalize_of(&mut self, task: &Task) -> Hub::finalizeCall {
        let hash = task.consensus;
        let number = (0..ANSWERS)
            .find(|number| hash_of(task, self.answer(task, *number).digest) == hash)
            .unwrap_or_default();
        let answer = self.answer(task, number);
        Hub::finalizeCall {
            taskId: task.id,
            results: answer.results,
            resultsCallback: answer.told,
        }
    }

    fn nothing_yet(&mut self) -> Step {
        initialize(self)
    }
}

fn hash_of(task: &Task, digest: B256) -> B256 {
    keccak256((task.id, digest).abi_encode_packed())
}

/// What is next for a task, or the next task of a deal.
fn progress(g: &mut Gen<'_>) -> Step {
    let open = g
        .dice
        .recent(&g.known.open)
        .map(|index| g.known.tasks[index].clone());
    let Some(task) = open.filter(|_| g.known.open.len() > 3 || g.dice.chance(60)) else {
        return initialize_next(g);
    };
    let deal = g.known.deal_of(&task);
    let from_start = |ratio: u64| deal.view.startTime + deal.timeref * U256::from(ratio);
    let overdue = g.known.now >= from_start(10);
    let late = g.known.now >= from_start(7);
    match task.status {
        _ if overdue => claim_of(g, &task),
        1 if late => g.step_without_worker(&task),
        1 => contribute_next(g, &task),
        _ => reveal_next(g, &task),
    }
}

impl Gen<'_> {
    /// Nothing helps a task that nobody may contribute to any more, but trying does not hurt.
    fn step_without_worker(&mut self, task: &Task) -> Step {
        if self.dice.chance(20) {
            claim_of(self, task)
        } else {
            initialize_next(self)
        }
    }
}

fn initialize_next(g: &mut Gen<'_>) -> Step {
    let deals = &g.known.deals;
    let unfinished = deals.iter().rev().take(6).find_map(|deal| {
        let mut indexes = (0..deal.view.botSize.saturating_to::<u64>().min(8))
            .map(|offset| deal.view.botFirst + U256::from(offset));
        let next = indexes.find(|index| g.known.task(task_id(deal.id, *index)).is_none());
        next.map(|index| (deal.id, index))
    });
    let Some((dealId, index)) = unfinished else {
        return initialize(g);
    };
    let from = g.sender();
    Step::new(from, g.hub(), &Hub::initializeCall { dealId, index }).named("initialize")
}

fn contribute_next(g: &mut Gen<'_>, task: &Task) -> Step {
    let fresh = g
        .cast
        .workers
        .iter()
        .filter(|worker| !task.contributed(**worker));
    let fresh: Vec<_> = fresh.copied().collect();
    let worker = match g.dice.find(&fresh) {
        Some(worker) => worker,
        None => g.worker(),
    };
    let call = g.contribute_to(task, worker, 0);
    Step::new(worker, g.hub(), &call).named("contribute")
}

fn reveal_next(g: &mut Gen<'_>, task: &Task) -> Step {
    let waiting = task.contributions.iter();
    let waiting = waiting.filter(|one| !one.revealed && one.hash == task.consensus);
    let waiting: Vec<_> = waiting.map(|one| one.worker).collect();
    let scheduler = g.known.deal_of(task).view.workerpool.owner;
    let late = g.known.now >= task.reveal_deadline;
    let some = task.contributions.iter().any(|one| one.revealed);
    match g.dice.find(&waiting) {
        Some(worker) if !late => {
            let resultDigest = g.digest_of_consensus(task);
            let taskId = task.id;
            let call = Hub::revealCall {
                taskId,
                resultDigest,
            };
            Step::new(worker, g.hub(), &call).named("reveal")
        }
        Some(_) if !some => {
            let call = Hub::reopenCall { taskId: task.id };
            Step::new(scheduler, g.hub(), &call).named("reopen")
        }
        _ => {
            let call = g.finalize_of(task);
            Step::new(scheduler, g.hub(), &call).named("finalize")
        }
    }
}

impl Gen<'_> {
    fn digest_of_consensus(&mut self, task: &Task) -> B256 {
        let digests = (0..ANSWERS).map(|number| self.answer(task, number).digest);
        let mut digests = digests.collect::<Vec<_>>().into_iter();
        let found = digests.find(|digest| hash_of(task, *digest) == task.consensus);
        found.unwrap_or_default()
    }
}

fn claim_of(g: &mut Gen<'_>, task: &Task) -> Step {
    let from = g.sender();
    Step::new(from, g.hub(), &Hub::claimCall { taskId: task.id }).named("claim")
}

/// Of a deal, mostly; and an index that it has, mostly.
fn initialize(g: &mut Gen<'_>) -> Step {
    let (dealId, index) = g.place();
    let from = g.sender();
    Step::new(from, g.hub(), &Hub::initializeCall { dealId, index })
}

impl Gen<'_> {
    fn place(&mut self) -> (B256, U256) {
        let Some(deal) = self.deal() else {
            return (self.dice.word(), U256::ZERO);
        };
        let Deal { id, view, .. } = deal;
        let index = match self.dice.below(12) {
            0 => view.botFirst.wrapping_sub(U256::from(1)),
            1 => view.botFirst.wrapping_add(view.botSize),
            2 => self.dice.huge(),
            3 => view.botFirst + view.botSize - U256::from(1),
            _ => view.botFirst + U256::from(self.dice.below(view.botSize.saturating_to())),
        };
        (id, index)
    }

    fn places(&mut self) -> (Vec<B256>, Vec<U256>) {
        let count = self.dice.index(4);
        let (mut deals, mut indexes): (Vec<_>, Vec<_>) = (0..count).map(|_| self.place()).unzip();
        match self.dice.below(12) {
            0 => deals.push(B256::ZERO),
            1 => indexes.push(U256::ZERO),
            _ => {}
        }
        (deals, indexes)
    }
}

fn initialize_array(g: &mut Gen<'_>) -> Step {
    let (dealIds, indexes) = g.places();
    let from = g.sender();
    Step::new(
        from,
        g.hub(),
        &Hub::initializeArrayCall { dealIds, indexes },
    )
}

fn initialize_and_claim_array(g: &mut Gen<'_>) -> Step {
    let (dealIds, indexes) = g.places();
    let from = g.sender();
    Step::new(
        from,
        g.hub(),
        &Hub::initializeAndClaimArrayCall { dealIds, indexes },
    )
}

/// With one fault or none.
fn contribute(g: &mut Gen<'_>) -> Step {
    let Some(task) = g.task() else {
        return g.nothing_yet();
    };
    let worker = g.worker();
    let fault = g.dice.below(8);
    let mut call = g.contribute_to(&task, worker, fault);
    if g.dice.chance(5) {
        call.taskId = g.dice.word();
    }
    Step::new(worker, g.hub(), &call)
}

fn contribute_and_finalize(g: &mut Gen<'_>) -> Step {
    let open = g.known.open.iter().map(|index| &g.known.tasks[*index]);
    let fit = open.filter(|task| {
        let deal = g.known.deal_of(task);
        let in_time = g.known.now < deal.view.startTime + deal.timeref * U256::from(7);
        task.contributions.is_empty() && deal.view.trust == U256::from(1) && in_time
    });
    let fit: Vec<_> = fit.cloned().collect();
    let found = g.dice.recent(&fit).filter(|_| g.dice.chance(70));
    let Some(task) = found.or_else(|| g.task()) else {
        return g.nothing_yet();
    };
    let worker = g.worker();
    let fault = if g.dice.chance(60) {
        0
    } else {
        g.dice.below(9)
    };
    let answer = g.answer(&task, 0);
    let digest = if fault == 7 {
        g.dice.word()
    } else {
        answer.digest
    };
    let hash = hash_of(&task, digest);
    let seal = keccak256((worker, task.id, digest).abi_encode_packed());
    let [mut authority, enclave] = g.authority(&task);
    if fault == 2 {
        authority = g.stranger();
    }
    let authorizationSign = g
        .cast
        .authorize(g.dice, [authority, worker, enclave], task.id);
    let message = keccak256((hash, seal).abi_encode_packed());
    let enclaveSign = match enclave {
        Address::ZERO => Bytes::new(),
        _ if fault == 3 => g.cast.forge(g.dice, enclave, message),
        _ => g.cast.sign_message(g.dice, enclave, message),
    };
    let call = Hub::contributeAndFinalizeCall {
        taskId: task.id,
        resultDigest: digest,
        results: answer.results,
        resultsCallback: if fault == 6 { g.bytes() } else { answer.told },
        enclaveChallenge: if fault == 5 { g.anyone() } else { enclave },
        enclaveSign,
        authorizationSign,
    };
    Step::new(worker, g.hub(), &call)
}

fn reveal(g: &mut Gen<'_>) -> Step {
    let Some(task) = g.task() else {
        return g.nothing_yet();
    };
    let contributor = g.dice.find(&task.contributions).map(|one| one.worker);
    let worker = match contributor {
        Some(worker) => g.mostly(worker),
        None => g.worker(),
    };
    let number = g.number();
    let resultDigest = g.answer(&task, number).digest;
    let taskId = task.id;
    Step::new(
        worker,
        g.hub(),
        &Hub::revealCall {
            taskId,
            resultDigest,
        },
    )
}

fn reopen(g: &mut Gen<'_>) -> Step {
    let Some(task) = g.task() else {
        return g.nothing_yet();
    };
    let scheduler = g.known.deal_of(&task).view.workerpool.owner;
    let from = g.mostly(scheduler);
    Step::new(from, g.hub(), &Hub::reopenCall { taskId: task.id })
}

fn finalize(g: &mut Gen<'_>) -> Step {
    let Some(task) = g.task() else {
        return g.nothing_yet();
    };
    let scheduler = g.known.deal_of(&task).view.workerpool.owner;
    let from = g.mostly(scheduler);
    let mut call = g.finalize_of(&task);
    match g.dice.below(8) {
        0 => call.resultsCallback = g.bytes(),
        1 => call.results = g.bytes(),
        _ => {}
    }
    Step::new(from, g.hub(), &call)
}

fn claim(g: &mut Gen<'_>) -> Step {
    let call = Hub::claimCall {
        taskId: g.task_id(),
    };
    let from = g.sender();
    Step::new(from, g.hub(), &call)
}

/// Sometimes only of tasks that are overdue.
fn claim_array(g: &mut Gen<'_>) -> Step {
    let overdue = g
        .known
        .open
        .iter()
        .map(|index| &g.known.tasks[*index])
        .filter(|task| {
            let deal = g.known.deal_of(task);
            deal.view.startTime + deal.timeref * U256::from(10) <= g.known.now
        });
    let mut taskIds: Vec<_> = overdue.take(3).map(|task| task.id).collect();
    if g.dice.chance(50) || taskIds.is_empty() {
        let count = g.dice.index(3);
        taskIds.extend((0..count).map(|_| g.task_id()));
    }
    let from = g.sender();
    Step::new(from, g.hub(), &Hub::claimArrayCall { taskIds })
}
