//! The official names of what a task and a replicate are doing (spec/pool-worker.md §1.5, §1.6).

use serde::{Deserialize, Serialize};

/// A task as the pool sees it; serialised with the official names (`RESULT_UPLOADED`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(
    missing_docs,
    reason = "the official names say it; the order of the list is their order"
)]
pub enum TaskStage {
    Received,
    Initializing,
    Initialized,
    InitializeFailed,
    Running,
    RunningFailed,
    ContributionTimeout,
    ConsensusReached,
    Reopening,
    Reopened,
    ReopenFailed,
    AtLeastOneRevealed,
    ResultUploading,
    ResultUploaded,
    ResultUploadTimeout,
    Finalizing,
    Finalized,
    FinalizeFailed,
    FinalDeadlineReached,
    Completed,
    Failed,
}

impl TaskStage {
    /// Nothing more will happen to the task in the pool.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// A replicate (one worker's go at a task); serialised with the official names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(
    missing_docs,
    reason = "the official names say it; the order of the list is their order"
)]
pub enum ReplicateStatus {
    Created,
    Starting,
    StartFailed,
    Started,
    AppDownloading,
    AppDownloadFailed,
    AppDownloaded,
    DataDownloading,
    DataDownloadFailed,
    DataDownloaded,
    Computing,
    ComputeFailed,
    Computed,
    Contributing,
    ContributeFailed,
    Contributed,
    Revealing,
    RevealFailed,
    Revealed,
    ResultUploadRequested,
    ResultUploading,
    ResultUploadFailed,
    ResultUploaded,
    ContributeAndFinalizeOngoing,
    ContributeAndFinalizeFailed,
    ContributeAndFinalizeDone,
    Completing,
    CompleteFailed,
    Completed,
    Failed,
    Aborted,
    Recovering,
    WorkerLost,
}

impl ReplicateStatus {
    /// The worker gave up at this step (spec/pool-worker.md §1.6, the failure set, and abort).
    pub fn is_failure(self) -> bool {
        use ReplicateStatus::*;
        matches!(
            self,
            StartFailed
                | AppDownloadFailed
                | DataDownloadFailed
                | ComputeFailed
                | ContributeFailed
                | RevealFailed
                | ResultUploadFailed
                | ContributeAndFinalizeFailed
                | CompleteFailed
                | Failed
                | Aborted
                | WorkerLost
        )
    }

    /// The official text, e.g. `APP_DOWNLOADING`.
    pub fn name(self) -> String {
        name_of(&self)
    }
}

impl TaskStage {
    /// The official text, e.g. `RESULT_UPLOADED`.
    pub fn name(self) -> String {
        name_of(&self)
    }
}

fn name_of<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_official_ones() {
        assert_eq!(
            TaskStage::AtLeastOneRevealed.name(),
            "AT_LEAST_ONE_REVEALED"
        );
        assert_eq!(
            ReplicateStatus::ContributeAndFinalizeDone.name(),
            "CONTRIBUTE_AND_FINALIZE_DONE"
        );
        assert!(TaskStage::Failed.is_final() && !TaskStage::Running.is_final());
        assert!(ReplicateStatus::WorkerLost.is_failure());
    }
}
