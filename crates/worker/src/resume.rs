//! Going on where an earlier process was stopped: with its container, or with its result.

use std::{
    sync::PoisonError,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use protocol::{Bytes, Cause, deal::Task, message::Report, status::ReplicateStatus as Status};

use crate::{
    Failure, Outcome,
    journal::{Computed, Journal},
    replicate::{Facts, Replicate, Step, at, run_time},
    sandbox::{self, Folders},
};

/// Pause before a chain that does not answer is asked again.
pub(crate) const CHAIN_RETRY_MS: u64 = 1_000;

impl Replicate<'_> {
    /// None when there is nothing to go on with: the task begins anew.
    pub(crate) async fn resume(&self, journal: &Journal) -> Option<Step<()>> {
        let folders = Folders::adopt(&self.folder());
        folders.keep();
        // First of all: an abort ends the rest, and the output is wanted all the same.
        if let Some(report) = &journal.report {
            self.voice.report(report.clone());
        }
        let facts = match self.unless_aborted(self.facts_at_last()).await {
            Ok(facts) => facts,
            Err(error) => {
                if self.is_heard().await {
                    folders.forget();
                }
                return Some(Err(error));
            }
        };
        let Some(computed) = &journal.computed else {
            folders.forget();
            return self.find_again(journal, &facts, &folders).await;
        };
        let outcome = Outcome {
            digest: computed.digest,
            callback_data: computed.callback_data.to_vec(),
            enclave_sign: computed.enclave_sign.to_vec(),
        };
        Some(self.deliver(&facts, &folders, &outcome).await)
    }

    /// Waits until the pool has stored what was said of the task; not when the worker stops.
    pub(crate) async fn is_heard(&self) -> bool {
        tokio::select! {
            () = self.voice.heard(self.task()) => true,
            () = self.shutdown.cancelled() => false,
        }
    }

    /// Waits for the container that the earlier process started, if the engine still has it.
    async fn find_again(
        &self,
        journal: &Journal,
        facts: &Facts,
        folders: &Folders,
    ) -> Option<Step<()>> {
        self.say(Status::Computing);
        let told = self.told();
        let run = sandbox::Found {
            name: self.container(),
            limits: self.context.config.limits(),
            deadline: journal.time_left(run_time(facts), now_ms()),
        };
        let engine = self.context.engine.as_ref();
        let found = sandbox::adopt(engine, folders, run, &told, self.cancel.clone()).await;
        let ran = found.transpose()?;
        tracing::info!(task = %self.task(), "its container was found again");
        if let Err(error) = self.ran(ran, &told, folders) {
            return Some(Err(error));
        }
        Some(self.conclude(facts, folders).await)
    }

    /// Asks until the chain answers: the stake may be in it.
    async fn facts_at_last(&self) -> Step<Facts> {
        loop {
            match self.facts().await {
                Err(failure) if failure.cause == Cause::ChainUnreachable => {
                    tracing::warn!(task = %self.task(), %failure, "asking again");
                }
                facts => return facts.map_err(at(Status::StartFailed)),
            }
            tokio::time::sleep(Duration::from_millis(CHAIN_RETRY_MS)).await;
        }
    }

    /// The task as the chain has it, as soon as the chain answers; none while it is not there.
    pub(crate) async fn task_at_last(&self) -> Option<Task> {
        loop {
            match self.hub().task(self.task()).await {
                Ok(task) => return task,
                Err(error) => tracing::warn!(task = %self.task(), %error, "asking again"),
            }
            tokio::time::sleep(Duration::from_millis(CHAIN_RETRY_MS)).await;
        }
    }

    /// From here on a restart looks for the container.
    pub(crate) fn note_running(&self, folders: &Folders) -> Step<()> {
        self.save(None, Status::ComputeFailed)?;
        // A worker that is stopped in order ends its containers.
        folders.forget();
        Ok(())
    }

    /// From here on a restart does not compute again.
    pub(crate) fn keep(&self, folders: &Folders, outcome: &Outcome) -> Step<()> {
        folders.keep();
        let computed = Computed {
            digest: outcome.digest,
            callback_data: Bytes::copy_from_slice(&outcome.callback_data),
            enclave_sign: Bytes::copy_from_slice(&outcome.enclave_sign),
        };
        self.save(Some(computed), Status::ContributeFailed)
    }

    fn save(&self, computed: Option<Computed>, failed: Status) -> Step<()> {
        let journal = Journal {
            authorization: self.authorization.clone(),
            flow: self.flow,
            result_proxy: self.services.borrow().result_proxy.clone(),
            started_ms: now_ms(),
            report: self.report_of_the_end(),
            computed,
        };
        let saved = journal.save(&self.folder());
        let cause = |e| Failure::from_error(Cause::PostComputeUnknown, &e);
        saved.map_err(cause).map_err(at(failed))
    }

    fn report_of_the_end(&self) -> Option<Report> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.clone()
    }

    /// Whether there is a result to go on with after a restart.
    pub(crate) fn is_kept(&self) -> bool {
        Journal::load(&self.folder()).is_some_and(|journal| journal.computed.is_some())
    }
}

/// Milliseconds since 1970: a container's time goes on while no worker looks.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
