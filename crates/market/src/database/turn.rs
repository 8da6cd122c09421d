//! One change of the book: whole or not at all, in the database, in memory and for listeners.

use std::sync::PoisonError;

use protocol::{OrderHash, order::Kind};
use sqlx::{Any, AssertSqlSafe, Transaction};
use tokio::sync::MutexGuard;

use super::{
    Database,
    orders::{COLUMNS, PUBLISH, bound, publish_binds},
    row::{record, signed},
};
use crate::{
    Error,
    event::{Change, Event},
    record::Record,
    rules::status::State,
};

/// What only the one whose turn it is may touch.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// The number of the next event.
    pub(super) next_event: u64,
    /// The newest block whose events have begun to be applied.
    pub(super) horizon: u64,
    /// Counts reorganisations since the start.
    pub(super) branch: u64,
}

/// A transaction. Dropped without [`Turn::commit`], it changes nothing.
pub(crate) struct Turn<'a> {
    pub(super) database: &'a Database,
    pub(super) tx: Transaction<'static, Any>,
    desk: MutexGuard<'a, Desk>,
    moves: Vec<Move>,
    events: Vec<Event>,
}

/// What happens to an order in memory.
enum Move {
    Put(Box<Record>),
    Take(Kind, OrderHash),
}

impl<'a> Turn<'a> {
    pub(super) async fn start(
        database: &'a Database,
        desk: MutexGuard<'a, Desk>,
    ) -> Result<Self, Error> {
        let tx = database.writer.begin().await;
        Ok(Self {
            database,
            tx: tx.map_err(Error::database("begin a change"))?,
            desk,
            moves: Vec::new(),
            events: Vec::new(),
        })
    }

    /// Whether an order judged by the state at `seen`, on the branch numbered `branch`, may go
    /// into the book: events of later blocks that were applied already did not meet it.
    pub(crate) fn accepts(&self, branch: u64, seen: u64) -> bool {
        self.desk.branch == branch && self.desk.horizon <= seen
    }

    /// The state of the chain that the book stands for ends at `block` now.
    pub(crate) fn set_horizon(&mut self, block: u64) {
        self.desk.horizon = block;
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Saves a new record, or revives a dead one, which keeps its publication time. `None` when
    /// the hash is published already.
    pub(crate) async fn publish(&mut self, new: &Record) -> Result<Option<Record>, Error> {
        let row = bound(sqlx::query(PUBLISH), publish_binds(new))
            .fetch_optional(&mut *self.tx)
            .await
            .map_err(Error::database("publish an order"))?;
        let saved = row.as_ref().map(record).transpose()?;
        if let Some(saved) = &saved {
            self.moves.push(Move::Put(Box::new(saved.clone())));
            self.tell(Event::Order {
                kind: saved.kind,
                change: Change::Published(Box::new(saved.clone())),
            });
        }
        Ok(saved)
    }

    pub(crate) async fn order(&mut self, hash: OrderHash) -> Result<Option<Record>, Error> {
        let sql = format!("select {COLUMNS} from market_orders where hash = $1");
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(hash.to_string())
            .fetch_optional(&mut *self.tx)
            .await
            .map_err(Error::database("read an order"))?;
        row.as_ref().map(record).transpose()
    }

    /// Brings an order to another state because of an event in `block`; without one, the change
    /// is not undone by a reorganisation.
    pub(crate) async fn set(
        &mut self,
        was: &Record,
        to: State,
        block: Option<u64>,
    ) -> Result<Record, Error> {
        if let Some(block) = block {
            self.keep_undo(block, was).await?;
        }
        let new = Record {
            remaining: to.remaining,
            status: to.status,
            ..was.clone()
        };
        self.write(&new).await?;
        if let Some(event) = Event::between(was, &new) {
            self.tell(event);
        }
        Ok(new)
    }

    /// Writes what of an order can change.
    pub(super) async fn write(&mut self, new: &Record) -> Result<(), Error> {
        let update =
            "update market_orders set remaining = $1, status = $2, seen = $3 where hash = $4";
        sqlx::query(update)
            .bind(signed(new.remaining))
            .bind(new.status.name())
            .bind(signed(new.seen))
            .bind(new.hash.to_string())
            .execute(&mut *self.tx)
            .await
            .map_err(Error::database("change an order"))?;
        self.moves.push(Move::Put(Box::new(new.clone())));
        Ok(())
    }

    /// Takes an order out of the book for good.
    pub(crate) async fn remove(&mut self, kind: Kind, hash: OrderHash) -> Result<(), Error> {
        sqlx::query("delete from market_orders where hash = $1")
            .bind(hash.to_string())
            .execute(&mut *self.tx)
            .await
            .map_err(Error::database("remove an order"))?;
        self.moves.push(Move::Take(kind, hash));
        self.tell(Event::gone(kind, hash));
        Ok(())
    }

    /// Makes it so, then tells listeners.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        let first = self.desk.next_event;
        let events = std::mem::take(&mut self.events);
        self.keep_events(first, &events).await?;
        let Self {
            database,
            tx,
            mut desk,
            moves,
            ..
        } = self;
        let committed = tx.commit().await;
        committed.map_err(Error::database("commit a change"))?;
        desk.next_event = first + events.len() as u64;
        apply(database, moves);
        database.news.tell(events, desk.next_event - 1);
        Ok(())
    }
}

fn apply(database: &Database, moves: Vec<Move>) {
    let shelves = database.shelves.write();
    let mut shelves = shelves.unwrap_or_else(PoisonError::into_inner);
    for step in moves {
        match step {
            Move::Put(record) => shelves.put(&record),
            Move::Take(kind, hash) => shelves.take(kind, hash),
        }
    }
}
