//! The enclave's key of a confidential task: asked of the secret manager once the chain knows the
//! task, needed before any worker gets it (spec/secrets-tee.md §2.1).

use protocol::{Address, Cause, TaskId, status::TaskStage};

use super::{
    CHALLENGE_RETRY_MS, CHALLENGE_RETRY_MS_MAX, CHALLENGE_TRIES_MAX, Effect, Machine,
    task::{Failure, Task},
    timer::Timer,
};

impl Machine {
    /// Asks for the key of a task that lacks one and is on chain.
    pub(super) fn ask_challenge(&mut self, id: TaskId) {
        let asks = |task: &&mut Task| {
            let waits = task.lacks_challenge() && task.is_initialized && !task.is_final();
            waits && !task.is_challenging
        };
        if let Some(task) = self.tasks.get_mut(&id).filter(asks) {
            task.is_challenging = true;
            self.effects.push(Effect::Challenge(id));
        }
    }

    /// The secret manager has made the key: workers may be given the task.
    pub(super) fn challenged(&mut self, id: TaskId, challenge: Address) {
        let Some(task) = self.tasks.get_mut(&id).filter(|t| t.lacks_challenge()) else {
            return;
        };
        task.is_challenging = false;
        task.enclave_challenge = Some(challenge);
        self.effects.push(Effect::SaveTask(id));
        if !task.is_final() {
            task.failure = None;
            self.enqueue_if_wanted(id);
        }
    }

    /// No key yet: it is asked for again a few times, then the task is given up. The requester
    /// claims the payment back.
    pub(super) fn challenge_failed(&mut self, id: TaskId, reason: &str, now: u64) {
        let waits = |t: &&mut Task| t.lacks_challenge() && !t.is_final();
        let Some(task) = self.tasks.get_mut(&id).filter(waits) else {
            return;
        };
        task.is_challenging = false;
        task.challenge_failures += 1;
        let message = Some(format!("enclave challenge: {reason}"));
        if task.challenge_failures >= CHALLENGE_TRIES_MAX {
            let stages = [TaskStage::InitializeFailed, TaskStage::Failed];
            return self.fail(id, &stages, Cause::UnknownSms, message, now);
        }
        task.failure = Some(Failure::new(Cause::UnknownSms, message));
        let wait = CHALLENGE_RETRY_MS << (task.challenge_failures - 1).min(10);
        self.effects.push(Effect::SaveTask(id));
        self.at(now + wait.min(CHALLENGE_RETRY_MS_MAX), Timer::Challenge(id));
    }
}
