//! Everything the market keeps, in SQLite or Postgres with the same SQL (plain `text` and `bigint`
//! columns). Reads go to a pool; what changes the book goes through one [`Turn`] at a time, which
//! also keeps the open orders in memory ([`Shelves`]) and tells listeners. That is why a database
//! belongs to one process.

mod branch;
mod categories;
mod connect;
mod counters;
mod deals;
mod events;
mod orders;
mod row;
mod tasks;
mod turn;

use std::sync::{Arc, PoisonError, RwLock};

use sqlx::AnyPool;
use tokio::sync::Mutex;

pub(crate) use categories::CategoryRow;
pub(crate) use counters::Counter;
pub(crate) use deals::{DealFilter, DealRow};
pub(crate) use events::{News, Told};
pub(crate) use tasks::TaskRow;
pub(crate) use turn::Turn;

use crate::{
    Error,
    book::{Query, Shelves},
};
use turn::Desk;

/// The market's tables. Cheap clone.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    /// For reads; in SQLite in memory it is the same as `writer`.
    readers: AnyPool,
    /// One connection: changes happen one after the other.
    writer: AnyPool,
    desk: Arc<Mutex<Desk>>,
    shelves: Arc<RwLock<Shelves>>,
    pub(crate) news: News,
}

impl Database {
    /// Connects, migrates and reads the open orders.
    ///
    /// # Errors
    /// [`Error::Database`] or [`Error::Migration`].
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        let (writer, readers) = connect::open(url).await?;
        let database = Self {
            readers,
            writer,
            desk: Arc::default(),
            shelves: Arc::default(),
            news: News::default(),
        };
        database.load_shelves().await?;
        database.load_desk().await?;
        Ok(database)
    }

    async fn load_desk(&self) -> Result<(), Error> {
        let newest = self.newest_event().await?;
        let last = self.counter(Counter::LastBlock).await?;
        let mut desk = self.desk.lock().await;
        desk.next_event = newest + 1;
        desk.horizon = last.unwrap_or_default();
        self.news.set_newest(newest);
        Ok(())
    }

    /// Ends all connections, so that the file can be opened again at once.
    pub(crate) async fn close(&self) {
        self.news.close();
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Reads the open orders in memory.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Shelves) -> T) -> T {
        look(&self.shelves.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts a change; waits for the one before it.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, Error> {
        let desk = self.desk.lock().await;
        Turn::start(self, desk).await
    }

    /// Which branch of the chain the book follows; changes with each reorganisation.
    pub(crate) async fn branch(&self) -> u64 {
        self.desk.lock().await.branch
    }

    /// From now on, publications judged by what was before are refused by [`Turn::accepts`].
    pub(crate) async fn leave_branch(&self) {
        self.desk.lock().await.branch += 1;
    }

    /// From now on, publications judged by a state before `block` are refused.
    pub(crate) async fn raise_horizon(&self, block: u64) {
        self.desk.lock().await.horizon = block;
    }

    /// The page of matches that `query` asks for, and how many there are in all.
    pub(crate) async fn search(&self, query: &Query) -> Result<(u64, Vec<crate::Record>), Error> {
        let (count, page) = self.look(|shelves| shelves.search(query));
        Ok((count, self.open_records(&page).await?))
    }
}

/// Tables and what of a row says all about it.
#[cfg(test)]
const DUMPED: [(&str, &str); 7] = [
    (
        "market_orders",
        "hash || ' ' || status || ' ' || remaining || ' ' || signer || ' ' || body",
    ),
    (
        "market_deals",
        "id || ' ' || block || ' ' || app || ' ' || body",
    ),
    ("market_categories", "id || ' ' || block || ' ' || body"),
    ("market_tasks", "id || ' ' || deal || ' ' || block"),
    (
        "market_task_steps",
        "block || ' ' || position || ' ' || task || ' ' || name || ' ' || worker",
    ),
    ("market_blocks", "number || ' ' || hash"),
    ("market_counters", "name || ' ' || value"),
];

#[cfg(test)]
impl Database {
    /// All that is kept but how it came about: one line a row.
    pub(crate) async fn dump(&self) -> Vec<String> {
        use sqlx::Row as _;
        let mut lines = Vec::new();
        for (table, shown) in DUMPED {
            let sql = format!("select {shown} as line from {table} order by 1");
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                .fetch_all(&self.readers)
                .await
                .unwrap();
            let line = |row: &sqlx::any::AnyRow| row.try_get::<String, _>("line").unwrap();
            lines.extend(rows.iter().map(|row| format!("{table}: {}", line(row))));
        }
        lines
    }

    /// Every open order of the tables is in memory, and no other.
    pub(crate) async fn check_shelves(&self) {
        let reread = Self {
            shelves: std::sync::Arc::default(),
            ..self.clone()
        };
        reread.load_shelves().await.unwrap();
        for kind in protocol::order::Kind::ALL {
            let query = Query {
                kind,
                filters: Vec::new(),
                page: crate::book::Page::ALL,
            };
            let all = |database: &Self| -> Vec<crate::book::Lot> {
                database.look(|shelves| shelves.all(&query).into_iter().cloned().collect())
            };
            assert_eq!(all(self), all(&reread));
        }
    }
}
