//! How far the chain was read.

use super::{
    Database,
    row::{signed, unsigned},
};
use crate::Error;

/// A number that only grows.
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
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::database("read a counter"))?;
        row.map(|row| unsigned(&row, "value")).transpose()
    }

    /// Raises the counter to `value`; a smaller one changes nothing.
    pub(crate) async fn raise(&self, counter: Counter, value: u64) -> Result<(), Error> {
        let upsert = "insert into market_counters (name, value) values ($1, $2) \
                      on conflict (name) do update set value = excluded.value \
                      where market_counters.value < excluded.value";
        sqlx::query(upsert)
            .bind(counter.name())
            .bind(signed(value))
            .execute(&self.pool)
            .await
            .map_err(Error::database("raise a counter"))?;
        Ok(())
    }
}
