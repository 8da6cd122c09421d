//! A result that nobody else computes: upload it, then contribute and finalize it in one
//! transaction (`design.md` §3).

use std::time::Duration;

use protocol::{
    Bytes, Cause,
    deal::{Deadlines, TaskStatus},
    link::ResultLink,
    message::{Flow, Report},
    status::ReplicateStatus as Status,
};

use crate::{
    Failure, Outcome, archive,
    replicate::{Facts, Replicate, Step, at},
    sandbox::Folders,
    trace::{step, traced},
    upload,
};

/// Sends of the final transaction that may fail for reasons outside the task.
const CONTRIBUTE_TRIES_MAX: u32 = 3;
/// Pause between them.
const CONTRIBUTE_RETRY_MS: u64 = 1_000;

impl Replicate<'_> {
    /// Waits until the chain takes contributions: the pool hands tasks out before `initialize` is
    /// mined.
    pub(crate) async fn wait_active(&self, facts: &Facts) -> Result<(), Failure> {
        let deadline = Deadlines::of(facts.deal.start_time, facts.timeref).contribution;
        let mut heads = self.hub().heads();
        loop {
            heads.mark_unchanged();
            match self.hub().task(self.task()).await {
                Ok(Some(task)) if task.status == TaskStatus::Active => return Ok(()),
                Ok(Some(_)) => return Err(Failure::plain(Cause::TaskNotActive)),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "task not read, trying again"),
            }
            let now = self.hub().now().await.unwrap_or_default();
            if now >= deadline {
                return Err(Failure::plain(Cause::ContributionTimeout));
            }
            let left = Duration::from_secs(deadline - now);
            let _ = tokio::time::timeout(left, heads.changed()).await;
        }
    }

    /// Uploads, contributes and finalizes.
    pub(crate) async fn finish(
        &self,
        facts: &Facts,
        folders: &Folders,
        outcome: &Outcome,
    ) -> Step<()> {
        if self.is_paid().await {
            return Ok(());
        }
        self.wait_active(facts)
            .await
            .map_err(at(Status::ContributeFailed))?;
        let link = self.publish(facts, folders).await?;
        if !facts.deal.has_callback() {
            let mut report = Report::new(self.task(), Status::ResultUploaded);
            report.result_link = Some(String::from_utf8_lossy(&link.to_chain()).into_owned());
            self.voice.report(report);
        }
        self.contribute(outcome, &link).await
    }

    /// A worker that was stopped may find its own result on chain.
    async fn is_paid(&self) -> bool {
        let task = self.task_at_last().await;
        task.is_some_and(|task| {
            let ours = task.contributors.contains(&self.context.actor.address());
            ours && task.status == TaskStatus::Completed
        })
    }

    /// Uploads the archive; a deal with a callback has none.
    pub(crate) async fn publish(&self, facts: &Facts, folders: &Folders) -> Step<ResultLink> {
        if facts.deal.has_callback() {
            return Ok(ResultLink::ethereum(&facts.deal.callback.to_checksum(None)));
        }
        self.say(Status::ResultUploading);
        let failed = at(Status::ResultUploadFailed);
        let deadlines = Deadlines::of(facts.deal.start_time, facts.timeref);
        let deadline = self.instant(match self.flow {
            Flow::ContributeAndFinalize => deadlines.contribution,
            Flow::ContributeAndReveal => deadlines.last,
        });
        let link = async {
            // The enclave has left its own.
            if !facts.deal.tag.is_tee() {
                archive::pack(&folders.output(), &folders.archive())?;
            }
            let wallet = self.context.actor.wallet();
            let archive = folders.archive();
            let (http, to) = (&self.context.http, self.services.clone());
            let deadline = deadline.await;
            upload::upload(http, to, wallet, &self.authorization, &archive, deadline).await
        };
        let link = traced(step!(self.task(), "upload"), link).await;
        Ok(ResultLink::ipfs(&link.map_err(failed)?))
    }

    pub(crate) async fn contribute(&self, outcome: &Outcome, link: &ResultLink) -> Step<()> {
        self.say(Status::ContributeAndFinalizeOngoing);
        let sent = self.contribute_and_finalize(outcome, link);
        let sent = traced(step!(self.task(), "contribute"), sent).await;
        sent.map_err(at(Status::ContributeAndFinalizeFailed))?;
        self.say(Status::ContributeAndFinalizeDone);
        Ok(())
    }

    async fn contribute_and_finalize(
        &self,
        outcome: &Outcome,
        link: &ResultLink,
    ) -> Result<(), Failure> {
        let mut attempt = 1;
        loop {
            let sent = self.context.actor.contribute_and_finalize(
                self.task(),
                outcome.digest,
                Bytes::from(link.to_chain()),
                Bytes::from(outcome.callback_data.clone()),
                &self.authorization,
                Bytes::from(outcome.enclave_sign.clone()),
            );
            let Err(error) = sent.await else {
                return Ok(());
            };
            if let Some(verdict) = self.verdict().await {
                return verdict;
            }
            if attempt == CONTRIBUTE_TRIES_MAX || error.is_revert() {
                return Err(Failure::of_transaction(&error));
            }
            tracing::warn!(%error, attempt, "contribution failed, trying again");
            tokio::time::sleep(Duration::from_millis(CONTRIBUTE_RETRY_MS)).await;
            attempt += 1;
        }
    }

    /// After a failed transaction: did the chain take it all the same, or somebody else's?
    async fn verdict(&self) -> Option<Result<(), Failure>> {
        // Sending again without knowing would be sending twice.
        let task = self.task_at_last().await?;
        let ours = task.contributors.contains(&self.context.actor.address());
        match task.status {
            TaskStatus::Completed if ours => Some(Ok(())),
            TaskStatus::Active if task.contributors.is_empty() => None,
            TaskStatus::Failed => Some(Err(Failure::plain(Cause::TaskNotActive))),
            _ => Some(Err(Failure::plain(Cause::TaskAlreadyContributed))),
        }
    }
}
