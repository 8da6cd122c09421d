//! How far the chain was read.

use super::{
    Database, Turn,
    row::{signed, unsigned},
};
use crate::Error;

/// A number that is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counter {
    /// The newest block whose events are in the book.
    LastBlock,
}

impl Counter {
    const fn name(self) -> &'static str {
        match self {
            Self::LastBlock => "lastBlock",
        }
    }
}

impl Database {
    /// The counter's value, if it was ever set.
    pub(crate) async fn counter(&self, counter: Counter) -> Result<Option<u64>, Error> {
        let row = sqlx::query("select value from market_counters where name = $1")
            .bind(counter.name())
            .fetch_optional(&self.readers)
            .await
            .map_err(Error::database("read a counter"))?;
        row.map(|row| unsigned(&row, "value")).transpose()
    }
}

impl Turn<'_> {
    pub(super) async fn set_counter(&mut self, counter: Counter, value: u64) -> Result<(), Error> {
        let upsert = "insert into market_counters (name, value) values ($1, $2) \
                      on conflict (name) do update set value = excluded.value";
        sqlx::query(upsert)
            .bind(counter.name())
            .bind(signed(value))
            .execute(&mut *self.tx)
            .await
            .map_err(Error::database("set a counter"))?;
        Ok(())
    }
}
