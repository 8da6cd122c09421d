//! Workers: who is there, what they are at, and which orders they have not acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    Address, B256, Cause, TaskId,
    message::{IMAGES_MAX, Profile},
    status::{ReplicateStatus, TaskStage},
};

use super::{
    Command, Effect, Hello, LOSSES_MAX, Machine, REMIND_MS, WORKER_GRACE_MS, consensus,
    task::{Failure, Task},
    timer::Timer,
};

/// Orders a worker may leave unacknowledged before it gets no more tasks.
pub const ORDERS_UNACKNOWLEDGED_MAX: usize = 256;
/// Slots believed of one worker: a typo must not swallow the whole queue.
pub const SLOTS_MAX: u32 = 1_024;
/// Busy tasks read from a login.
pub const BUSY_MAX: usize = 4_096;

/// One worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worker {
    /// A name for people.
    pub name: String,
    /// `docker` or `builtin`.
    pub engine: String,
    /// Tasks it runs at once, as it said last.
    pub slots: u32,
    /// It has a connection.
    pub is_online: bool,
    /// What its machine is like.
    pub profile: Profile,
    /// Tasks it is at; each takes a slot.
    pub active: BTreeSet<TaskId>,
    /// Tasks it contributed to and is not done with: it has to reveal, and to upload when asked.
    pub holding: BTreeSet<TaskId>,
    /// Tasks it should be at and did not name at login; a report about one takes it out.
    pub(super) unheard: BTreeSet<TaskId>,
    /// Orders it has not acknowledged, by number.
    pub(super) outbox: BTreeMap<u64, Command>,
    /// When it counts as lost, while it is away.
    pub(super) lost_at: Option<u64>,
    /// Under how many free slots it is in the index.
    pub(super) listed: Option<u32>,
}

impl Worker {
    /// Slots without a task.
    pub fn free_slots(&self) -> u32 {
        let taken = u32::try_from(self.active.len()).unwrap_or(u32::MAX);
        self.slots.saturating_sub(taken)
    }

    /// It can start the task without a download.
    pub fn has_image(&self, task: &Task) -> bool {
        self.profile.images.contains(&task.terms.checksum)
    }

    /// It has pulled this image; the oldest of too many is forgotten.
    pub(super) fn learn_image(&mut self, image: B256) {
        let images = &mut self.profile.images;
        if images.contains(&image) {
            return;
        }
        if images.len() >= IMAGES_MAX {
            images.remove(0);
        }
        images.push(image);
    }

    /// Counts a task as this worker's.
    pub(super) fn take(&mut self, task: &Task, worker: Address) {
        match task.contribution(worker) {
            Some(_) => self.holding.insert(task.id),
            None => self.active.insert(task.id),
        };
    }

    fn was_told_to_run(&self, task: TaskId) -> bool {
        let is_run = |c: &Command| matches!(c, Command::Run { .. }) && c.task() == task;
        self.outbox.values().any(is_run)
    }
}

impl Machine {
    pub(super) fn worker_online(&mut self, hello: Hello, now: u64) {
        let address = hello.address;
        let worker = self.workers.entry(address).or_default();
        worker.name = hello.name;
        worker.engine = hello.engine;
        worker.slots = hello.slots.min(SLOTS_MAX);
        let known = std::mem::take(&mut worker.profile.images);
        worker.profile = hello.profile;
        worker.profile.images.truncate(IMAGES_MAX);
        known
            .into_iter()
            .for_each(|image| worker.learn_image(image));
        worker.is_online = true;
        worker.lost_at = None;
        let unsent = worker.outbox.clone();
        let (active, holding) = (worker.active.clone(), worker.holding.clone());
        for (id, command) in unsent {
            let send = Effect::Send {
                worker: address,
                id,
                command,
            };
            self.effects.push(send);
        }
        let busy: BTreeSet<TaskId> = hello.busy.iter().take(BUSY_MAX).map(|b| b.task).collect();
        self.expect_news(address, active.difference(&busy).copied().collect(), now);
        for task in busy.difference(&active) {
            match holding.contains(task) {
                true => self.remind_held(address, *task),
                false => self.reclaim(address, *task, now),
            }
        }
        for task in holding.difference(&busy) {
            self.upload_failed(*task, address, now);
        }
        self.effects.push(Effect::ReadScores(vec![address]));
        self.reindex(address);
    }

    /// What it runs for us goes on, even if that is more than it has for us now.
    pub(super) fn slots_changed(&mut self, address: Address, slots: u32) {
        if let Some(worker) = self.workers.get_mut(&address).filter(|w| w.is_online) {
            worker.slots = slots.min(SLOTS_MAX);
            self.reindex(address);
        }
    }

    /// Tasks that a worker did not name at login may be done: it gets a moment to say so.
    fn expect_news(&mut self, address: Address, tasks: BTreeSet<TaskId>, now: u64) {
        if !tasks.is_empty() {
            self.at(now + REMIND_MS, Timer::Remind(address));
        }
        if let Some(worker) = self.workers.get_mut(&address) {
            worker.unheard = tasks;
        }
    }

