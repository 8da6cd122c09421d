//! One worker's go at a task, with its whole history: no cause is ever thrown away.

use protocol::{
    Address, Cause,
    message::Report,
    status::ReplicateStatus::{self, *},
};
use serde::{Deserialize, Serialize};

use super::consensus::WEIGHT_MIN;

/// One step of a replicate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// The step.
    pub status: ReplicateStatus,
    /// Milliseconds since 1970.
    pub date: u64,
    /// Why, for failures and contributed download errors.
    pub cause: Option<Cause>,
    /// What exactly, for people.
    pub message: Option<String>,
}

/// One worker's go at one task. A worker that gets the task again goes on in the same replicate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicate {
    /// Who.
    pub worker: Address,
    /// The history, oldest first; never empty.
    pub updates: Vec<Update>,
    /// Where in the history the present attempt starts.
    pub since: usize,
    /// The app's exit code, once known.
    pub exit_code: Option<i64>,
    /// The result link the worker reported.
    pub result_link: Option<String>,
    /// Whether the app's output is stored.
    pub has_logs: bool,
    /// Milliseconds since 1970 before which the same worker does not get the task again.
    pub retry_at: u64,
    /// What its contribution weighs (spec/contracts.md §12), by the score at the time.
    #[serde(default = "weight_min")]
    pub weight: u64,
    /// It should have contributed by now: another worker got the task.
    #[serde(default)]
    pub is_overdue: bool,
}

fn weight_min() -> u64 {
    WEIGHT_MIN
}

/// Updates kept of one replicate: a worker cannot fill the disk by reporting.
pub const UPDATES_MAX: usize = 200;
/// Characters kept of a message: enough for an error chain.
pub const MESSAGE_CHARS_MAX: usize = 2_000;

/// Whether a failed download is contributed as an error file instead of ending the replicate
/// (spec/pool-worker.md §1.6, last table).
pub fn is_contributed_anyway(status: ReplicateStatus, cause: Option<Cause>) -> bool {
    use Cause::*;
    match status {
        AppDownloadFailed => cause == Some(AppImageDownloadFailed),
        DataDownloadFailed => matches!(
            cause,
            Some(DatasetFileDownloadFailed | DatasetFileBadChecksum | InputFilesDownloadFailed)
        ),
        _ => false,
    }
}

impl Update {
    /// Nothing more comes after this step without a new attempt.
    pub fn is_terminal(&self) -> bool {
        let failed = self.status.is_failure() && !is_contributed_anyway(self.status, self.cause);
        failed || self.status == Completed
    }
}

impl Replicate {
    /// A worker's first go, at `CREATED`.
    pub fn new(worker: Address, weight: u64, now: u64) -> Self {
        let mut replicate = Self {
            worker,
            updates: Vec::new(),
            since: 0,
            exit_code: None,
            result_link: None,
            has_logs: false,
            retry_at: 0,
            weight,
            is_overdue: false,
        };
        replicate.push(Created, now, None, None);
        replicate
    }

    /// The last step.
    pub fn status(&self) -> ReplicateStatus {
        self.updates.last().map_or(Created, |update| update.status)
    }

    /// The worker is at it.
    pub fn is_active(&self) -> bool {
        !self.updates.last().is_some_and(Update::is_terminal)
    }

    /// The worker says that its result stands on chain; the chain may not have said so yet.
    pub fn is_done(&self) -> bool {
        self.done_at().is_some()
    }

    /// Since when it says so.
    pub fn done_at(&self) -> Option<u64> {
        let says_so = |u: &&Update| matches!(u.status, ContributeAndFinalizeDone | Completed);
        let done = self.attempt().find(says_so)?;
        (!self.status().is_failure()).then_some(done.date)
    }

    /// The worker is told to be at it and the pool lost sight of it.
    pub fn is_lost(&self) -> bool {
        self.status() == WorkerLost
    }

    /// Whether the present attempt has got to `status`.
    pub fn has(&self, status: ReplicateStatus) -> bool {
        self.attempt().any(|update| update.status == status)
    }

    /// How often it has been at `status`, in all attempts.
    pub fn count(&self, status: ReplicateStatus) -> usize {
        let updates = self.updates.iter();
        updates.filter(|update| update.status == status).count()
    }

    fn attempt(&self) -> impl Iterator<Item = &Update> {
        self.updates.iter().skip(self.since)
    }

    /// A new attempt by the same worker: steps may come again.
    pub fn restart(&mut self, status: ReplicateStatus, now: u64) {
        self.push(status, now, None, None);
        self.since = self.updates.len() - 1;
        self.is_overdue = false;
    }

    /// Adds a step.
    pub fn push(
        &mut self,
        status: ReplicateStatus,
        date: u64,
        cause: Option<Cause>,
        message: Option<String>,
    ) {
        if self.updates.len() >= UPDATES_MAX {
            self.updates.remove(1);
            self.since = self.since.saturating_sub(1);
        }
        let message = message.map(|text| text.chars().take(MESSAGE_CHARS_MAX).collect());
        self.updates.push(Update {
            status,
            date,
            cause,
            message,
        });
    }

    /// Takes from a report what is new whatever its status.
    pub fn merge(&mut self, report: &Report) {
        self.exit_code = report.exit_code.or(self.exit_code);
        self.has_logs |= report.logs.is_some();
        if let Some(link) = &report.result_link {
            self.result_link = Some(link.chars().take(MESSAGE_CHARS_MAX).collect());
        }
    }

    /// Whether a report is news: further than the attempt has been, or its end. Repeated and
    /// reordered reports are not.
    pub fn is_news(&self, report: &Report) -> bool {
        let reached = self.attempt().map(|u| u.status).filter(|s| *s < Recovering);
        let further = reached.max().is_none_or(|highest| report.status > highest);
        let ends = report.status.is_failure()
            && !is_contributed_anyway(report.status, report.cause)
            && !self.has(report.status);
        further || ends
    }

    /// Files a report that came after the end of the story where it belongs: before the end.
    pub fn insert_late(&mut self, report: &Report) {
        let end = |u: &Update| matches!(u.status, ContributeAndFinalizeDone | Completed);
        let Some(at) = self.updates.iter().position(end) else {
            return;
        };
        let date = self.updates[at].date;
        if self.has(report.status) || report.status >= ContributeAndFinalizeDone {
            return;
        }
        let message = report.message.clone();
        self.push(report.status, date, report.cause, message);
        if let Some(update) = self.updates.pop() {
            self.updates.insert(at.min(self.updates.len()), update);
        }
    }

    /// The link of the result, if it is uploaded.
    pub fn uploaded_link(&self) -> Option<&str> {
        self.has(ResultUploaded).then_some(())?;
        self.result_link.as_deref()
    }

    /// The first cause of the present attempt: the root of what followed.
    pub fn root_failure(&self) -> Option<&Update> {
        self.attempt().find(|update| update.cause.is_some())
    }
}
