//! Whose fault a failure is, and what follows: an app's failure is final at once, because it
//! would fail anywhere; anything else goes to another worker.

use protocol::{
    Address, Cause, TaskId,
    status::{ReplicateStatus, TaskStage},
};

use super::{
    Command, Effect, LOSSES_MAX, Machine, REPLICATES_MAX, RETRY_SAME_WORKER_MS, consensus,
    replicate::Replicate,
    task::{Failure, Task},
    timer::Timer,
};

/// Another worker would fail in the same way: the app, or what the deal asks, is at fault.
fn is_final(cause: Cause) -> bool {
    use Cause::*;
    matches!(
        cause,
        AppComputeFailed
            | AppComputeTimeout
            | ComputedFileNotFound
            | ResultDigestComputationFailed
            | OutFolderZipFailed
            | TooLongResultFileName
            | SendComputedFileFailed
            | PostComputeUnknown
            | DeterminismHashNotFound
            | TaskDescriptionInvalid
            | TrustNot1
    )
}

/// The secret manager would say the same to any worker: something is missing that somebody has to
/// push first, or pool and deal do not fit. What it could not read or store just now is no verdict.
fn is_final_for_the_sms(cause: Cause) -> bool {
    use Cause::*;
    matches!(
        cause,
        SessionNoMatchOnchainType
            | SessionInvalidSignature
            | SessionEmptyTeeChallenge
            | SessionDatasetSecretFailed
            | SessionNoEnclaveConfig
            | SessionInvalidEnclaveConfig
            | SessionEmptyBeneficiaryKey
            | SessionStorageTokensFailed
            | SessionNoTeeFramework
            | SessionGetTaskDescriptionFailed
    )
}

/// What the enclave found wrong with the session, the dataset or the key of the beneficiary. A
/// download that failed may work elsewhere, and so may the attestation.
fn is_final_for_the_enclave(cause: Cause) -> bool {
    use Cause::*;
    matches!(
        cause,
        PreDatasetUrlMissing
            | PreDatasetKeyMissing
            | PreDatasetChecksumMissing
            | PreDatasetFilenameMissing
            | PreInvalidDatasetChecksum
            | PreDatasetDecryptionFailed
            | PostEncryptionKeyMissing
            | PostMalformedEncryptionKey
            | DropboxUploadFailed
    )
}

/// Other workers would fail in the same way.
fn is_anybodys(cause: Cause) -> bool {
    is_final(cause) || is_final_for_the_sms(cause) || is_final_for_the_enclave(cause)
}

/// The chain knows more about the task than we do.
fn asks_the_chain(cause: Cause) -> bool {
    use Cause::*;
    matches!(
        cause,
        TaskNotActive
            | TaskAlreadyContributed
            | ContributionAlreadySet
            | ConsensusReached
            | SessionTaskNotActive
    )
}

impl Machine {
    /// A worker's attempt is over without a result.
    pub(super) fn attempt_failed(
        &mut self,
        id: TaskId,
        worker: Address,
        status: ReplicateStatus,
        cause: Cause,
        message: Option<String>,
        now: u64,
    ) {
        let failure = Failure::new(cause, message);
        self.push_step(id, worker, status, Some(failure.clone()), now);
        self.order(worker, Command::Abort { task: id, cause });
        self.release(worker, id);
        if is_anybodys(cause) {
            return self.app_failed(id, worker, failure, now);
        }
        if asks_the_chain(cause) {
            self.effects.push(Effect::Check(vec![id]));
        }
        self.try_another(id, worker, failure, now);
    }

    /// One worker's word that the app fails weighs as much as its contribution would: the task is
    /// over when those that say so are as many as the trust takes.
    fn app_failed(&mut self, id: TaskId, worker: Address, failure: Failure, now: u64) {
        let root = self.root_cause(id, worker).unwrap_or(failure);
        let says_so = |r: &Replicate| {
            let last = r.updates.last().and_then(|u| u.cause);
            !r.is_active() && last.is_some_and(is_anybodys)
        };
        let Some(task) = self.tasks.get_mut(&id).filter(|t| !t.is_final()) else {
            return;
        };
        task.failure = Some(root.clone());
        if task.is_failure_agreed(says_so) {
            let stages = [TaskStage::RunningFailed, TaskStage::Failed];
            return self.fail(id, &stages, root.cause, root.message, now);
        }
        if let Some(replicate) = self.replicate_mut(id, worker) {
            replicate.retry_at = u64::MAX;
        }
        self.effects.push(Effect::SaveTask(id));
        self.enqueue_if_wanted(id);
    }

    /// An app that crashed before it wrote computed.json failed because it crashed.
    fn root_cause(&self, id: TaskId, worker: Address) -> Option<Failure> {
        let update = self.tasks.get(&id)?.replicate(worker)?.root_failure()?;
        let cause = update.cause.filter(|cause| is_final(*cause))?;
        Some(Failure::new(cause, update.message.clone()))
    }

    fn try_another(&mut self, id: TaskId, worker: Address, failure: Failure, now: u64) {
        if let Some(replicate) = self.replicate_mut(id, worker) {
            replicate.retry_at = now + RETRY_SAME_WORKER_MS;
        }
        let Some(task) = self.tasks.get_mut(&id).filter(|t| !t.is_final()) else {
            return;
        };
        // An operator who stops a worker says nothing about the task.
        match failure.cause {
            Cause::AbortedByWorker => task.losses += 1,
            _ => task.failures += 1,
        }
        task.failure = Some(failure.clone());
        let workers = consensus::workers_needed(task.terms.trust);
        if task.failures >= REPLICATES_MAX * workers || task.losses > LOSSES_MAX * workers {
            let stages = [TaskStage::RunningFailed, TaskStage::Failed];
            return self.fail(id, &stages, failure.cause, failure.message, now);
        }
        self.at(now + RETRY_SAME_WORKER_MS, Timer::Assign);
        self.enqueue_if_wanted(id);
    }

    pub(super) fn enqueue_if_wanted(&mut self, id: TaskId) {
        if self.tasks.get(&id).is_some_and(Task::wants_workers) {
            self.enqueue(id);
        }
    }
}
