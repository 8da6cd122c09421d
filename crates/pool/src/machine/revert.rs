//! A reorganisation of the chain: what was heard in blocks that are gone is forgotten, even the
//! end of a task. The transactions themselves are their senders' business, which send them again.

use protocol::{TaskId, deal::TaskStatus, status::TaskStage};

use super::{CHECK_MS, Effect, Machine, OnChain, task::Task, timer::Timer};

impl Machine {
    /// An answer that was under way while blocks went may tell of them: the question is repeated.
    pub(super) fn looked(&mut self, epoch: u64, states: Vec<OnChain>, now: u64) {
        if epoch == self.epoch {
            return self.chain_says(states, now);
        }
        let ids: Vec<TaskId> = states.into_iter().map(|state| state.task).collect();
        self.effects.push(Effect::Check(ids));
    }

    /// `states` replace what the machine believes of the chain.
    pub(super) fn reverted(&mut self, states: Vec<OnChain>, stored: Vec<Task>, now: u64) {
        self.epoch += 1;
        for task in stored {
            if !self.tasks.contains_key(&task.id) {
                self.restore_task(task, now);
            }
        }
        for state in &states {
            self.forget(state, now);
        }
        self.chain_says(states, now);
    }

    fn forget(&mut self, state: &OnChain, now: u64) {
        let id = state.task;
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let was_completed = task.stage() == TaskStage::Completed;
        let poll = state.poll.clone().unwrap_or_default();
        let had_consensus = task.consensus.is_some();
        task.contributions = poll.contributions;
        task.consensus = task.consensus.take().filter(|_| poll.consensus.is_some());
        task.is_claimed &= state.status == TaskStatus::Failed;
        task.is_settling = false;
        if state.status == TaskStatus::Unset {
            task.is_initialized = false;
            task.is_initializing = false;
            task.initialized_block = None;
        }
        let has_consensus = task.consensus.is_some();
        self.effects.push(Effect::SaveTask(id));
        let is_open = !matches!(state.status, TaskStatus::Completed | TaskStatus::Failed);
        if is_open && (was_completed || had_consensus && !has_consensus) {
            self.run_on(id, now);
        }
    }

    /// The task is open again, as it was before the end or the consensus.
    fn run_on(&mut self, id: TaskId, now: u64) {
        let goes_on = |t: &&mut Task| !t.is_final() || t.stage() == TaskStage::Completed;
        let Some(task) = self.tasks.get_mut(&id).filter(goes_on) else {
            return;
        };
        task.result_link = None;
        let terms = task.terms.clone();
        self.enter(id, TaskStage::Running, now);
        self.at(terms.contribution_deadline_ms(), Timer::Contribution(id));
        self.at(terms.final_deadline_ms(), Timer::Final(id));
        self.at(now + CHECK_MS, Timer::Check(id));
        self.enqueue_if_wanted(id);
    }
}
