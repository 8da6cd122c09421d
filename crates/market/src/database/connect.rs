//! Opening the database.

use sqlx::{
    AnyPool, Connection as _, Executor,
    any::AnyPoolOptions,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::Error;

/// Connections for reads: enough for the two CPUs of a small machine to stay busy.
const READERS_MAX: u32 = 8;

/// A write-ahead log synced at checkpoints survives the death of the process at any point. A
/// reader waits for nobody, and nobody waits long for the one writer.
const SQLITE_SETTINGS: &str =
    "pragma journal_mode = wal; pragma synchronous = normal; pragma busy_timeout = 10000;";
/// The same promise as SQLite's: what was committed survives us, not a loss of power.
const POSTGRES_SETTINGS: &str = "set synchronous_commit = off";

const MIGRATIONS: [(i64, &str, &str); 2] = [
    (
        1,
        "market",
        include_str!("../../migrations/0001_market.sql"),
    ),
    (
        2,
        "branch",
        include_str!("../../migrations/0002_branch.sql"),
    ),
];

/// The pool for changes and the one for reads, of a database at the present schema.
pub(super) async fn open(url: &str) -> Result<(AnyPool, AnyPool), Error> {
    sqlx::any::install_default_drivers();
    let opened = Error::database("open the market's database");
    let writer = pool(url, 1).await.map_err(opened)?;
    migrator().run(&writer).await.map_err(Error::Migration)?;
    if url.contains(":memory:") {
        return Ok((writer.clone(), writer));
    }
    let readers = pool(url, READERS_MAX).await;
    let readers = readers.map_err(Error::database("open the market's database"))?;
    Ok((writer, readers))
}

async fn pool(url: &str, connections: u32) -> Result<AnyPool, sqlx::Error> {
    let settings = if url.starts_with("sqlite:") {
        SQLITE_SETTINGS
    } else {
        POSTGRES_SETTINGS
    };
    AnyPoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection, _| {
            Box::pin(async move { connection.execute(settings).await.map(|_| ()) })
        })
        .after_release(|connection, _| {
            // The driver counts a commit that failed as one that is still to be made: what is
            // written on this connection afterwards would never be.
            Box::pin(async move {
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .connect(&creating(url))
        .await
}

/// The URL of a SQLite file says that it is made when missing.
fn creating(url: &str) -> String {
    if !url.starts_with("sqlite:") || url.contains(":memory:") || url.contains("mode=") {
        return url.to_owned();
    }
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}mode=rwc")
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
    use crate::database::Database;

    #[tokio::test]
    async fn a_file_is_made_and_reopened() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/market.db", folder.path().display());
        for _ in 0..2 {
            Database::open(&url).await.unwrap().close().await;
        }
    }
}
