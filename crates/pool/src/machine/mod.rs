//! The rules of the workerpool: what happens to tasks, replicates and workers, without any I/O.
//!
//! [`Machine::step`] takes an event and the time and answers with what is to be done. Nothing in
//! here waits, reads a clock or rolls dice, so the same events always give the same story; that
//! is what the seeded tests rely on.
//!
//! The chain is the truth: what it says about a task ends every argument, also after the pool
//! has given the task up.

mod assign;
mod chain;
mod challenge;
pub mod consensus;
mod contribution;
mod deal;
pub mod effect;
pub mod event;
mod failure;
pub mod replicate;
mod report;
mod reveal;
mod revert;
mod settle;
pub mod task;
pub mod terms;
mod timer;
pub mod worker;

#[cfg(test)]
mod cause_tests;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tee_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trust_tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub use effect::{Command, Effect, Notice};
pub use event::{Event, Hello, OnChain, Poll, Settling};
use protocol::{
    Address, DealId, TaskId,
    message::Flow,
    status::{ReplicateStatus, TaskStage},
};
pub use task::{Failure, Task};
pub use terms::{Rules, Terms};
use timer::Timer;
pub use worker::Worker;

/// Tasks initialised by one transaction: about 10 million gas, a third of a common block.
pub const INITIALIZE_BATCH_MAX: usize = 100;
/// Tasks claimed by one transaction: about 100,000 gas each.
pub const CLAIM_BATCH_MAX: usize = 50;
/// Attempts of a task that may fail for reasons that are not the app's.
pub const REPLICATES_MAX: u32 = 3;
/// Workers a task may lose, or see stopped by their operators: an app that takes its machine down
/// must end somewhere.
pub const LOSSES_MAX: u32 = 10;
/// How long a worker may be away before its tasks go to others.
pub const WORKER_GRACE_MS: u64 = 3_000;
/// The same after a restart of the pool itself: every worker has to come back first.
pub const RESTART_GRACE_MS: u64 = 10_000;
/// How long a worker that logs in has to report on tasks it did not name, before it is told to
/// run them again.
pub const REMIND_MS: u64 = 500;
/// How long other workers have precedence after a worker failed at a task.
pub const RETRY_SAME_WORKER_MS: u64 = 5_000;
/// First wait before a failed initialisation is looked at again; doubles each time.
pub const INITIALIZE_RETRY_MS: u64 = 1_000;
/// Longest wait between two attempts to initialise.
pub const INITIALIZE_RETRY_MS_MAX: u64 = 30_000;
/// First wait before the secret manager is asked again; doubles each time.
pub const CHALLENGE_RETRY_MS: u64 = 1_000;
/// Longest wait between two questions to the secret manager.
pub const CHALLENGE_RETRY_MS_MAX: u64 = 30_000;
/// Questions to the secret manager before a task is given up, a minute and a half after the first:
/// longer than a restart of it takes.
pub const CHALLENGE_TRIES_MAX: u32 = 8;
/// How long the chain's own event may take after a worker says it is done, before it is asked.
pub const CHECK_MS: u64 = 1_500;
/// How long a worker's word is believed when the chain does not confirm it.
pub const UNCONFIRMED_MS_MAX: u64 = 60_000;
/// What a worker gets besides the run itself, for downloads, before the task goes to another
/// worker as well.
pub const OVERDUE_MS: u64 = 120_000;
/// How long an upload may take before another worker is asked for the result
/// (spec/pool-worker.md §1.2).
pub const UPLOAD_MS: u64 = 120_000;
/// Pause before the only worker left is asked again for a result that it could not upload.
pub const UPLOAD_RETRY_MS: u64 = 2_000;
/// First wait before a failed transaction about an open task is tried again; doubles each time.
pub const SETTLE_RETRY_MS: u64 = 1_000;
/// Longest wait between two attempts.
pub const SETTLE_RETRY_MS_MAX: u64 = 60_000;
/// Attempts to finalize or reopen: the chain's answer will not change any more.
pub const SETTLE_TRIES_MAX: u32 = 10;
/// Workers at one task at the same time: no trust that is offered takes more.
pub const REPLICATES_AT_ONCE_MAX: usize = 64;
/// How long a final task stays in memory: late reports bring its logs.
pub const FINAL_KEPT_MS: u64 = 300_000;

