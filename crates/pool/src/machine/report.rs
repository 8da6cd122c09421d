//! What workers say about their replicates.

use protocol::{
    Address, Cause, TaskId,
    message::Report,
    status::ReplicateStatus::{self, *},
};

use super::{
    CHECK_MS, Command, Effect, LOGS_KEPT_S, Machine,
    replicate::is_contributed_anyway,
    task::{Failure, Task},
    timer::Timer,
};

impl Machine {
    /// Every report is acknowledged, news or not: the worker must be able to forget it.
    pub(super) fn reported(&mut self, worker: Address, seq: u64, report: Report, now: u64) {
        self.take_report(worker, report, now);
        self.effects.push(Effect::Acknowledge { worker, seq });
    }

    fn take_report(&mut self, worker: Address, report: Report, now: u64) {
        let id = report.task;
        if let Some(entry) = self.workers.get_mut(&worker) {
            entry.unheard.remove(&id);
        }
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        let Some(replicate) = task.replicate(worker) else {
            let cause = Cause::TaskNotActive;
            return self.order(worker, Command::Abort { task: id, cause });
        };
        let (is_active, is_news) = (replicate.is_active(), replicate.is_news(&report));
        let is_final = task.is_final();
        self.take_details(id, worker, &report);
        if is_active && !is_final {
            if is_news {
                self.advance(id, worker, report, now);
            }
        } else if is_final {
            self.file_late(id, worker, &report);
        }
    }

    fn take_details(&mut self, id: TaskId, worker: Address, report: &Report) {
        let Some(replicate) = self.replicate_mut(id, worker) else {
            return;
        };
        replicate.merge(report);
        let Some(logs) = report.logs.clone() else {
            return;
        };
        let Some(terms) = self.terms_of(id) else {
            return;
        };
        let save = Effect::SaveLogs {
            task: id,
            worker,
            logs,
            purge_at: terms.final_deadline.saturating_add(LOGS_KEPT_S),
        };
        self.effects.push(save);
        self.effects.push(Effect::SaveTask(id));
    }

    fn file_late(&mut self, id: TaskId, worker: Address, report: &Report) {
        if let Some(replicate) = self.replicate_mut(id, worker) {
            replicate.insert_late(report);
            self.effects.push(Effect::SaveTask(id));
        }
    }

    fn advance(&mut self, id: TaskId, worker: Address, report: Report, now: u64) {
        let (status, cause) = (report.status, report.cause);
        let fails = status.is_failure() && !is_contributed_anyway(status, cause);
        let has_contributed = |t: &Task| t.contribution(worker).is_some();
        if fails && !self.tasks.get(&id).is_some_and(has_contributed) {
            let cause = cause.unwrap_or(default_cause(status));
            return self.attempt_failed(id, worker, status, cause, report.message, now);
        }
        let failure = cause.map(|cause| Failure::new(cause, report.message.clone()));
        self.push_step(id, worker, status, failure, now);
        self.run_if_started(id, now);
        match status {
            AppDownloaded => self.learn_image(id, worker),
            ContributeAndFinalizeDone | Revealed => self.at(now + CHECK_MS, Timer::Check(id)),
            Contributed => {
                self.hold(worker, id);
                self.at(now + CHECK_MS, Timer::Check(id));
            }
            ResultUploaded if self.reveals(id) => self.uploaded(id, worker, &report, now),
            ResultUploadFailed => self.upload_failed(id, worker, now),
            Completed => self.release(worker, id),
            _ => {}
        }
    }
}

impl Machine {
    /// The next task of the same app finds its image there.
    fn learn_image(&mut self, id: TaskId, worker: Address) {
        let image = self.terms_of(id).map(|terms| terms.checksum);
        if let (Some(entry), Some(image)) = (self.workers.get_mut(&worker), image) {
            entry.learn_image(image);
        }
    }
}

fn default_cause(status: ReplicateStatus) -> Cause {
    match status {
        ReplicateStatus::Aborted => Cause::AbortedByWorker,
        _ => Cause::Unknown,
    }
}
