//! A result that others compute as well: contribute its hash, wait until enough agree, reveal it,
//! and upload it when asked (spec/pool-worker.md §2.13).
//!
//! The pool's orders only speed this up. The chain is looked at from time to time, so that a lost
//! order never costs a stake.

use std::time::Duration;

use protocol::{
    Bytes, Cause, TaskId,
    deal::{Contribution, ContributionStatus, Deadlines, Task, TaskStatus},
    digest,
    link::ResultLink,
    message::Report,
    status::ReplicateStatus as Status,
};

use crate::{
    Failure, Outcome,
    replicate::{Facts, Replicate, Step, at},
    resume::CHAIN_RETRY_MS,
    sandbox::Folders,
    trace::{step, traced},
};

/// Between two looks at the chain while nothing is ordered: far below any time to reveal.
const LOOK_MS: u64 = 5_000;
/// Transactions that may fail for reasons outside the task, before the worker waits for a look.
const SEND_TRIES_MAX: u32 = 3;
/// Pause between them.
const SEND_RETRY_MS: u64 = 1_000;

/// What the pool has asked of a replicate so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// The consensus may be ours: look at the chain.
    pub(crate) reveal: bool,
    /// How often the result was asked for.
    pub(crate) uploads: u32,
    /// The task is over.
    pub(crate) complete: bool,
}

