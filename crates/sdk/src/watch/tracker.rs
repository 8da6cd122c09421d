//! The rules of a watch. Pure: events in, updates out.

use std::collections::{HashMap, HashSet};

use protocol::{
    Address, Cause,
    deal::TaskStatus,
    message::{Phase, Stream},
    status::{ReplicateStatus, TaskStage},
};

use crate::{
    services::pool::{PoolEvent, StatusEvent},
    watch::{Failure, Outcome, Stage, Update},
};

/// What is known of one task.
#[derive(Debug)]
pub struct Tracker {
    stage: Stage,
    failure: Option<Failure>,
    outcome: Option<Outcome>,
    /// Pool says completed: the chain is about to say so too.
    pool_is_done: bool,
    /// Replicates of one task print the same: only the first one is shown.
    speaker: Option<Address>,
    /// Up to where each stream is shown: its run and offset.
    shown: HashMap<Stream_, (u64, u64)>,
    /// A worker contributes its report of a failed download: the task completes on chain although
    /// the app never ran (spec/pool-worker.md §2.9).
    not_run: Option<Failure>,
    failures_seen: HashSet<(Option<Address>, Option<String>)>,
}

type Stream_ = (Option<Address>, bool);

impl Default for Tracker {
    fn default() -> Self {
        Self {
            stage: Stage::Matched,
            failure: None,
            outcome: None,
            pool_is_done: false,
            speaker: None,
            shown: HashMap::new(),
            not_run: None,
            failures_seen: HashSet::new(),
        }
    }
}

impl Tracker {
    /// How it ended, once it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Whether the chain is worth asking again at once.
    pub fn is_pool_done(&self) -> bool {
        self.pool_is_done
    }

    /// The final deadline passed.
    pub fn on_deadline(&mut self) {
        self.outcome
            .get_or_insert(Outcome::TimedOut(self.failure.clone()));
    }

    /// What the chain says; none while the task is not initialised.
    pub fn on_chain(&mut self, status: Option<TaskStatus>) -> Vec<Update> {
        match status.unwrap_or(TaskStatus::Unset) {
            TaskStatus::Unset => Vec::new(),
            TaskStatus::Active => self.advance(Stage::Initialized),
            TaskStatus::Revealing => self.advance(Stage::Revealing),
            TaskStatus::Completed => {
                let ended = match self.not_run.take() {
                    Some(failure) => Outcome::Failed(Some(failure)),
                    None => Outcome::Completed,
                };
                self.outcome.get_or_insert(ended);
                self.advance(Stage::Finalized)
            }
            TaskStatus::Failed => {
                self.outcome
                    .get_or_insert(Outcome::Failed(self.failure.clone()));
                Vec::new()
            }
        }
    }

    /// What the pool says.
    pub fn on_pool(&mut self, event: PoolEvent) -> Vec<Update> {
        match event {
            PoolEvent::Status(status) => self.on_status(status),
            PoolEvent::Progress { phase, percent, .. } => self.on_progress(phase, percent),
            PoolEvent::Log {
                worker,
                run,
                stream,
                offset,
                text,
                ..
            } => self.on_log(worker, stream, (run, offset), text),
            PoolEvent::Gap {
                worker,
                stream,
                missing,
            } if self.is_speaker(worker) => vec![Update::Missing {
                stream,
                bytes: missing,
            }],
            PoolEvent::Gap { .. } | PoolEvent::End => Vec::new(),
        }
    }

    fn on_progress(&mut self, phase: Phase, percent: u8) -> Vec<Update> {
        let (stage, last) = match phase {
            Phase::Image => (Stage::Pulling(Some(percent)), Stage::Pulling(Some(100))),
            Phase::App => (Stage::Running(Some(percent)), Stage::Running(Some(100))),
        };
        match self.stage <= last {
            true => self.advance(stage),
            false => Vec::new(),
        }
    }

    fn on_status(&mut self, status: StatusEvent) -> Vec<Update> {
        let mut updates = Vec::new();
        if let Some(step) = status.replicate_status {
            updates.extend(self.on_replicate(step, &status));
        } else if let Some(cause) = status.cause {
            self.failure = Some(Failure {
                cause,
                message: status.message.clone(),
            });
        }
        match status.task_status {
            Some(TaskStage::Failed) => {
                self.outcome
                    .get_or_insert(Outcome::Failed(self.failure.clone()));
            }
            Some(TaskStage::Completed) => self.pool_is_done = true,
            Some(TaskStage::Received | TaskStage::Initializing) | None => {}
            Some(_) => updates.extend(self.advance(Stage::Initialized)),
        }
        updates
    }

