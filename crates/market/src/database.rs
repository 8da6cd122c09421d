//! Everything the market keeps, in SQLite or Postgres with the same SQL (one connection pool, plain
//! `text` and `bigint` columns).

mod categories;
mod challenges;
mod counters;
mod deals;
mod orders;
mod row;

pub(crate) use categories::CategoryRow;
pub(crate) use challenges::Challenge;
pub(crate) use counters::Counter;
pub(crate) use deals::{DealFilter, DealRow};
pub(crate) use orders::Mine;

use sqlx::{
    AnyPool, Executor,
    any::AnyPoolOptions,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::Error;

/// Connections to a Postgres server: enough for the two CPUs of a small machine to stay busy.
const POSTGRES_CONNECTIONS_MAX: u32 = 8;
/// SQLite has one writer anyway; one connection means that nobody ever meets a lock.
const SQLITE_CONNECTIONS_MAX: u32 = 1;

const MIGRATIONS: [(i64, &str, &str); 1] =
    [(1, "market", include_str!("../migrations/0001_market.sql"))];

/// The market's tables. Cheap clone.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pool: AnyPool,
}

impl Database {
    /// Connects and migrates.
    ///
    /// # Errors
    /// [`Error::Database`] or [`Error::Migration`].
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let pool = if url.starts_with("sqlite:") {
            sqlite(url).await
        } else {
            let options = AnyPoolOptions::new().max_connections(POSTGRES_CONNECTIONS_MAX);
            options.connect(url).await
        };
        let pool = pool.map_err(Error::database("open the market's database"))?;
        migrator().run(&pool).await.map_err(Error::Migration)?;
        Ok(Self { pool })
    }

    /// Ends all connections, so that the file can be opened again at once.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A write-ahead log synced at checkpoints survives the death of the process at any point.
async fn sqlite(url: &str) -> Result<AnyPool, sqlx::Error> {
    let url = if url.contains(":memory:") || url.contains("mode=") {
        url.to_owned()
    } else {
        let joint = if url.contains('?') { '&' } else { '?' };
        format!("{url}{joint}mode=rwc")
    };
    AnyPoolOptions::new()
        .max_connections(SQLITE_CONNECTIONS_MAX)
        .min_connections(SQLITE_CONNECTIONS_MAX)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection
                    .execute("pragma journal_mode = wal; pragma synchronous = normal;")
                    .await
                    .map(|_| ())
            })
        })
        .connect(&url)
        .await
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, name, sql)| {
        let sql = sqlx::SqlSafeStr::into_sql_str(sql);
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.into());
    migrator.dangerous_set_table_name("market_migrations");
    migrator
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_made_and_reopened() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/market.db", folder.path().display());
        for _ in 0..2 {
            let database = Database::open(&url).await.unwrap();
            database.pool.close().await;
        }
    }
}
