//! Deadlines: every state that waits has one.

use protocol::{
    Address, Cause, TaskId,
    status::{ReplicateStatus, TaskStage},
};

use super::{
    CHECK_MS, Effect, FINAL_KEPT_MS, Machine, OVERDUE_MS, UNCONFIRMED_MS_MAX,
    replicate::Replicate,
    task::{Standing, Task},
};

/// What to look at when its time comes. A timer whose reason is gone does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The contribution deadline of a task.
    Contribution(TaskId),
    /// A worker has been away too long.
    Lost(Address),
    /// A worker has not said anything about some of its tasks.
    Remind(Address),
    /// A task may be given to a worker that failed at it.
    Assign,
    /// A task is not initialised yet.
    Initialize(TaskId),
    /// A confidential task may lack its enclave's key.
    Challenge(TaskId),
    /// A worker says it is done, the chain has not said so.
    Check(TaskId),
    /// A worker should have contributed by now.
    Overdue(TaskId, Address),
    /// The reveal deadline of a task.
    Reveal(TaskId),
    /// An upload takes too long, or may be asked for again.
    Upload(TaskId),
    /// A transaction about an open task is tried again.
    Settle(TaskId),
    /// The final deadline of a task.
    Final(TaskId),
    /// A final task may leave memory.
    Evict(TaskId),
}

impl Machine {
    /// Handles everything that is due at `now`.
    pub(super) fn fire_timers(&mut self, now: u64) {
        let (mut to_check, mut to_claim) = (Vec::new(), Vec::new());
        while self.timers.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, timer)) = self.timers.pop_first() else {
                break;
            };
            match timer {
                Timer::Contribution(task) => self.contribution_deadline(task, now),
                Timer::Lost(worker) => self.worker_lost(worker, now),
                Timer::Remind(worker) => self.remind(worker, now),
                Timer::Assign => {}
                Timer::Initialize(task) => to_check.extend(self.open_and_unset(task)),
                Timer::Challenge(task) => self.ask_challenge(task),
                Timer::Check(task) => to_check.extend(self.unconfirmed(task, now)),
                Timer::Overdue(task, worker) => self.overdue(task, worker, now),
                Timer::Reveal(task) => self.reveal_deadline(task, now),
                Timer::Upload(task) => self.upload_due(task, now),
                Timer::Settle(task) => {
                    self.settle_again(task, now);
                    to_claim.extend(Some(task));
                }
                Timer::Final(task) => {
                    self.final_deadline(task, now);
                    to_claim.extend(Some(task));
                }
                Timer::Evict(task) => self.evict(task),
            }
        }
        if !to_check.is_empty() {
            self.effects.push(Effect::Check(to_check));
        }
        to_claim.retain(|task| self.is_claimable(*task, now));
        self.claim(&to_claim, now);
    }

    fn contribution_deadline(&mut self, id: TaskId, now: u64) {
        let waits = |task: &Task| !task.is_final() && task.consensus.is_none();
        if !self.tasks.get(&id).is_some_and(waits) {
            return;
        }
        self.time_out(id, now);
        self.effects.push(Effect::Check(vec![id]));
    }

    /// The task is over without a contribution; why it came so far is kept in the message.
    pub(super) fn time_out(&mut self, id: TaskId, now: u64) {
        let last = self.tasks.get(&id).and_then(|task| task.failure.clone());
        let message = last.map(|f| match f.message {
            Some(message) => format!("last trouble: {}: {message}", f.cause),
            None => format!("last trouble: {}", f.cause),
        });
        let stages = [TaskStage::ContributionTimeout, TaskStage::Failed];
        self.fail(id, &stages, Cause::ContributionTimeout, message, now);
    }

    fn open_and_unset(&self, id: TaskId) -> Option<TaskId> {
        let task = self.tasks.get(&id)?;
        (!task.is_final() && !task.is_initialized && !task.is_initializing).then_some(id)
    }

    /// Asks again and again while a worker's word stands alone, and stops believing it in the end.
    fn unconfirmed(&mut self, id: TaskId, now: u64) -> Option<TaskId> {
        let task = self.tasks.get(&id)?;
        if task.is_final() {
            return (task.claims && !task.is_claimed).then_some(id);
        }
        let alone = task
            .replicates
            .iter()
            .find_map(|r| Some((r.worker, alone(task, r)?)));
        let (worker, since) = alone?;
        let age = now.saturating_sub(since);
        if age > UNCONFIRMED_MS_MAX && !self.reveals(id) {
            let status = ReplicateStatus::ContributeAndFinalizeFailed;
            let message = Some("the chain never confirmed it".to_owned());
            self.attempt_failed(
                id,
                worker,
                status,
                Cause::ChainReceiptNotValid,
                message,
                now,
            );
            return None;
        }
        self.at(now + age.max(CHECK_MS), Timer::Check(id));
        Some(id)
    }

    /// Another worker is wanted besides one that takes so long.
    fn overdue(&mut self, id: TaskId, worker: Address, now: u64) {
        let run_ms = self.terms_of(id).map_or(0, |terms| terms.run_ms());
        let is_due = |r: &&mut Replicate| {
            let started = r.updates.get(r.since).map_or(0, |u| u.date);
            r.is_active() && now.saturating_sub(started) >= OVERDUE_MS.saturating_add(run_ms)
        };
        if let Some(replicate) = self.replicate_mut(id, worker).filter(is_due) {
            replicate.is_overdue = true;
            self.effects.push(Effect::SaveTask(id));
            self.enqueue_if_wanted(id);
        }
    }

    /// A final task is remembered while late reports or a claim may come.
    pub(super) fn evict_later(&mut self, id: TaskId, now: u64) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        let until = match task.stage() {
            TaskStage::Completed => now,
            _ if task.claims => task.terms.final_deadline_ms(),
            _ => task.terms.contribution_deadline_ms(),
        };
        self.at(until.max(now) + FINAL_KEPT_MS, Timer::Evict(id));
    }

    fn evict(&mut self, id: TaskId) {
        if self.tasks.get(&id).is_some_and(Task::is_closed) {
            self.tasks.remove(&id);
        }
    }
}

/// Since when a worker says something that the chain does not say.
fn alone(task: &Task, replicate: &Replicate) -> Option<u64> {
    let said = |status| {
        let mut updates = replicate.updates.iter();
        updates.find(|u| u.status == status).map(|u| u.date)
    };
    let standing = task.contribution(replicate.worker).map(|c| c.standing);
    match standing {
        None => replicate
            .done_at()
            .or_else(|| said(ReplicateStatus::Contributed).filter(|_| replicate.is_active())),
        Some(Standing::Contributed) => {
            said(ReplicateStatus::Revealed).or_else(|| replicate.done_at())
        }
        Some(_) => replicate.done_at(),
    }
}