/// How long logs are kept after the final deadline (spec/pool-worker.md §1.1).
pub const LOGS_KEPT_S: u64 = 3 * 24 * 3600;

/// The whole state of a pool.
#[derive(Debug, Default)]
pub struct Machine {
    tasks: BTreeMap<TaskId, Task>,
    workers: BTreeMap<Address, Worker>,
    /// Workers with free slots, by how many.
    free: BTreeSet<(u32, Address)>,
    /// Tasks that want a worker, by contribution deadline, then age.
    waiting: BTreeMap<(u64, u64), TaskId>,
    timers: BTreeSet<(u64, Timer)>,
    next_order: u64,
    next_place: u64,
    epoch: u64,
    rules: Rules,
    /// Weights of workers by their scores, as far as they were read.
    weights: BTreeMap<Address, u64>,
    effects: Vec<Effect>,
}

impl Machine {
    /// The state after a restart at `now` (milliseconds since 1970): `tasks` as they were saved.
    /// Orders are not saved: they follow from the tasks when the workers log in again.
    pub fn restore(tasks: Vec<Task>, now: u64) -> Self {
        let mut machine = Self {
            next_order: now,
            ..Self::default()
        };
        for task in tasks {
            machine.restore_task(task, now);
        }
        machine
    }

    /// The same with the operator's rules.
    #[must_use]
    pub fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    fn restore_task(&mut self, task: Task, now: u64) {
        let id = task.id;
        // Who completed it owes its output, and needs no slot for that.
        let at_it = task.active_workers();
        for worker in at_it.filter(|_| task.stage() != TaskStage::Completed) {
            let entry = self.workers.entry(worker).or_default();
            entry.take(&task, worker);
            entry.lost_at = Some(now + RESTART_GRACE_MS);
            self.at(now + RESTART_GRACE_MS, Timer::Lost(worker));
        }
        let (is_final, wants) = (task.is_final(), task.wants_workers());
        let lacks_challenge = task.lacks_challenge();
        let terms = task.terms.clone();
        let reveal_deadline = task.consensus.as_ref().map(|c| c.reveal_deadline);
        self.tasks.insert(id, task);
        self.at(terms.final_deadline_ms(), Timer::Final(id));
        if is_final {
            return self.evict_later(id, now);
        }
        self.at(terms.contribution_deadline_ms(), Timer::Contribution(id));
        if let Some(seconds) = reveal_deadline {
            self.at(seconds.saturating_mul(1000), Timer::Reveal(id));
        }
        self.at(now + CHECK_MS, Timer::Check(id));
        if lacks_challenge {
            self.at(now, Timer::Challenge(id));
        }
        if wants {
            self.enqueue(id);
        }
    }

    /// Applies one event at `now`, milliseconds since 1970, and says what is to be done, in
    /// order; whatever is to be saved must be saved before the rest is done.
    pub fn step(&mut self, event: Event, now: u64) -> Vec<Effect> {
        self.fire_timers(now);
        self.apply(event, now);
        self.assign(now);
        std::mem::take(&mut self.effects)
    }

    fn apply(&mut self, event: Event, now: u64) {
        match event {
            Event::DealSeen { terms, chain } => self.deal_seen(&terms, chain, now),
            Event::ChainSays(states) => self.chain_says(states, now),
            Event::Looked { epoch, states } => self.looked(epoch, states, now),
            Event::Reverted { states, stored } => self.reverted(states, stored, now),
            Event::Contributed { task, worker, hash } => {
                self.contributed(task, worker, hash, now);
            }
            Event::Agreed { task, value } => self.agreed(task, value, now),
            Event::Revealed { task, worker } => self.revealed(task, worker, now),
            Event::Reopened(task) => self.reopened(task, now),
            Event::SettleFailed {
                tasks,
                what,
                reason,
            } => self.settle_failed(&tasks, what, &reason, now),
            Event::Scored(scores) => self.scored(scores),
            Event::Many(events) => events.into_iter().for_each(|event| self.apply(event, now)),
            Event::InitializeFailed {
                deal,
                indices,
                reason,
            } => self.initialize_failed(deal, &indices, &reason, now),
            Event::Challenged { task, challenge } => self.challenged(task, challenge),
            Event::ChallengeFailed { task, reason } => self.challenge_failed(task, &reason, now),
            Event::WorkerOnline(hello) => self.worker_online(hello, now),
            Event::SlotsChanged { worker, slots } => self.slots_changed(worker, slots),
            Event::WorkerOffline(address) => self.worker_offline(address, now),
            Event::OrderAcknowledged { worker, id } => self.order_acknowledged(worker, id),
            Event::Reported {
                worker,
                seq,
                report,
            } => self.reported(worker, seq, report, now),
            Event::Tick => {}
        }
    }

