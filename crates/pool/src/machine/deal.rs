//! From a deal to tasks that are asked to be initialised.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use protocol::{Cause, DealId, TaskId, status::TaskStage};

use super::{
    Effect, INITIALIZE_BATCH_MAX, INITIALIZE_RETRY_MS, INITIALIZE_RETRY_MS_MAX, Machine, OnChain,
    task::{Failure, Task},
    terms::Terms,
    timer::Timer,
};

impl Machine {
    pub(super) fn deal_seen(&mut self, terms: &Arc<Terms>, chain: Vec<OnChain>, now: u64) {
        let mut created = Vec::new();
        for (index, id) in terms.tasks() {
            if let Entry::Vacant(vacant) = self.tasks.entry(id) {
                vacant.insert(Task::new(terms.clone(), index, id));
                created.push(id);
            }
        }
        if created.is_empty() {
            return;
        }
        self.effects.push(Effect::SaveDeal(terms.clone()));
        for id in &created {
            self.enter(*id, TaskStage::Received, now);
        }
        self.chain_says_of_known(chain, now);
        self.start(terms, &created, now);
    }

    fn start(&mut self, terms: &Arc<Terms>, created: &[TaskId], now: u64) {
        let open: Vec<TaskId> = created
            .iter()
            .filter(|id| self.tasks.get(*id).is_some_and(|t| !t.is_final()))
            .copied()
            .collect();
        for id in &open {
            self.start_task(terms, *id, now);
        }
        self.initialize(open, now);
    }

    fn start_task(&mut self, terms: &Terms, id: TaskId, now: u64) {
        if let Err(cause) = terms.flow(self.rules) {
            let stages = [TaskStage::InitializeFailed, TaskStage::Failed];
            return self.fail(id, &stages, cause, None, now);
        }
        if now >= terms.contribution_deadline_ms() {
            return self.time_out(id, now);
        }
        self.at(terms.contribution_deadline_ms(), Timer::Contribution(id));
        self.at(terms.final_deadline_ms(), Timer::Final(id));
        self.ask_challenge(id);
        self.enqueue_if_wanted(id);
    }

    /// Asks for those of `ids` that need it to be initialised, deal by deal, in batches.
    pub(super) fn initialize(&mut self, ids: Vec<TaskId>, now: u64) {
        let mut by_deal: BTreeMap<DealId, Vec<u64>> = BTreeMap::new();
        for id in ids {
            let Some(task) = self.tasks.get_mut(&id) else {
                continue;
            };
            if task.is_final() || task.is_initialized || task.is_initializing {
                continue;
            }
            task.is_initializing = true;
            by_deal.entry(task.terms.deal).or_default().push(task.index);
            if task.stage() == TaskStage::Received {
                self.enter(id, TaskStage::Initializing, now);
            }
        }
        for (deal, indices) in by_deal {
            for chunk in indices.chunks(INITIALIZE_BATCH_MAX) {
                let indices = chunk.to_vec();
                self.effects.push(Effect::Initialize { deal, indices });
            }
        }
    }

    /// An initialisation that fails is tried again until the deadline, after the chain was asked:
    /// somebody else may have done it.
    pub(super) fn initialize_failed(
        &mut self,
        deal: DealId,
        indices: &[u64],
        reason: &str,
        now: u64,
    ) {
        for index in indices {
            let Some(id) = self.task_of(deal, *index).map(|task| task.id) else {
                continue;
            };
            let Some(task) = self.tasks.get_mut(&id).filter(|t| !t.is_final()) else {
                continue;
            };
            task.is_initializing = false;
            if task.is_initialized {
                continue;
            }
            let message = Some(format!("initialize: {reason}"));
            task.failure = Some(Failure::new(Cause::ChainUnreachable, message));
            let wait = INITIALIZE_RETRY_MS << task.initialize_failures.min(10);
            task.initialize_failures += 1;
            self.at(
                now + wait.min(INITIALIZE_RETRY_MS_MAX),
                Timer::Initialize(id),
            );
        }
    }
}
