//! The categories.

use serde_json::Value;
use sqlx::any::AnyRow;

use super::{
    Database, Turn,
    row::{damaged, signed, text, unsigned},
};
use crate::{Error, book::Page};

/// A category as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct CategoryRow {
    pub(crate) id: u64,
    /// Seconds.
    pub(crate) time_ref: u64,
    pub(crate) block: u64,
    /// The answer, without `ok`.
    pub(crate) body: Value,
}

impl Turn<'_> {
    /// Keeps a category; categories never change.
    pub(crate) async fn keep_category(&mut self, category: &CategoryRow) -> Result<(), Error> {
        let insert = "insert into market_categories (id, time_ref, body, block) \
                      values ($1, $2, $3, $4) on conflict (id) do nothing";
        sqlx::query(insert)
            .bind(signed(category.id))
            .bind(signed(category.time_ref))
            .bind(category.body.to_string())
            .bind(signed(category.block))
            .execute(&mut *self.tx)
            .await
            .map_err(Error::database("keep a category"))?;
        Ok(())
    }
}

impl Database {
    pub(crate) async fn category(&self, id: u64) -> Result<Option<Value>, Error> {
        let row = sqlx::query("select body from market_categories where id = $1")
            .bind(signed(id))
            .fetch_optional(&self.readers)
            .await
            .map_err(Error::database("read a category"))?;
        row.as_ref().map(body).transpose()
    }

    /// The categories whose time (seconds) is within the bounds, both included, the shortest
    /// first, and how many there are.
    pub(crate) async fn categories(
        &self,
        (least, most): (u64, u64),
        page: Page,
    ) -> Result<(u64, Vec<Value>), Error> {
        let failed = || Error::database("search the categories");
        let count = "select count(*) as n from market_categories where time_ref between $1 and $2";
        let counted = sqlx::query(count)
            .bind(signed(least))
            .bind(signed(most))
            .fetch_one(&self.readers)
            .await
            .map_err(failed())?;
        let select = "select body from market_categories where time_ref between $1 and $2 \
                      order by time_ref, id limit $3 offset $4";
        let rows = sqlx::query(select)
            .bind(signed(least))
            .bind(signed(most))
            .bind(signed(page.size))
            .bind(signed(page.skip))
            .fetch_all(&self.readers)
            .await
            .map_err(failed())?;
        let found = rows.iter().map(body).collect::<Result<_, _>>()?;
        Ok((unsigned(&counted, "n")?, found))
    }
}

fn body(row: &AnyRow) -> Result<Value, Error> {
    serde_json::from_str(&text(row, "body")?).map_err(damaged("category"))
}
