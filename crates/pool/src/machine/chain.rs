//! What the chain says about tasks.

use protocol::{
    TaskId,
    deal::TaskStatus,
    status::{ReplicateStatus, TaskStage},
};

use super::{Effect, Machine, OnChain};

impl Machine {
    pub(super) fn chain_says(&mut self, states: Vec<OnChain>, now: u64) {
        let unset: Vec<TaskId> = states
            .iter()
            .filter(|state| state.status == TaskStatus::Unset)
            .map(|state| state.task)
            .collect();
        self.chain_says_of_known(states, now);
        self.initialize(unset, now);
    }

    pub(super) fn chain_says_of_known(&mut self, states: Vec<OnChain>, now: u64) {
        for state in states {
            if !self.tasks.contains_key(&state.task) {
                continue;
            }
            let (id, block) = (state.task, state.block);
            match state.status {
                TaskStatus::Unset => {}
                TaskStatus::Active | TaskStatus::Revealing => self.initialized(id, block, now),
                TaskStatus::Completed | TaskStatus::Failed => {}
            }
            if let Some(poll) = state.poll {
                self.polled(id, poll, now);
            }
            match state.status {
                TaskStatus::Completed => self.completed(id, state.results, now),
                TaskStatus::Failed => self.claimed(id, now),
                _ => {}
            }
        }
    }

    fn initialized(&mut self, id: TaskId, block: Option<u64>, now: u64) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        task.is_initializing = false;
        let is_news = !task.is_initialized;
        task.is_initialized = true;
        if task.initialized_block.is_none() && block.is_some() {
            task.initialized_block = block;
            self.effects.push(Effect::SaveTask(id));
        }
        if !is_news || task.is_final() {
            return;
        }
        task.failure = None;
        if !task.has(TaskStage::Initialized) {
            self.enter(id, TaskStage::Initialized, now);
        }
        self.ask_challenge(id);
        self.run_if_started(id, now);
    }

    /// A task runs once the chain knows it and a worker has started.
    pub(super) fn run_if_started(&mut self, id: TaskId, now: u64) {
        let started = self.tasks.get(&id).is_some_and(|task| {
            let at_it = |s: ReplicateStatus| (ReplicateStatus::Started..).contains(&s);
            let is_ready = matches!(task.stage(), TaskStage::Initialized | TaskStage::Reopened);
            is_ready && (task.replicates.iter()).any(|r| r.is_active() && at_it(r.status()))
        });
        if started {
            self.enter(id, TaskStage::Running, now);
        }
    }
}