    /// When the next [`Event::Tick`] is due, milliseconds since 1970.
    pub fn next_wake(&self) -> Option<u64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Counts the reorganisations: an answer from before one says nothing any more.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A task that is in memory.
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(&id)
    }

    /// Every task in memory.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    /// How many tasks wait for a worker.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Workers with a connection.
    pub fn workers_online(&self) -> impl Iterator<Item = (Address, &Worker)> {
        let online = self.workers.iter().filter(|(_, w)| w.is_online);
        online.map(|(address, worker)| (*address, worker))
    }

    /// Whether `worker` is at `task` now.
    pub fn is_active(&self, task: TaskId, worker: Address) -> bool {
        let replicate = self.tasks.get(&task).and_then(|t| t.replicate(worker));
        replicate.is_some_and(replicate::Replicate::is_active)
    }

    fn at(&mut self, time: u64, timer: Timer) {
        self.timers.insert((time, timer));
    }

    /// Moves a task on, saves it and tells those who watch.
    fn enter(&mut self, id: TaskId, stage: TaskStage, now: u64) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        task.stages.push(task::StageDate { stage, date: now });
        task.revision += 1;
        let notice = Notice {
            task: id,
            revision: task.revision,
            stage,
            step: None,
            date: now,
            failure: task.failure.clone(),
        };
        self.effects.push(Effect::SaveTask(id));
        self.effects.push(Effect::Publish(notice));
    }

    /// Adds a step to a replicate, saves it and tells those who watch.
    fn push_step(
        &mut self,
        id: TaskId,
        worker: Address,
        status: ReplicateStatus,
        failure: Option<Failure>,
        now: u64,
    ) {
        let Some(replicate) = self.replicate_mut(id, worker) else {
            return;
        };
        let (cause, message) = match &failure {
            Some(failure) => (Some(failure.cause), failure.message.clone()),
            None => (None, None),
        };
        replicate.push(status, now, cause, message);
        self.publish_step(id, worker, status, failure, now);
    }

    fn publish_step(
        &mut self,
        id: TaskId,
        worker: Address,
        status: ReplicateStatus,
        failure: Option<Failure>,
        now: u64,
    ) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        task.revision += 1;
        let notice = Notice {
            task: id,
            revision: task.revision,
            stage: task.stage(),
            step: Some((worker, status)),
            date: now,
            failure,
        };
        self.effects.push(Effect::SaveTask(id));
        self.effects.push(Effect::Publish(notice));
    }

    fn replicate_mut(&mut self, id: TaskId, worker: Address) -> Option<&mut replicate::Replicate> {
        self.tasks.get_mut(&id)?.replicate_mut(worker)
    }

    fn replicate(&self, id: TaskId, worker: Address) -> Option<&replicate::Replicate> {
        self.tasks.get(&id)?.replicate(worker)
    }

    fn task_of(&self, deal: DealId, index: u64) -> Option<&Task> {
        self.tasks.get(&deal.task(index))
    }

    fn terms_of(&self, id: TaskId) -> Option<Arc<Terms>> {
        self.tasks.get(&id).map(|task| task.terms.clone())
    }

    /// How the result of a task gets on chain.
    fn flow_of(&self, id: TaskId) -> Option<Flow> {
        self.tasks.get(&id)?.terms.flow(self.rules).ok()
    }

    fn reveals(&self, id: TaskId) -> bool {
        self.flow_of(id) == Some(Flow::ContributeAndReveal)
    }

    fn scored(&mut self, scores: Vec<(Address, u64)>) {
        for (worker, score) in scores {
            self.weights.insert(worker, consensus::weight(score));
        }
    }
}
