//! Transactions that end tasks, and the scores they change.

use protocol::Bytes;
use tokio::sync::Semaphore;
use tracing::warn;

use super::{Shell, error_text};
use crate::{
    Error,
    ledger::Ledger,
    machine::{Effect, Event, Settling},
};

/// Transactions that end tasks on their way at the same time: a bag ends all at once.
pub(crate) const SETTLE_AT_ONCE: usize = 64;

impl Shell {
    pub(crate) fn settle_slots() -> std::sync::Arc<Semaphore> {
        std::sync::Arc::new(Semaphore::new(SETTLE_AT_ONCE))
    }

    /// Does one of these beside the loop; what the chain makes of it comes as its events.
    pub(super) fn settle(&self, effect: Effect) {
        let (ledger, slots) = (self.ledger.clone(), self.settle_slots.clone());
        self.job(async move {
            let _slot = slots.acquire_owned().await;
            match effect {
                Effect::ReadScores(workers) => scores(ledger.as_ref(), workers).await,
                effect => send(ledger.as_ref(), effect).await,
            }
        });
    }
}

async fn scores(ledger: &dyn Ledger, workers: Vec<protocol::Address>) -> Event {
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

async fn send(ledger: &dyn Ledger, effect: Effect) -> Event {
    let (tasks, what, sent) = match effect {
        Effect::Finalize {
            task,
            results,
            callback,
        } => {
            let results = Bytes::from(results.into_bytes());
            let sent = ledger.finalize(task, results, callback).await;
            (vec![task], Settling::Finalize, sent)
        }
        Effect::Reopen(task) => (vec![task], Settling::Reopen, ledger.reopen(task).await),
        Effect::Claim(tasks) => {
            let sent = ledger.claim(&tasks).await;
            (tasks, Settling::Claim, sent)
        }
        _ => return Event::Tick,
    };
    done(tasks, what, sent)
}

fn done(tasks: Vec<protocol::TaskId>, what: Settling, sent: Result<(), Error>) -> Event {
    let Err(error) = sent else {
        return Event::Tick;
    };
    warn!(?what, tasks = tasks.len(), %error, "tasks are not settled");
    let reason = error_text(&error);
    Event::SettleFailed {
        tasks,
        what,
        reason,
    }
}
