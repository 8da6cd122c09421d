//! What may have to be undone: the hashes of recent blocks, and what orders were before them.

use chain::{BlockRef, REORG_DEPTH_MAX};
use protocol::{DealId, OrderHash};
use sqlx::Row;

use super::{
    Counter, Database, Turn,
    row::{damaged, parsed, signed, unsigned},
};
use crate::{
    Error,
    event::Event,
    record::{Record, Status},
    rules::status::State,
};

/// Tables whose rows exist because of the event in their `block` and for no other reason.
const OF_BLOCKS: [&str; 6] = [
    "delete from market_deals where block > $1",
    "delete from market_categories where block > $1",
    "delete from market_tasks where block > $1",
    "delete from market_task_steps where block > $1",
    "delete from market_blocks where number > $1",
    "delete from market_undo where block > $1",
];

impl Database {
    /// The newest blocks whose events are in the book, the oldest first.
    pub(crate) async fn trail(&self) -> Result<Vec<BlockRef>, Error> {
        let rows = sqlx::query("select number, hash from market_blocks order by number")
            .fetch_all(&self.readers)
            .await
            .map_err(Error::database("read blocks"))?;
        let block = |row| {
            Ok(BlockRef {
                number: unsigned(row, "number")?,
                hash: parsed(row, "hash")?,
            })
        };
        rows.iter().map(block).collect()
    }

    /// Orders whose publication was judged by the state after a block above `block`.
    pub(crate) async fn seen_above(&self, block: u64) -> Result<Vec<OrderHash>, Error> {
        let rows = sqlx::query("select hash from market_orders where seen > $1 order by hash")
            .bind(signed(block))
            .fetch_all(&self.readers)
            .await
            .map_err(Error::database("read doubtful orders"))?;
        rows.iter().map(|row| parsed(row, "hash")).collect()
    }
}

impl Turn<'_> {
    /// Remembers what an order was before an event in `block`.
    pub(super) async fn keep_undo(&mut self, block: u64, was: &Record) -> Result<(), Error> {
        let insert = "insert into market_undo (id, block, hash, remaining, status) \
                      select coalesce(max(id), 0) + 1, $1, $2, $3, $4 from market_undo";
        sqlx::query(insert)
            .bind(signed(block))
            .bind(was.hash.to_string())
            .bind(signed(was.remaining))
            .bind(was.status.name())
            .execute(&mut *self.tx)
            .await
            .map_err(Error::database("remember an order"))?;
        Ok(())
    }

    /// Moves the cursor forward: all events up to `up_to` are in the book, the last `blocks` of
    /// them may still be orphaned.
    pub(crate) async fn go_forward(
        &mut self,
        up_to: u64,
        blocks: &[BlockRef],
    ) -> Result<(), Error> {
        for block in blocks {
            let insert = "insert into market_blocks (number, hash) values ($1, $2) \
                          on conflict (number) do update set hash = excluded.hash";
            sqlx::query(insert)
                .bind(signed(block.number))
                .bind(block.hash.to_string())
                .execute(&mut *self.tx)
                .await
                .map_err(Error::database("remember a block"))?;
        }
        self.forget_final(up_to.saturating_sub(REORG_DEPTH_MAX))
            .await?;
        self.set_counter(Counter::LastBlock, up_to).await
    }

    /// What happened in blocks below `block` stays.
    async fn forget_final(&mut self, block: u64) -> Result<(), Error> {
        for delete in [
            "delete from market_blocks where number < $1",
            "delete from market_undo where block < $1",
        ] {
            sqlx::query(delete)
                .bind(signed(block))
                .execute(&mut *self.tx)
                .await
                .map_err(Error::database("forget final blocks"))?;
        }
        Ok(())
    }

    /// Undoes all that events above `block` did; all that any did without one.
    pub(crate) async fn go_back(&mut self, block: Option<u64>) -> Result<(), Error> {
        let bound = block.map_or(-1, signed);
        for (hash, state) in self.undos(bound).await? {
            if let Some(now) = self.order(hash).await? {
                self.set(&now, state, None).await?;
            }
        }
        for deal in self.deals_above(bound).await? {
            self.tell(Event::DealOrphaned(deal));
        }
        for delete in OF_BLOCKS {
            sqlx::query(delete)
                .bind(bound)
                .execute(&mut *self.tx)
                .await
                .map_err(Error::database("undo orphaned blocks"))?;
        }
        self.set_horizon(block.unwrap_or_default());
        match block {
            Some(block) => self.set_counter(Counter::LastBlock, block).await,
            None => Ok(()),
        }
    }

    /// What the orders that events above `block` changed were before.
    async fn undos(&mut self, bound: i64) -> Result<Vec<(OrderHash, State)>, Error> {
        let select = "select hash, remaining, status from market_undo where block > $1 \
                      order by id desc";
        let rows = sqlx::query(select)
            .bind(bound)
            .fetch_all(&mut *self.tx)
            .await
            .map_err(Error::database("read what to undo"))?;
        let mut oldest: Vec<(OrderHash, State)> = Vec::new();
        for row in &rows {
            let hash = parsed(row, "hash")?;
            let status: String = row.try_get("status").map_err(damaged("status"))?;
            let state = State {
                remaining: unsigned(row, "remaining")?,
                status: status.parse::<Status>()?,
            };
            oldest.retain(|(other, _)| *other != hash);
            oldest.push((hash, state));
        }
        Ok(oldest)
    }

    async fn deals_above(&mut self, bound: i64) -> Result<Vec<DealId>, Error> {
        let rows = sqlx::query("select id from market_deals where block > $1 order by id")
            .bind(bound)
            .fetch_all(&mut *self.tx)
            .await
            .map_err(Error::database("read orphaned deals"))?;
        rows.iter().map(|row| parsed(row, "id")).collect()
    }
}