    fn on_replicate(&mut self, step: ReplicateStatus, status: &StatusEvent) -> Vec<Update> {
        use ReplicateStatus::{AppDownloadFailed, Computing, DataDownloadFailed};
        if step.is_failure() || status.cause.is_some() {
            let cause = status.cause.unwrap_or(Cause::Unknown);
            let failure = Failure {
                cause,
                message: status.message.clone(),
            };
            self.failure = Some(failure.clone());
            if matches!(step, AppDownloadFailed | DataDownloadFailed) {
                self.not_run = Some(failure.clone());
            }
            if !self
                .failures_seen
                .insert((status.worker, status.date.clone()))
            {
                return Vec::new();
            }
            if step.is_failure() {
                // another worker may begin from the start
                self.stage = self.stage.min(Stage::Initialized);
                self.speaker = self
                    .speaker
                    .filter(|speaker| Some(*speaker) != status.worker);
            }
            return vec![Update::ReplicateFailed {
                worker: status.worker,
                failure,
            }];
        }
        if step == Computing {
            self.not_run = None;
        }
        match stage_of(step) {
            Some(stage) => self.advance(stage),
            None => Vec::new(),
        }
    }

    /// The first worker that speaks is listened to, until it gives up.
    fn is_speaker(&mut self, worker: Option<Address>) -> bool {
        worker.is_none_or(|worker| *self.speaker.get_or_insert(worker) == worker)
    }

    /// Shows what is new of it: a pool that was started again may repeat itself.
    fn on_log(
        &mut self,
        worker: Option<Address>,
        stream: Stream,
        (run, offset): (u64, u64),
        mut text: String,
    ) -> Vec<Update> {
        if !self.is_speaker(worker) {
            return Vec::new();
        }
        let shown = self
            .shown
            .entry((worker, stream == Stream::Stderr))
            .or_default();
        if shown.0 != run {
            *shown = (run, 0);
        }
        let end = offset + text.len() as u64;
        let known = usize::try_from(shown.1.saturating_sub(offset)).unwrap_or(usize::MAX);
        text = text.get(known..).unwrap_or_default().to_owned();
        shown.1 = shown.1.max(end);
        match text.is_empty() {
            true => Vec::new(),
            false => vec![Update::Output { stream, text }],
        }
    }

    /// Stages only go forward: several replicates are at different ones.
    fn advance(&mut self, stage: Stage) -> Vec<Update> {
        if stage <= self.stage {
            return Vec::new();
        }
        self.stage = stage;
        vec![Update::Stage(stage)]
    }
}

