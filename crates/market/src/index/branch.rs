//! Going back to where the winning branch left the one that was followed.

use protocol::{OrderHash, U256};

use crate::{Error, database::Counter, rules::status::State, service::Market};

impl Market {
    /// Undoes what a death in the middle of a range left over: events above the cursor will come
    /// again.
    pub(crate) async fn start_over(&self) -> Result<(), Error> {
        let last = self.database.counter(Counter::LastBlock).await?;
        self.undo(last, &[]).await?;
        self.bury_all_unmet().await
    }

    /// Undoes what blocks above `to` did, because they are not on the chain any more.
    pub(crate) async fn go_back(&self, to: u64) -> Result<(), Error> {
        tracing::info!(to, "the chain was reorganised");
        self.database.leave_branch().await;
        let doubtful = self.doubtful(to).await?;
        self.undo(Some(to), &doubtful).await?;
        self.bury_all_unmet().await
    }

    /// Orders that were published by a state that is gone, and what is used of them at `to`.
    async fn doubtful(&self, to: u64) -> Result<Vec<(OrderHash, U256)>, Error> {
        let mut doubtful = Vec::new();
        for order in self.database.seen_above(to).await? {
            doubtful.push((order, self.chain.consumed(order, to).await?));
        }
        Ok(doubtful)
    }

    async fn undo(&self, to: Option<u64>, doubtful: &[(OrderHash, U256)]) -> Result<(), Error> {
        let mut turn = self.database.turn().await?;
        turn.go_back(to).await?;
        for (hash, consumed) in doubtful {
            let Some(mut record) = turn.order(*hash).await? else {
                continue;
            };
            record.seen = to.unwrap_or_default();
            let state = State::of(&record);
            let read = state.read_again(record.terms.volume, *consumed);
            turn.set(&record, read.unwrap_or(state), None).await?;
        }
        turn.commit().await
    }
}
