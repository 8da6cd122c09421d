//! From consensus to payment: reveals, the upload of the result, and the transactions that
//! finalize, reopen or claim (spec/pool-worker.md §1.5, §1.11; spec/contracts.md §8.6).

use protocol::{
    Address, Cause, TaskId,
    message::Report,
    status::{ReplicateStatus, TaskStage},
};

use super::{
    CHECK_MS, CLAIM_BATCH_MAX, Command, Effect, Machine, SETTLE_RETRY_MS, SETTLE_RETRY_MS_MAX,
    SETTLE_TRIES_MAX, Settling, UPLOAD_MS, UPLOAD_RETRY_MS,
    replicate::Replicate,
    task::{Contribution, Failure, Standing, Task},
    timer::Timer,
};

impl Machine {
    /// A reveal stands on chain.
    pub(super) fn revealed(&mut self, id: TaskId, worker: Address, now: u64) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let mut contributions = task.contributions.iter_mut();
        let Some(contribution) = contributions.find(|c| c.worker == worker) else {
            return;
        };
        if contribution.standing == Standing::Revealed {
            return;
        }
        contribution.standing = Standing::Revealed;
        self.effects.push(Effect::SaveTask(id));
        if !self.reveals(id) {
            return;
        }
        let said = |r: &Replicate| r.count(ReplicateStatus::Revealed) > 0;
        if self.replicate(id, worker).is_some_and(|r| !said(r)) {
            self.push_step(id, worker, ReplicateStatus::Revealed, None, now);
        }
        let is_first = |t: &Task| t.stage() == TaskStage::ConsensusReached;
        if self.tasks.get(&id).is_some_and(is_first) {
            self.enter(id, TaskStage::AtLeastOneRevealed, now);
        }
        self.want_upload(id, now);
        self.finalize_if_ready(id, now);
    }

    /// Asks one of those that revealed for the result, if nobody is at it.
    pub(super) fn want_upload(&mut self, id: TaskId, now: u64) {
        let Some(worker) = self.next_uploader(id) else {
            return;
        };
        if let Some(task) = self.tasks.get_mut(&id) {
            task.uploader = Some(worker);
        }
        let status = ReplicateStatus::ResultUploadRequested;
        self.request_upload(id, worker, status, now);
        let is_first = |t: &Task| t.stage() == TaskStage::AtLeastOneRevealed;
        if self.tasks.get(&id).is_some_and(is_first) {
            self.enter(id, TaskStage::ResultUploading, now);
        }
        self.order(worker, Command::Upload { task: id });
        self.at(now + UPLOAD_MS, Timer::Upload(id));
    }

    /// A second request is a new attempt: its steps may come again.
    fn request_upload(&mut self, id: TaskId, worker: Address, status: ReplicateStatus, now: u64) {
        let again = |r: &Replicate| r.count(ReplicateStatus::ResultUploadRequested) > 0;
        if !self.replicate(id, worker).is_some_and(again) {
            return self.push_step(id, worker, status, None, now);
        }
        if let Some(replicate) = self.replicate_mut(id, worker) {
            replicate.restart(status, now);
        }
        self.publish_step(id, worker, status, None, now);
    }

    /// Whoever is connected goes first, then whoever has failed least.
    fn next_uploader(&self, id: TaskId) -> Option<Address> {
        let task = self.tasks.get(&id).filter(|t| !t.is_final())?;
        if task.uploader.is_some() || task.uploaded_link().is_some() {
            return None;
        }
        let is_away = |w: &Address| !self.workers.get(w).is_some_and(|w| w.is_online);
        let failures = |w: &Address| {
            let replicate = task.replicate(*w);
            replicate.map_or(0, |r| r.count(ReplicateStatus::ResultUploadFailed))
        };
        let known = task.revealers().filter(|w| task.replicate(*w).is_some());
        known.min_by_key(|w| (is_away(w), failures(w)))
    }

    /// The uploader says it is done.
    pub(super) fn uploaded(&mut self, id: TaskId, worker: Address, report: &Report, now: u64) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        if !task.revealers().any(|w| w == worker) {
            return;
        }
        task.callback_data = report.callback_data.clone();
        if task.stage() == TaskStage::ResultUploading {
            self.enter(id, TaskStage::ResultUploaded, now);
        }
        self.finalize_if_ready(id, now);
    }

    /// The uploader gave up, is gone, or is silent: somebody else is asked, or the same again.
    pub(super) fn upload_failed(&mut self, id: TaskId, worker: Address, now: u64) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        if task.uploader == Some(worker) {
            task.uploader = None;
        }
        let others = task.revealers().count() > 1;
        let wait = if others { 0 } else { UPLOAD_RETRY_MS };
        self.at(now + wait, Timer::Upload(id));
    }

    /// The time of an upload, or the pause before it, is over.
    pub(super) fn upload_due(&mut self, id: TaskId, now: u64) {
        let is_slow = |r: &Replicate| {
            let since = r.updates.last().map_or(0, |u| u.date);
            now.saturating_sub(since) >= UPLOAD_MS
        };
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        let slow = task
            .uploader
            .filter(|w| task.replicate(*w).is_some_and(is_slow));
        if let Some(worker) = slow.filter(|_| task.uploaded_link().is_none()) {
            let message = "the upload took too long".to_owned();
            let failure = Failure::new(Cause::ResultLinkMissing, Some(message));
            let status = ReplicateStatus::ResultUploadFailed;
            self.push_step(id, worker, status, Some(failure), now);
            self.upload_failed(id, worker, now);
        }
        self.want_upload(id, now);
    }

    /// Pays everybody as soon as the contract allows it.
    pub(super) fn finalize_if_ready(&mut self, id: TaskId, now: u64) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        if task.is_final() || task.is_settling || !may_finalize(task, now) {
            return;
        }
        let Some(results) = task.uploaded_link().map(str::to_owned) else {
            return;
        };
        task.is_settling = true;
        let callback = task.callback_data.clone().unwrap_or_default();
        if task.stage() != TaskStage::Finalizing {
            self.enter(id, TaskStage::Finalizing, now);
        }
        self.effects.push(Effect::Finalize {
            task: id,
            results,
            callback,
        });
    }

    /// The time to reveal is over.
    pub(super) fn reveal_deadline(&mut self, id: TaskId, now: u64) {
        let is_over = |t: &&Task| {
            let deadline = t.consensus.as_ref().map(|c| c.reveal_deadline);
            !t.is_final() && deadline.is_some_and(|at| at.saturating_mul(1000) <= now)
        };
        let Some(task) = self.tasks.get(&id).filter(is_over) else {
            return;
        };
        let is_silent = |c: &&Contribution| c.standing == Standing::Contributed;
        let silent: Vec<Address> = task.winners().filter(is_silent).map(|c| c.worker).collect();
        let nobody = task.revealers().next().is_none();
        let can_reopen = now < task.terms.contribution_deadline_ms();
        for worker in silent {
            let failure = Some(Failure::new(Cause::RevealTimeout, None));
            if self.replicate(id, worker).is_some() {
                self.push_step(id, worker, ReplicateStatus::RevealFailed, failure, now);
            }
        }
        match nobody {
            true if can_reopen => self.reopen(id, now),
            true => self.nobody_revealed(id, now),
            false => self.finalize_if_ready(id, now),
        }
    }

    fn reopen(&mut self, id: TaskId, now: u64) {
        let Some(task) = self.tasks.get_mut(&id).filter(|t| !t.is_settling) else {
            return;
        };
        task.is_settling = true;
        if task.stage() != TaskStage::Reopening {
            self.enter(id, TaskStage::Reopening, now);
        }
        self.effects.push(Effect::Reopen(id));
    }

    fn nobody_revealed(&mut self, id: TaskId, now: u64) {
        let stages = [TaskStage::ReopenFailed, TaskStage::Failed];
        let message = "nobody revealed, and it is too late for another contribution".to_owned();
        self.fail(id, &stages, Cause::RevealTimeout, Some(message), now);
    }

    /// The task takes contributions again, but not from those that kept silent.
    pub(super) fn reopened(&mut self, id: TaskId, now: u64) {
        let Some(task) = self.tasks.get_mut(&id).filter(|t| !t.is_final()) else {
            return;
        };
        let Some(consensus) = task.consensus.take() else {
            return;
        };
        task.is_settling = false;
        let silent = task.contributions.iter_mut();
        let silent = silent.filter(|c| c.hash == consensus.value).map(|c| {
            c.standing = Standing::Rejected;
            c.worker
        });
        let silent: Vec<Address> = silent.collect();
        task.failure = Some(Failure::new(Cause::RevealTimeout, None));
        self.enter(id, TaskStage::Reopened, now);
        for worker in silent {
            if self.replicate(id, worker).is_some() {
                self.abort(id, worker, Cause::RevealTimeout, now);
            }
        }
        self.enqueue_if_wanted(id);
    }

    /// The chain is asked what it knows better, then it is tried again.
    pub(super) fn settle_failed(&mut self, ids: &[TaskId], what: Settling, reason: &str, now: u64) {
        for id in ids {
            let Some(task) = self.tasks.get_mut(id) else {
                continue;
            };
            task.is_settling = false;
            task.settle_failures += 1;
            let tries = task.settle_failures;
            if tries >= SETTLE_TRIES_MAX && what != Settling::Claim {
                self.give_up_settling(*id, what, reason, now);
                continue;
            }
            let wait = SETTLE_RETRY_MS << (tries - 1).min(10);
            self.at(now + wait.min(SETTLE_RETRY_MS_MAX), Timer::Settle(*id));
        }
        self.effects.push(Effect::Check(ids.to_vec()));
    }

    fn give_up_settling(&mut self, id: TaskId, what: Settling, reason: &str, now: u64) {
        let stage = match what {
            Settling::Reopen => TaskStage::ReopenFailed,
            _ => TaskStage::FinalizeFailed,
        };
        let message = Some(format!("the last transaction failed: {reason}"));
        let stages = [stage, TaskStage::Failed];
        self.fail(id, &stages, Cause::ChainReceiptNotValid, message, now);
    }

    pub(super) fn settle_again(&mut self, id: TaskId, now: u64) {
        self.reveal_deadline(id, now);
        self.finalize_if_ready(id, now);
    }

    /// No transaction but a claim is possible any more.
    pub(super) fn final_deadline(&mut self, id: TaskId, now: u64) {
        let is_open = |t: &&Task| !t.is_final() && t.terms.final_deadline_ms() <= now;
        let Some(task) = self.tasks.get(&id).filter(is_open) else {
            return;
        };
        let message = task.failure.as_ref().and_then(|f| f.message.clone());
        let cause = task
            .failure
            .as_ref()
            .map_or(Cause::RevealTimeout, |f| f.cause);
        let stages = [TaskStage::FinalDeadlineReached, TaskStage::Failed];
        self.fail(id, &stages, cause, message, now);
    }

    /// A dead task whose money is locked, from its final deadline on.
    pub(super) fn is_claimable(&self, id: TaskId, now: u64) -> bool {
        self.tasks.get(&id).is_some_and(|task| {
            let is_due = task.terms.final_deadline_ms() <= now && !task.is_settling;
            task.claims && !task.is_claimed && task.is_initialized && is_due
        })
    }

    pub(super) fn claim(&mut self, ids: &[TaskId], now: u64) {
        for id in ids {
            if let Some(task) = self.tasks.get_mut(id) {
                task.is_settling = true;
                self.at(now + CHECK_MS, Timer::Check(*id));
            }
        }
        let batches = ids.chunks(CLAIM_BATCH_MAX).map(<[TaskId]>::to_vec);
        self.effects.extend(batches.map(Effect::Claim));
    }
}

/// All winners revealed, or some did and the others have no time left (spec/contracts.md §8.6).
fn may_finalize(task: &Task, now: u64) -> bool {
    let Some(consensus) = &task.consensus else {
        return false;
    };
    let (winners, revealed) = (task.winners().count(), task.revealers().count());
    let is_over = consensus.reveal_deadline.saturating_mul(1000) <= now;
    let in_time = now < task.terms.final_deadline_ms();
    in_time && revealed > 0 && (revealed == winners || is_over)
}
