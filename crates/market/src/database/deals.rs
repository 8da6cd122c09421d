//! The deals.

use protocol::DealId;
use serde_json::Value;
use sqlx::{AssertSqlSafe, any::AnyRow};

use super::{
    Database, Turn,
    row::{damaged, signed, text, unsigned},
};
use crate::{Error, book::Page};

/// A deal as it is kept: what it can be searched by, and the answer about it.
#[derive(Clone, Debug)]
pub(crate) struct DealRow {
    pub(crate) id: DealId,
    pub(crate) category: u64,
    pub(crate) block: u64,
    /// Text columns by name.
    pub(crate) keys: Vec<(&'static str, String)>,
    /// The answer, without `ok`.
    pub(crate) body: Value,
}

/// What a list of deals is narrowed by.
#[derive(Clone, Debug, Default)]
pub(crate) struct DealFilter {
    pub(crate) category: Option<u64>,
    /// Text columns by name.
    pub(crate) keys: Vec<(&'static str, String)>,
}

impl DealFilter {
    fn clause(&self) -> (String, usize) {
        let texts = self.keys.iter().map(|(column, _)| *column);
        let number = self.category.map(|_| "category");
        let mut clause = String::new();
        let mut count = 0;
        for column in texts.chain(number) {
            count += 1;
            let joint = if count == 1 { "where" } else { "and" };
            clause.push_str(&format!(" {joint} {column} = ${count}"));
        }
        (clause, count)
    }
}

impl Turn<'_> {
    /// Keeps a deal; the same deal again changes nothing. True when it is new.
    pub(crate) async fn keep_deal(&mut self, deal: &DealRow) -> Result<bool, Error> {
        let columns: Vec<&str> = deal.keys.iter().map(|(column, _)| *column).collect();
        let places: Vec<String> = (5..5 + columns.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "insert into market_deals (id, category, block, body, {}) \
             values ($1, $2, $3, $4, {}) on conflict (id) do nothing",
            columns.join(", "),
            places.join(", ")
        );
        let mut statement = sqlx::query(AssertSqlSafe(sql))
            .bind(deal.id.to_string())
            .bind(signed(deal.category))
            .bind(signed(deal.block))
            .bind(deal.body.to_string());
        for (_, value) in &deal.keys {
            statement = statement.bind(value.clone());
        }
        let done = statement
            .execute(&mut *self.tx)
            .await
            .map_err(Error::database("keep a deal"))?;
        Ok(done.rows_affected() > 0)
    }
}

impl Database {
    pub(crate) async fn deal(&self, id: DealId) -> Result<Option<Value>, Error> {
        let row = sqlx::query("select body from market_deals where id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(Error::database("read a deal"))?;
        row.as_ref().map(body).transpose()
    }

    /// The newest deals first, and how many there are.
    pub(crate) async fn deals(
        &self,
        filter: &DealFilter,
        page: Page,
    ) -> Result<(u64, Vec<Value>), Error> {
        let (clause, n) = filter.clause();
        let count = format!("select count(*) as n from market_deals{clause}");
        let counted = self.deal_rows(count, filter, None).await?;
        let select = format!(
            "select body from market_deals{clause} order by block desc, id limit ${} offset ${}",
            n + 1,
            n + 2
        );
        let rows = self.deal_rows(select, filter, Some(page)).await?;
        let count = counted.first().map_or(Ok(0), |row| unsigned(row, "n"))?;
        Ok((count, rows.iter().map(body).collect::<Result<_, _>>()?))
    }

    async fn deal_rows(
        &self,
        sql: String,
        filter: &DealFilter,
        page: Option<Page>,
    ) -> Result<Vec<AnyRow>, Error> {
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        for (_, value) in &filter.keys {
            statement = statement.bind(value.clone());
        }
        if let Some(category) = filter.category {
            statement = statement.bind(signed(category));
        }
        if let Some(page) = page {
            statement = statement.bind(signed(page.size)).bind(signed(page.skip));
        }
        let rows = statement.fetch_all(&self.readers).await;
        rows.map_err(Error::database("search the deals"))
    }
}

fn body(row: &AnyRow) -> Result<Value, Error> {
    serde_json::from_str(&text(row, "body")?).map_err(damaged("deal"))
}