    /// A worker that should be at tasks knows nothing of them: it is told again.
    pub(super) fn remind(&mut self, address: Address, now: u64) {
        let Some(worker) = self.workers.get_mut(&address).filter(|w| w.is_online) else {
            return;
        };
        let unheard = std::mem::take(&mut worker.unheard);
        let forgotten: Vec<TaskId> = unheard
            .into_iter()
            .filter(|task| worker.active.contains(task) && !worker.was_told_to_run(*task))
            .collect();
        for task in forgotten {
            self.run_again(address, task, now);
        }
    }

    fn run_again(&mut self, address: Address, id: TaskId, now: u64) {
        let Some(replicate) = self.replicate_mut(id, address).filter(|r| !r.is_done()) else {
            return;
        };
        replicate.restart(ReplicateStatus::Recovering, now);
        self.publish_step(id, address, ReplicateStatus::Recovering, None, now);
        self.order_run(id, address);
    }

    /// A worker is at a task that we do not count as its own.
    fn reclaim(&mut self, address: Address, id: TaskId, now: u64) {
        let Some(task) = self.tasks.get(&id) else {
            let cause = Cause::TaskNotActive;
            return self.order(address, Command::Abort { task: id, cause });
        };
        if task.stage() == TaskStage::Completed {
            return self.order(address, Command::Complete { task: id });
        }
        if task.contribution(address).is_some() && !task.is_final() {
            if let Some(worker) = self.workers.get_mut(&address) {
                worker.holding.insert(id);
            }
            return self.remind_held(address, id);
        }
        let is_lost = task.replicate(address).is_some_and(|r| r.is_lost());
        let has_room = self
            .workers
            .get(&address)
            .is_some_and(|w| w.free_slots() > 0);
        if is_lost && has_room && task.wants_workers() {
            return self.revive(address, id, now);
        }
        let cause = task
            .failure
            .as_ref()
            .map_or(Cause::TaskNotActive, |f| f.cause);
        self.order(address, Command::Abort { task: id, cause });
    }

    /// A worker that holds a contribution is told what it may have missed.
    fn remind_held(&mut self, address: Address, id: TaskId) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        let revealed = task.revealers().any(|w| w == address);
        let wins = task.winners().any(|c| c.worker == address);
        if task.uploader == Some(address) && task.uploaded_link().is_none() {
            self.order(address, Command::Upload { task: id });
        } else if wins && !revealed {
            self.order(address, Command::Reveal { task: id });
        }
    }

    /// A worker that was given up goes on, since nobody else has begun.
    fn revive(&mut self, address: Address, id: TaskId, now: u64) {
        self.dequeue(id);
        if let Some(replicate) = self.replicate_mut(id, address) {
            replicate.restart(ReplicateStatus::Recovering, now);
        }
        self.publish_step(id, address, ReplicateStatus::Recovering, None, now);
        if let Some(worker) = self.workers.get_mut(&address) {
            worker.active.insert(id);
        }
    }

    pub(super) fn worker_offline(&mut self, address: Address, now: u64) {
        let Some(worker) = self.workers.get_mut(&address) else {
            return;
        };
        worker.is_online = false;
        worker.lost_at = Some(now + WORKER_GRACE_MS);
        self.at(now + WORKER_GRACE_MS, Timer::Lost(address));
        self.reindex(address);
    }

    /// The grace is over: everything the worker was at goes to others.
    pub(super) fn worker_lost(&mut self, address: Address, now: u64) {
        let is_due = |w: &Worker| !w.is_online && w.lost_at.is_some_and(|at| at <= now);
        if !self.workers.get(&address).is_some_and(is_due) {
            return;
        }
        let Some(worker) = self.workers.remove(&address) else {
            return;
        };
        for id in worker.active {
            self.replicate_lost(id, address, now);
        }
        // What it contributed stands; only its upload is somebody else's now.
        for id in worker.holding {
            self.upload_failed(id, address, now);
        }
    }

    fn replicate_lost(&mut self, id: TaskId, address: Address, now: u64) {
        let Some(replicate) = self.replicate_mut(id, address) else {
            return;
        };
        if replicate.is_done() || !replicate.is_active() {
            return;
        }
        replicate.retry_at = now;
        let message = "the worker's connection to the pool is gone".to_owned();
        let failure = Failure::new(Cause::Unknown, Some(message));
        self.push_step(
            id,
            address,
            ReplicateStatus::WorkerLost,
            Some(failure.clone()),
            now,
        );
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        task.losses += 1;
        task.failure = Some(failure);
        if task.losses > LOSSES_MAX * consensus::workers_needed(task.terms.trust) {
            let stages = [TaskStage::RunningFailed, TaskStage::Failed];
            let message = format!("{LOSSES_MAX} workers vanished while they ran it");
            return self.fail(id, &stages, Cause::Unknown, Some(message), now);
        }
        self.enqueue_if_wanted(id);
    }
}
