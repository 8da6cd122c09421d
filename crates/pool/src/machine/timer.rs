//! Deadlines: every state that waits has one.

use protocol::{
    Address, Cause, TaskId,
    status::{ReplicateStatus, TaskStage},
};

use super::{CHECK_MS, Effect, Machine, UNCONFIRMED_MS_MAX};

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
    /// A final task may leave memory.
    Evict(TaskId),
}

impl Machine {
    /// Handles everything that is due at `now`.
    pub(super) fn fire_timers(&mut self, now: u64) {
        let mut to_check = Vec::new();
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
                Timer::Evict(task) => self.evict(task),
            }
        }
        if !to_check.is_empty() {
            self.effects.push(Effect::Check(to_check));
        }
    }

    fn contribution_deadline(&mut self, id: TaskId, now: u64) {
        if self.tasks.get(&id).is_none_or(|task| task.is_final()) {
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
        let task = self.tasks.get(&id).filter(|task| !task.is_final())?;
        let (worker, since) = task
            .replicates
            .iter()
            .find_map(|r| Some((r.worker, r.done_at()?)))?;
        if now.saturating_sub(since) > UNCONFIRMED_MS_MAX {
            let status = ReplicateStatus::ContributeAndFinalizeFailed;
            let message = "the chain never confirmed it".to_owned();
            self.attempt_failed(
                id,
                worker,
                status,
                Cause::ChainReceiptNotValid,
                Some(message),
                now,
            );
            return None;
        }
        let wait = (now.saturating_sub(since)).max(CHECK_MS);
        self.at(now + wait, Timer::Check(id));
        Some(id)
    }

    fn evict(&mut self, id: TaskId) {
        if self.tasks.get(&id).is_some_and(|task| task.is_final()) {
            self.tasks.remove(&id);
        }
    }
}