impl Replicate<'_> {
    /// From a computed result to the end of the task.
    pub(crate) async fn contest(
        &self,
        facts: &Facts,
        folders: &Folders,
        outcome: &Outcome,
    ) -> Step<()> {
        if !self.has_contributed(outcome).await? {
            self.wait_active(facts)
                .await
                .map_err(at(Status::ContributeFailed))?;
            self.say(Status::Contributing);
            let sent = self.contribute_hash(outcome);
            traced(step!(self.task(), "contribute"), sent).await?;
        }
        self.say(Status::Contributed);
        self.release_slot();
        self.see_through(facts, folders, outcome).await
    }

    /// A worker that was stopped may find its contribution on chain.
    async fn has_contributed(&self, outcome: &Outcome) -> Step<bool> {
        match self.contribution_at_last().await {
            None => Ok(false),
            Some(c) if c.result_hash == self.result_hash(outcome) => Ok(true),
            Some(_) => {
                let failure = Failure::plain(Cause::ContributionAlreadySet);
                Err((Status::ContributeFailed, failure))
            }
        }
    }

    /// Asks until the chain answers: sending without knowing would be sending twice.
    async fn contribution_at_last(&self) -> Option<Contribution> {
        loop {
            match self.contribution().await {
                Ok(contribution) => return contribution,
                Err(failure) => tracing::warn!(task = %self.task(), %failure, "asking again"),
            }
            tokio::time::sleep(Duration::from_millis(CHAIN_RETRY_MS)).await;
        }
    }

    async fn contribution(&self) -> Result<Option<Contribution>, Failure> {
        let worker = self.context.actor.address();
        let read = self.hub().contribution(self.task(), worker).await;
        read.map_err(|e| Failure::from_error(Cause::ChainUnreachable, &e))
    }

    fn result_hash(&self, outcome: &Outcome) -> protocol::B256 {
        digest::result_hash(self.task(), outcome.digest)
    }

    async fn contribute_hash(&self, outcome: &Outcome) -> Step<()> {
        let mut attempt = 1;
        loop {
            let (actor, task) = (&self.context.actor, self.task());
            let sent = actor.contribute(task, outcome.digest, &self.authorization);
            let Err(error) = sent.await else {
                return Ok(());
            };
            if self.has_contributed(outcome).await? {
                return Ok(());
            }
            if attempt == SEND_TRIES_MAX || error.is_revert() {
                let failure = self.why_not(&error).await;
                return Err((Status::ContributeFailed, failure));
            }
            tracing::warn!(%task, %error, attempt, "contribution failed, trying again");
            tokio::time::sleep(Duration::from_millis(SEND_RETRY_MS)).await;
            attempt += 1;
        }
    }

    /// The chain says only that it refused; what it knows of the task says why.
    async fn why_not(&self, error: &chain::Error) -> Failure {
        let status = self.task_at_last().await;
        match status.map(|task| task.status) {
            Some(TaskStatus::Revealing | TaskStatus::Completed) => {
                Failure::plain(Cause::ConsensusReached)
            }
            Some(TaskStatus::Failed) => Failure::plain(Cause::TaskNotActive),
            _ => Failure::of_transaction(error),
        }
    }

    /// Waits, reveals, uploads, until the task is over.
    async fn see_through(&self, facts: &Facts, folders: &Folders, outcome: &Outcome) -> Step<()> {
        let mut wishes = self.wishes.clone();
        let mut uploads = 0;
        loop {
            let wish = *wishes.borrow_and_update();
            if wish.complete {
                return Ok(());
            }
            let task = self.look().await;
            if let Some(task) = &task {
                match task.status {
                    TaskStatus::Completed => return Ok(()),
                    TaskStatus::Failed => return Err(over()),
                    TaskStatus::Active => self.contribute_again(facts, outcome).await?,
                    _ => self.reveal_if_won(task, outcome).await?,
                }
                if wish.uploads > uploads && task.status == TaskStatus::Revealing {
                    uploads = wish.uploads;
                    self.hand_over(facts, folders, outcome).await;
                }
            }
            self.check_time(facts).await?;
            let look = Duration::from_millis(LOOK_MS);
            // The sender lives as long as the job, which runs this.
            let _ = tokio::time::timeout(look, wishes.changed()).await;
        }
    }

    /// The block of the contribution may be gone.
    async fn contribute_again(&self, facts: &Facts, outcome: &Outcome) -> Step<()> {
        let in_time = self.contributable(facts).await;
        match self.contribution().await {
            Ok(None) if in_time => self.contribute_hash(outcome).await,
            _ => Ok(()),
        }
    }

    async fn contributable(&self, facts: &Facts) -> bool {
        let deadline = Deadlines::of(facts.deal.start_time, facts.timeref).contribution;
        self.hub().now().await.is_ok_and(|now| now < deadline)
    }

    async fn look(&self) -> Option<Task> {
        match self.hub().task(self.task()).await {
            Ok(task) => task,
            Err(error) => {
                tracing::warn!(task = %self.task(), %error, "task not read, trying again");
                None
            }
        }
    }

    /// After the final deadline nobody can be paid any more.
    async fn check_time(&self, facts: &Facts) -> Step<()> {
        let last = Deadlines::of(facts.deal.start_time, facts.timeref).last;
        let now = self.hub().now().await.unwrap_or_default();
        if now < last { Ok(()) } else { Err(over()) }
    }

    /// Reveals when the consensus is our result and we have not revealed yet.
    async fn reveal_if_won(&self, task: &Task, outcome: &Outcome) -> Step<()> {
        let is_ours = task.status == TaskStatus::Revealing
            && task.consensus_value == self.result_hash(outcome);
        if !is_ours || self.standing().await != Some(ContributionStatus::Contributed) {
            return Ok(());
        }
        self.say(Status::Revealing);
        traced(step!(self.task(), "reveal"), self.reveal(outcome)).await
    }

    async fn reveal(&self, outcome: &Outcome) -> Step<()> {
        for attempt in 1..=SEND_TRIES_MAX {
            let sent = self.context.actor.reveal(self.task(), outcome.digest);
            let Err(error) = sent.await else {
                self.say(Status::Revealed);
                return Ok(());
            };
            if let Some(verdict) = revealed_after_all(self.standing().await, &error) {
                if verdict.is_ok() {
                    self.say(Status::Revealed);
                }
                return verdict;
            }
            tracing::warn!(task = %self.task(), %error, attempt, "reveal failed, trying again");
            tokio::time::sleep(Duration::from_millis(SEND_RETRY_MS)).await;
        }
        // The next look tries again, until the chain says that it is over.
        Ok(())
    }

    async fn standing(&self) -> Option<ContributionStatus> {
        self.contribution_at_last().await.map(|c| c.status)
    }

    /// Uploads the result for the pool, which asks somebody else if it fails.
    async fn hand_over(&self, facts: &Facts, folders: &Folders, outcome: &Outcome) {
        match self.publish(facts, folders).await {
            Ok(link) => self.say_uploaded(self.task(), &link, &outcome.callback_data),
            Err((status, failure)) => self.say_failed(status, &failure),
        }
    }

    fn say_uploaded(&self, task: TaskId, link: &ResultLink, callback: &[u8]) {
        let mut report = Report::new(task, Status::ResultUploaded);
        report.result_link = Some(String::from_utf8_lossy(&link.to_chain()).into_owned());
        report.callback_data = (!callback.is_empty()).then(|| Bytes::copy_from_slice(callback));
        self.voice.report(report);
    }
}

/// What the chain says of a contribution whose reveal failed; none when it may be tried again.
fn revealed_after_all(
    standing: Option<ContributionStatus>,
    error: &chain::Error,
) -> Option<Step<()>> {
    match standing? {
        ContributionStatus::Proved => Some(Ok(())),
        // The task was reopened meanwhile: those that were silent are out.
        ContributionStatus::Rejected => {
            let failure = Failure::from_error(Cause::CannotReveal, error);
            Some(Err((Status::RevealFailed, failure)))
        }
        _ => None,
    }
}

fn over() -> (Status, Failure) {
    (Status::Aborted, Failure::plain(Cause::TaskNotActive))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reveal_that_comes_too_late_cannot_be_made_up_for() {
        let error = chain::Error::Moving;
        let after = |standing| revealed_after_all(standing, &error);
        assert_eq!(after(Some(ContributionStatus::Proved)), Some(Ok(())));
        assert_eq!(after(Some(ContributionStatus::Contributed)), None);
        let Some(Err((status, failure))) = after(Some(ContributionStatus::Rejected)) else {
            panic!("it has to be given up");
        };
        assert_eq!(
            (status, failure.cause),
            (Status::RevealFailed, Cause::CannotReveal)
        );
    }
}
