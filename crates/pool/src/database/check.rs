//! What an operator wants to know of the database.

use std::collections::BTreeMap;

use sqlx::Row;

use super::Database;
use crate::Error;

impl Database {
    /// Whether it takes changes: changes nothing, but needs the right and the room to.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        let mut tx = self.0.begin().await?;
        let sql = "insert into pool_logs (task, worker, stdout, stderr, purge_at) \
                   values ('', '', '', '', 0)";
        sqlx::query(sql).execute(&mut *tx).await?;
        Ok(tx.rollback().await?)
    }

    /// How many tasks are in which stage.
    pub(crate) async fn stages(&self) -> Result<BTreeMap<String, u64>, Error> {
        let sql = "select stage, count(*) from pool_task group by stage";
        let rows = sqlx::query(sql).fetch_all(&self.0).await?;
        let pair = |row: &sqlx::any::AnyRow| {
            let count: i64 = row.try_get(1)?;
            Ok((row.try_get(0)?, u64::try_from(count).unwrap_or_default()))
        };
        rows.iter().map(pair).collect()
    }
}
