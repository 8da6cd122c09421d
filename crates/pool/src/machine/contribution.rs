//! Contributions as they come in, until they agree (spec/pool-worker.md §1.9, §1.11).

use protocol::{
    Address, B256, Cause, TaskId,
    status::{ReplicateStatus, TaskStage},
};

use super::{
    Command, Effect, Machine, Poll,
    task::{Consensus, Contribution, Standing},
    timer::Timer,
};

/// Seconds for reveals, in units of the category's (spec/contracts.md §2).
const REVEAL_DEADLINE_RATIO: u64 = 2;

impl Machine {
    /// A contribution stands on chain, whether its worker has told us or not.
    pub(super) fn contributed(&mut self, id: TaskId, worker: Address, hash: B256, now: u64) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        if task.contribution(worker).is_some() {
            return;
        }
        task.contributions.push(Contribution {
            worker,
            hash,
            standing: Standing::Contributed,
        });
        self.effects.push(Effect::SaveTask(id));
        if self.reveals(id) {
            self.note_contributed(id, worker, now);
            self.enqueue_if_wanted(id);
        }
    }

    /// The worker's slot is free: it only waits for the others now.
    fn note_contributed(&mut self, id: TaskId, worker: Address, now: u64) {
        let Some(replicate) = self.replicate_mut(id, worker) else {
            return;
        };
        if replicate.count(ReplicateStatus::Contributed) == 0 {
            self.push_step(id, worker, ReplicateStatus::Contributed, None, now);
        }
        self.hold(worker, id);
        self.run_if_started(id, now);
    }

    /// Enough workers contributed the same.
    pub(super) fn agreed(&mut self, id: TaskId, value: B256, now: u64) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        let reveal_s = task.terms.timeref.saturating_mul(REVEAL_DEADLINE_RATIO);
        let consensus = Consensus {
            value,
            reveal_deadline: (now / 1000).saturating_add(reveal_s),
        };
        self.agree(id, consensus, now);
    }

    fn agree(&mut self, id: TaskId, consensus: Consensus, now: u64) {
        // In one transaction with the result there is nothing to wait for.
        if !self.reveals(id) {
            return;
        }
        let Some(task) = self.tasks.get_mut(&id).filter(|t| !t.is_final()) else {
            return;
        };
        if task
            .consensus
            .as_ref()
            .is_some_and(|c| c.value == consensus.value)
        {
            return;
        }
        let deadline = consensus.reveal_deadline.saturating_mul(1000);
        task.consensus = Some(consensus);
        task.failure = None;
        self.dequeue(id);
        self.enter(id, TaskStage::ConsensusReached, now);
        self.at(deadline, Timer::Reveal(id));
        self.tell_all(id, now);
    }

    /// Winners reveal; whoever has not contributed stops. Losers wait: should nobody reveal, their
    /// result may still win.
    fn tell_all(&mut self, id: TaskId, now: u64) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        let winners: Vec<Address> = task.winners().map(|c| c.worker).collect();
        let is_late = |w: &Address| task.contribution(*w).is_none();
        let late: Vec<Address> = task.active_workers().filter(is_late).collect();
        for worker in late {
            self.abort(id, worker, Cause::ConsensusReached, now);
        }
        for worker in winners {
            self.order(worker, Command::Reveal { task: id });
        }
    }

    /// What was read of the chain, which may be older than what was heard of it: nothing is taken
    /// back but by a rejection.
    pub(super) fn polled(&mut self, id: TaskId, poll: Poll, now: u64) {
        let of = |standing| {
            let chosen = poll
                .contributions
                .iter()
                .filter(move |c| c.standing == standing);
            chosen.map(|c| c.worker).collect::<Vec<_>>()
        };
        let (revealed, rejected) = (of(Standing::Revealed), of(Standing::Rejected));
        for c in &poll.contributions {
            self.contributed(id, c.worker, c.hash, now);
        }
        let is_reopened = self.tasks.get(&id).is_some_and(|task| {
            let mut winners = task.winners();
            winners.any(|c| rejected.contains(&c.worker))
        });
        if is_reopened {
            self.reopened(id, now);
        }
        if let Some(task) = self.tasks.get_mut(&id) {
            let rejects = task.contributions.iter_mut();
            rejects
                .filter(|c| rejected.contains(&c.worker))
                .for_each(|c| c.standing = Standing::Rejected);
        }
        if let Some(consensus) = poll.consensus {
            self.agree(id, consensus, now);
        }
        for worker in revealed {
            self.revealed(id, worker, now);
        }
    }
}
