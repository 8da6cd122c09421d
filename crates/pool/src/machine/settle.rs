//! How a task ends, and what its workers are told then.

use protocol::{
    Address, Cause, TaskId,
    status::{
        ReplicateStatus::{self, *},
        TaskStage,
    },
};

use super::{
    Command, Effect, Machine,
    task::{Failure, Standing, Task},
};

/// Stages that every completed task has been in, whatever the pool has seen of them.
const PATH: [TaskStage; 3] = [
    TaskStage::Initialized,
    TaskStage::Running,
    TaskStage::Finalized,
];

impl Machine {
    /// The result stands on chain: whatever we thought before is void.
    pub(super) fn completed(&mut self, id: TaskId, results: Option<String>, now: u64) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let is_news = task.stage() != TaskStage::Completed;
        if results.is_some() && task.result_link != results {
            task.result_link = results;
            self.effects.push(Effect::SaveTask(id));
        }
        if !is_news {
            return;
        }
        task.is_initialized = true;
        task.is_initializing = false;
        let winner = winner(task);
        task.failure = winner.and_then(|worker| contributed_error(task, worker));
        let missing: Vec<_> = PATH.into_iter().filter(|s| !task.has(*s)).collect();
        self.dequeue(id);
        for stage in missing {
            self.enter(id, stage, now);
        }
        match self.reveals(id) {
            true => self.complete_contributors(id, now),
            false => self.complete_replicates(id, winner, now),
        }
        self.enter(id, TaskStage::Completed, now);
        self.evict_later(id, now);
    }

    /// Those that revealed are paid; everybody else is told that it is over.
    fn complete_contributors(&mut self, id: TaskId, now: u64) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        let paid = |w: &Address| {
            let standing = task.contribution(*w).map(|c| c.standing);
            standing == Some(Standing::Revealed)
        };
        let everybody = task.replicates.iter().filter(|r| r.is_active());
        let (paid, others): (Vec<Address>, Vec<Address>) =
            everybody.map(|r| r.worker).partition(paid);
        let contributors: Vec<Address> = task.contributions.iter().map(|c| c.worker).collect();
        for worker in paid {
            self.push_step(id, worker, Completed, None, now);
            self.order(worker, Command::Complete { task: id });
            self.release(worker, id);
        }
        for worker in others {
            self.abort(id, worker, Cause::ConsensusReached, now);
        }
        if contributors.len() > 1 {
            self.effects.push(Effect::ReadScores(contributors));
        }
    }

    fn complete_replicates(&mut self, id: TaskId, winner: Option<Address>, now: u64) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        let active: Vec<Address> = task.active_workers().collect();
        if let Some(worker) = winner {
            self.complete_winner(id, worker, now);
        }
        for worker in active.into_iter().filter(|w| Some(*w) != winner) {
            self.abort(id, worker, Cause::TaskAlreadyContributed, now);
        }
    }

    fn complete_winner(&mut self, id: TaskId, worker: Address, now: u64) {
        let Some(replicate) = self.replicate_mut(id, worker) else {
            return;
        };
        let is_done = replicate.is_done();
        let is_completed = replicate.status() == Completed;
        if !is_done {
            self.push_step(id, worker, ContributeAndFinalizeDone, None, now);
        }
        if !is_completed {
            self.push_step(id, worker, Completed, None, now);
        }
        self.order(worker, Command::Complete { task: id });
        self.release(worker, id);
    }

    /// Somebody claimed the payment back on chain: the task is over.
    pub(super) fn claimed(&mut self, id: TaskId, now: u64) {
        if let Some(task) = self.tasks.get_mut(&id).filter(|t| !t.is_claimed) {
            task.is_claimed = true;
            self.effects.push(Effect::SaveTask(id));
        }
        let stages = [TaskStage::FinalDeadlineReached, TaskStage::Failed];
        self.fail(id, &stages, Cause::ContributionTimeout, None, now);
    }

    /// Gives a task up. A task that is final already stays as it is.
    pub(super) fn fail(
        &mut self,
        id: TaskId,
        stages: &[TaskStage],
        cause: Cause,
        message: Option<String>,
        now: u64,
    ) {
        let Some(task) = self.tasks.get_mut(&id).filter(|t| !t.is_final()) else {
            return;
        };
        task.failure = Some(Failure::new(cause, message));
        task.claims = self.rules.claims_for_requesters || !task.contributions.is_empty();
        let silent = task.replicates.iter().filter(|r| !r.is_active());
        let silent = silent
            .map(|r| r.worker)
            .filter(|w| task.contribution(*w).is_some());
        let silent: Vec<Address> = silent.collect();
        let active: Vec<Address> = task.active_workers().collect();
        self.dequeue(id);
        for worker in active {
            self.abort(id, worker, cause, now);
        }
        for stage in stages {
            self.enter(id, *stage, now);
        }
        // They hold what they contributed until they hear that it is over.
        for worker in silent {
            self.order(worker, Command::Abort { task: id, cause });
            self.release(worker, id);
        }
        self.evict_later(id, now);
    }

    /// Takes a task from a worker.
    pub(super) fn abort(&mut self, id: TaskId, worker: Address, cause: Cause, now: u64) {
        let failure = Some(Failure::new(cause, None));
        self.push_step(id, worker, ReplicateStatus::Aborted, failure, now);
        self.order(worker, Command::Abort { task: id, cause });
        self.release(worker, id);
    }
}

/// Whose result it is: the chain's word, else the worker that said so, else the only one at it.
fn winner(task: &Task) -> Option<Address> {
    let said_so = task.replicates.iter().find(|r| r.is_done());
    let contributors = task
        .revealers()
        .chain(task.contributions.iter().map(|c| c.worker));
    let contributor = contributors
        .into_iter()
        .find(|w| task.replicate(*w).is_some());
    contributor
        .or_else(|| said_so.map(|r| r.worker))
        .or_else(|| task.active_workers().next())
}

/// The download error that the result tells of instead of a result.
fn contributed_error(task: &Task, worker: Address) -> Option<Failure> {
    let update = task.replicate(worker)?.root_failure()?;
    let is_download = super::replicate::is_contributed_anyway(update.status, update.cause);
    let cause = update.cause.filter(|_| is_download)?;
    Some(Failure::new(cause, update.message.clone()))
}
