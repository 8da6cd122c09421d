//! Transactions that end tasks, and the scores they change.

use chain::Settlement;
use futures_util::future::join_all;
use protocol::Address;
use tokio::sync::Semaphore;
use tracing::{Span, debug, warn};

use super::{Input, Shell, error_text};
use crate::{
    Error,
    ledger::Ledger,
    machine::{Event, Settling},
    trace::{note_failure, step},
};

/// Transactions that end tasks on their way at the same time: a bag ends all at once.
pub(crate) const SETTLE_AT_ONCE: usize = 64;

impl Shell {
    pub(crate) fn settle_slots() -> std::sync::Arc<Semaphore> {
        std::sync::Arc::new(Semaphore::new(SETTLE_AT_ONCE))
    }

    /// Sends what is to be sent now; what the chain makes of it comes as its events.
    pub(super) fn settle(&mut self) {
        while let Some(calls) = self.gathering.next() {
            let (ledger, slots) = (self.ledger.clone(), self.settle_slots.clone());
            self.errand(async move {
                let _slot = slots.acquire_owned().await;
                Input::Settled(send_all(ledger.as_ref(), calls).await)
            });
        }
    }

    pub(super) fn read_scores(&self, workers: Vec<Address>) {
        let (ledger, slots) = (self.ledger.clone(), self.settle_slots.clone());
        self.job(async move {
            let _slot = slots.acquire_owned().await;
            scores(ledger.as_ref(), workers).await
        });
    }
}

async fn scores(ledger: &dyn Ledger, workers: Vec<Address>) -> Event {
    let mut scores = Vec::with_capacity(workers.len());
    for worker in workers {
        match ledger.score(worker).await {
            Ok(score) => scores.push((worker, score)),
            // Until the next reading it counts as it did.
            Err(error) => warn!(%worker, %error, "a worker's score cannot be read"),
        }
    }
    Event::Scored(scores)
}

/// Sends calls in one transaction. Those that the contract refuses together are sent again by
/// halves, until what spoils it stands alone and everything else is done.
async fn send_all(ledger: &dyn Ledger, calls: Vec<Settlement>) -> Vec<Event> {
    let mut failed = Vec::new();
    let mut groups = vec![calls];
    while !groups.is_empty() {
        let sent = groups.drain(..).map(|group| async {
            let steps = steps(&group);
            let sent = ledger.settle(&group).await;
            if let Err(error) = &sent {
                note_failure(&steps, error);
            }
            (group, sent)
        });
        for (mut group, sent) in join_all(sent).await {
            let Err(error) = sent else { continue };
            if group.len() > 1 && error.changed_nothing() {
                debug!(calls = group.len(), %error, "a batch is sent again by halves");
                let half = group.split_off(group.len() / 2);
                groups.extend([group, half]);
            } else {
                failed.extend(group.iter().map(|call| failure(call, &error)));
            }
        }
    }
    failed
}

fn steps(calls: &[Settlement]) -> Vec<Span> {
    let span = |call: &Settlement, task| match call {
        Settlement::Finalize { .. } => step!(task, "finalize"),
        Settlement::Reopen(_) => step!(task, "reopen"),
        Settlement::Claim(_) => step!(task, "claim"),
    };
    let of_call = |call| {
        Settlement::tasks(call)
            .iter()
            .map(move |task| span(call, task))
    };
    calls.iter().flat_map(of_call).collect()
}

fn failure(call: &Settlement, error: &Error) -> Event {
    let tasks = call.tasks().to_vec();
    let what = match call {
        Settlement::Finalize { .. } => Settling::Finalize,
        Settlement::Reopen(_) => Settling::Reopen,
        Settlement::Claim(_) => Settling::Claim,
    };
    warn!(?what, tasks = tasks.len(), %error, "tasks are not settled");
    let reason = error_text(error);
    Event::SettleFailed {
        tasks,
        what,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use protocol::TaskId;

    use super::*;
    use crate::testing::Script;

    fn calls(numbers: std::ops::Range<u8>) -> Vec<Settlement> {
        numbers
            .map(|n| Settlement::Reopen(TaskId::repeat(n)))
            .collect()
    }

    #[tokio::test]
    async fn calls_go_in_one_transaction() {
        let script = Script::new();
        assert_eq!(send_all(&script, calls(0..64)).await, []);
        assert_eq!(script.settle_calls(), [calls(0..64)]);
    }

    #[tokio::test]
    async fn one_bad_call_spoils_only_itself() {
        let script = Script::new();
        let bad = TaskId::repeat(20);
        script.refuse(bad);
        let failed = send_all(&script, calls(0..64)).await;
        let [Event::SettleFailed { tasks, what, .. }] = &failed[..] else {
            panic!("{failed:?}");
        };
        assert_eq!((&tasks[..], *what), (&[bad][..], Settling::Reopen));
        let sent = script.settle_calls();
        let is_good = |group: &&Vec<Settlement>| group.iter().all(|c| c.tasks() != [bad]);
        let done: usize = sent.iter().filter(is_good).map(Vec::len).sum();
        assert_eq!(done, 63, "each of the others went through, and once");
        assert_eq!(sent.len(), 13, "six halvings");
    }
}