fn stage_of(step: ReplicateStatus) -> Option<Stage> {
    use ReplicateStatus::*;
    match step {
        AppDownloading => Some(Stage::Pulling(None)),
        DataDownloading => Some(Stage::Fetching),
        Computing => Some(Stage::Running(None)),
        ResultUploading => Some(Stage::Uploading),
        Contributing | ContributeAndFinalizeOngoing => Some(Stage::Contributing),
        Revealing => Some(Stage::Revealing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Address = Address::repeat_byte(1);
    const B: Address = Address::repeat_byte(2);

    fn step(worker: Address, step: ReplicateStatus) -> PoolEvent {
        PoolEvent::Status(StatusEvent {
            replicate_status: Some(step),
            worker: Some(worker),
            ..StatusEvent::default()
        })
    }

    fn failed(worker: Address, cause: Cause) -> PoolEvent {
        PoolEvent::Status(StatusEvent {
            replicate_status: Some(ReplicateStatus::ComputeFailed),
            worker: Some(worker),
            date: Some("1".to_owned()),
            cause: Some(cause),
            message: Some("exit code 3".to_owned()),
            ..StatusEvent::default()
        })
    }

    fn task(stage: TaskStage) -> PoolEvent {
        PoolEvent::Status(StatusEvent {
            task_status: Some(stage),
            ..StatusEvent::default()
        })
    }

    fn stages(updates: Vec<Update>) -> Vec<String> {
        let names = updates.into_iter().map(|update| match update {
            Update::Stage(stage) => stage.to_string(),
            other => format!("{other:?}"),
        });
        names.collect()
    }

    fn progress(tracker: &mut Tracker, phase: Phase, percent: u8) -> Vec<String> {
        stages(tracker.on_pool(PoolEvent::Progress {
            worker: Some(A),
            phase,
            percent,
        }))
    }

    #[test]
    fn a_task_goes_through_its_stages_once() {
        let mut tracker = Tracker::default();
        assert_eq!(stages(tracker.on_chain(None)), Vec::<String>::new());
        assert_eq!(
            stages(tracker.on_chain(Some(TaskStatus::Active))),
            ["initialized"]
        );
        assert_eq!(
            stages(tracker.on_pool(task(TaskStage::Running))),
            Vec::<String>::new()
        );
        let pull = |tracker: &mut Tracker, percent| progress(tracker, Phase::Image, percent);
        assert_eq!(
            stages(tracker.on_pool(step(A, ReplicateStatus::AppDownloading))),
            ["pulling"]
        );
        assert_eq!(pull(&mut tracker, 43), ["pulling 43 %"]);
        assert_eq!(pull(&mut tracker, 40), Vec::<String>::new());
        assert_eq!(
            stages(tracker.on_pool(step(A, ReplicateStatus::Computing))),
            ["running"]
        );
        assert_eq!(pull(&mut tracker, 90), Vec::<String>::new());
        let app = progress(&mut tracker, Phase::App, 42);
        assert_eq!(app, ["running 42 %"]);
        let late = tracker.on_pool(step(B, ReplicateStatus::AppDownloading));
        assert!(late.is_empty(), "{late:?}");
        assert!(tracker.outcome().is_none());
        assert_eq!(
            stages(tracker.on_chain(Some(TaskStatus::Completed))),
            ["finalized"]
        );
        assert_eq!(tracker.outcome(), Some(&Outcome::Completed));
    }

    #[test]
    fn a_failed_task_ends_with_the_cause_of_its_replicate() {
        let mut tracker = Tracker::default();
        let updates = tracker.on_pool(failed(A, Cause::AppComputeFailed));
        assert!(matches!(
            &updates[..],
            [Update::ReplicateFailed {
                worker: Some(A),
                ..
            }]
        ));
        assert!(
            tracker
                .on_pool(failed(A, Cause::AppComputeFailed))
                .is_empty(),
            "told twice"
        );
        assert!(tracker.outcome().is_none(), "another worker may take over");
        tracker.on_pool(task(TaskStage::Failed));
        let Some(Outcome::Failed(Some(failure))) = tracker.outcome() else {
            panic!()
        };
        assert_eq!(failure.cause, Cause::AppComputeFailed);
        assert_eq!(
            failure.to_string(),
            "APP_COMPUTE_FAILED: the app ended with an exit code other than 0 (exit code 3)"
        );
    }

    #[test]
    fn a_contributed_download_error_is_no_success() {
        let download_failed = |worker| {
            PoolEvent::Status(StatusEvent {
                replicate_status: Some(ReplicateStatus::DataDownloadFailed),
                worker: Some(worker),
                cause: Some(Cause::InputFilesDownloadFailed),
                ..StatusEvent::default()
            })
        };
        let mut tracker = Tracker::default();
        tracker.on_pool(download_failed(A));
        tracker.on_chain(Some(TaskStatus::Completed));
        assert!(matches!(tracker.outcome(), Some(Outcome::Failed(Some(_)))));
        let mut tracker = Tracker::default();
        tracker.on_pool(download_failed(A));
        tracker.on_pool(step(B, ReplicateStatus::Computing));
        tracker.on_chain(Some(TaskStatus::Completed));
        assert_eq!(tracker.outcome(), Some(&Outcome::Completed));
    }

    #[test]
    fn the_deadline_ends_a_silent_task() {
        let mut tracker = Tracker::default();
        tracker.on_deadline();
        assert_eq!(tracker.outcome(), Some(&Outcome::TimedOut(None)));
    }

    fn log(worker: Address, run: u64, offset: u64, text: &str) -> PoolEvent {
        PoolEvent::Log {
            worker: Some(worker),
            run,
            stream: Stream::Stdout,
            offset,
            text: text.to_owned(),
            position: String::new(),
        }
    }

    fn texts(updates: Vec<Update>) -> Vec<String> {
        let texts = updates.into_iter().filter_map(|update| match update {
            Update::Output { text, .. } => Some(text),
            _ => None,
        });
        texts.collect()
    }

    #[test]
    fn one_replicate_speaks_and_nothing_is_said_twice() {
        let mut tracker = Tracker::default();
        assert_eq!(texts(tracker.on_pool(log(A, 1, 0, "héllo "))), ["héllo "]);
        assert!(tracker.on_pool(log(B, 1, 0, "hello ")).is_empty());
        let again = log(A, 1, 0, "héllo wor");
        assert_eq!(texts(tracker.on_pool(again)), ["wor"]);
        assert!(tracker.on_pool(log(A, 1, 0, "héllo")).is_empty());
        assert_eq!(texts(tracker.on_pool(log(A, 1, 10, "ld"))), ["ld"]);
        assert_eq!(texts(tracker.on_pool(log(A, 2, 0, "anew"))), ["anew"]);
        tracker.on_pool(failed(A, Cause::AppComputeFailed));
        assert_eq!(texts(tracker.on_pool(log(B, 1, 6, "again"))), ["again"]);
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut tracker = Tracker::default();
        tracker.on_pool(log(A, 1, 0, "one"));
        let gap = |worker| PoolEvent::Gap {
            worker: Some(worker),
            stream: Stream::Stdout,
            missing: 7,
        };
        assert!(tracker.on_pool(gap(B)).is_empty());
        let (stream, bytes) = (Stream::Stdout, 7);
        assert_eq!(tracker.on_pool(gap(A)), [Update::Missing { stream, bytes }]);
        assert_eq!(texts(tracker.on_pool(log(A, 1, 10, "two"))), ["two"]);
    }
}
