//! Following the hub: what happens on chain changes the book (spec/market-explorer.md §9–10).
//!
//! Each fact is judged by the state of its own block and applied in one [`Turn`], so a fact may
//! come twice, and a death between two of them loses nothing: the cursor moves last. What a fact
//! overwrites is remembered until its block is final, so that a reorganisation can be undone.

mod branch;
mod orders;

#[cfg(test)]
mod tests;

use std::time::Duration;

use chain::{BlockRef, REORG_DEPTH_MAX};
use protocol::{Address, TaskId};

use crate::{
    Error, Fact, Located, Match, TaskStep,
    book::{category_body, deal_row},
    database::{CategoryRow, Counter, TaskRow},
    event::Event,
    service::Market,
};

/// Tries of one fact before its whole range is begun again.
const FACT_TRIES_MAX: u32 = 3;
/// Between two of them: a node that lags behind has the block by then.
const FACT_RETRY_MS: u64 = 200;

/// The facts of a range of blocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Range {
    pub(crate) facts: Vec<Located>,
    pub(crate) up_to: u64,
    /// The newest block there is.
    pub(crate) head: u64,
    /// Those of the range that may still be orphaned.
    pub(crate) blocks: Vec<BlockRef>,
}

impl From<&chain::Span> for Range {
    fn from(span: &chain::Span) -> Self {
        Self {
            facts: span.events.iter().filter_map(crate::chain::fact).collect(),
            up_to: span.up_to,
            head: span.head,
            blocks: span.blocks.clone(),
        }
    }
}

impl Range {
    /// The block by whose state a fact is judged: its own, or for an old one the newest that is
    /// final, because nodes forget older states.
    fn judged_at(&self, located: &Located) -> u64 {
        let newest_final = self.head.saturating_sub(REORG_DEPTH_MAX);
        located.block.max(newest_final)
    }
}

impl Market {
    /// The first block whose events are not in the book yet.
    pub(crate) async fn cursor(&self) -> Result<u64, Error> {
        let last = self.database.counter(Counter::LastBlock).await?;
        Ok(last.map_or(self.config.start_block, |block| block + 1))
    }

    /// Applies a step of the chain. After an error the caller starts over: the block may be gone,
    /// and then the same step would fail for ever.
    pub(crate) async fn take_step(&self, step: &chain::Step) -> Result<(), Error> {
        match step {
            chain::Step::Back(to) => self.go_back(*to).await,
            chain::Step::Forward(span) => self.apply(&span.into()).await,
        }
    }

    /// Applies all facts of a range, then moves the cursor.
    pub(crate) async fn apply(&self, range: &Range) -> Result<(), Error> {
        self.database.raise_horizon(range.up_to).await;
        for located in &range.facts {
            self.apply_patiently(located, range.judged_at(located))
                .await?;
        }
        let mut turn = self.database.turn().await?;
        turn.go_forward(range.up_to, &range.blocks).await?;
        turn.commit().await
    }

    /// One failed question to the node must not cost a long range all that was asked before.
    async fn apply_patiently(&self, located: &Located, at: u64) -> Result<(), Error> {
        for _ in 1..FACT_TRIES_MAX {
            match self.apply_one(located, at).await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::debug!(%error, "a fact is tried again"),
            }
            tokio::time::sleep(Duration::from_millis(FACT_RETRY_MS)).await;
        }
        self.apply_one(located, at).await
    }

    async fn apply_one(&self, located: &Located, at: u64) -> Result<(), Error> {
        match located.fact {
            Fact::Matched(deal) => self.matched(&deal, located, at).await,
            Fact::Closed(order) => self.closed(order, located.block).await,
            Fact::Category(id) => self.keep_category(id, located, at).await,
            Fact::StakeLeft(account) => self.stake_left(account, located.block, at).await,
            Fact::AssetLeft { kind, entry, from } => {
                self.asset_left(kind, (entry, from), located.block, at)
                    .await
            }
            Fact::Task { task, step, worker } => {
                self.keep_step(task, (step, worker), located, at).await
            }
        }
    }

    async fn matched(&self, matched: &Match, located: &Located, at: u64) -> Result<(), Error> {
        let used = self.used(matched, at).await?;
        let deal = self.chain.deal(matched.deal, at).await?;
        let row = deal.map(|deal| deal_row(self.config.chain_id, &deal, matched, located));
        let mut turn = self.database.turn().await?;
        let changed = Self::use_up(&mut turn, &used, located.block).await?;
        if let Some(row) = row.as_ref()
            && turn.keep_deal(row).await?
        {
            turn.tell(Event::DealCreated(Box::new(row.body.clone())));
        }
        turn.commit().await?;
        self.mourn(&changed, located.block).await
    }

    async fn keep_category(&self, id: u64, located: &Located, at: u64) -> Result<(), Error> {
        let Some(category) = self.chain.category(id, at).await? else {
            return Ok(());
        };
        let seconds = self.chain.block_time(located.block).await?;
        let row = CategoryRow {
            id,
            time_ref: category.work_clock_time_ref,
            block: located.block,
            body: category_body(self.config.chain_id, id, &category, located, seconds),
        };
        let mut turn = self.database.turn().await?;
        turn.keep_category(&row).await?;
        turn.commit().await
    }

    async fn keep_step(
        &self,
        task: TaskId,
        (step, worker): (TaskStep, Address),
        located: &Located,
        at: u64,
    ) -> Result<(), Error> {
        let found = match step {
            TaskStep::Initialized => self.chain.task(task, at).await?,
            _ => None,
        };
        let mut turn = self.database.turn().await?;
        if let Some(found) = found {
            let row = TaskRow {
                id: task,
                deal: found.deal,
                number: found.index,
                block: located.block,
            };
            turn.keep_task(&row).await?;
        }
        let place = (located.block, located.position);
        turn.keep_step(place, task, step, worker).await?;
        turn.commit().await
    }
}
