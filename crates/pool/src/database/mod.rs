//! What survives a restart: deals, tasks, logs and how far the chain was read. All of it but the
//! logs is a cache of the chain; the file may be deleted.

mod check;

use std::{collections::HashMap, sync::Arc};

use protocol::{
    Address, TaskId,
    message::{LOG_CHARS_MAX, Logs, Stream},
    output::Mark,
};
use sqlx::{
    AnyConnection, AnyPool, Connection as _, Executor, Row,
    any::{AnyPoolOptions, AnyRow},
    migrate::{Migration, MigrationType, Migrator},
};

use crate::{
    Error,
    machine::{Task, Terms},
};

const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "pool", include_str!("migrations/0001_pool.sql")),
    (
        10,
        "log offsets",
        include_str!("migrations/0010_log_offsets.sql"),
    ),
];
/// Connections: one writer and a few readers of the API.
const CONNECTIONS_MAX: u32 = 8;
/// SQLite: readers never wait for the writer, and a killed process loses nothing.
const SQLITE_SETTINGS: &str =
    "pragma journal_mode = wal; pragma synchronous = normal; pragma busy_timeout = 10000;";

/// A handle on the database. Cheap clone.
#[derive(Clone, Debug)]
pub(crate) struct Database(AnyPool);

/// What one round of the loop changed: saved whole or not at all.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    pub(crate) deals: Vec<Arc<Terms>>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) logs: Vec<SavedLogs>,
    pub(crate) cursor: Option<u64>,
}

/// The output of one run.
#[derive(Clone, Debug)]
pub(crate) struct SavedLogs {
    pub(crate) task: TaskId,
    pub(crate) worker: Address,
    pub(crate) logs: Logs,
    pub(crate) purge_at: u64,
}

impl Writes {
    pub(crate) fn is_empty(&self) -> bool {
        self.deals.is_empty()
            && self.tasks.is_empty()
            && self.logs.is_empty()
            && self.cursor.is_none()
    }
}

impl Database {
    /// Opens `url` and brings its tables up to date.
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let is_sqlite = url.starts_with("sqlite:");
        let in_memory = is_sqlite && url.contains(":memory:");
        let pool = AnyPoolOptions::new()
            .max_connections(if in_memory { 1 } else { CONNECTIONS_MAX })
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if is_sqlite {
                        connection.execute(SQLITE_SETTINGS).await?;
                    }
                    Ok(())
                })
            })
            .after_release(|connection, _| {
                // The driver counts a commit that failed as one that is still to be made: what is
                // saved on this connection afterwards would never be.
                Box::pin(async move {
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect(&creating(url))
            .await?;
        migrator().run(&pool).await?;
        Ok(Self(pool))
    }

    /// Lets go of the file: another process may open it at once.
    pub(crate) async fn close(&self) {
        self.0.close().await;
    }

    pub(crate) async fn save(&self, writes: &Writes) -> Result<(), Error> {
        let mut tx = self.0.begin().await?;
        for terms in &writes.deals {
            save_deal(&mut tx, terms).await?;
        }
        for task in &writes.tasks {
            save_task(&mut tx, task).await?;
        }
        for logs in &writes.logs {
            save_logs(&mut tx, logs).await?;
        }
        if let Some(block) = writes.cursor {
            let sql = "insert into pool_cursor (id, block) values (0, $1) \
                       on conflict (id) do update set block = excluded.block";
            sqlx::query(sql)
                .bind(integer(block))
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// The first block that is not dealt with.
    pub(crate) async fn cursor(&self) -> Result<Option<u64>, Error> {
        let row = sqlx::query("select block from pool_cursor where id = 0")
            .fetch_optional(&self.0)
            .await?;
        let block = row.map(|row| row.try_get::<i64, _>(0)).transpose()?;
        Ok(block.and_then(|block| block.try_into().ok()))
    }

    pub(crate) async fn has_deal(&self, id: protocol::DealId) -> Result<bool, Error> {
        let query = sqlx::query("select 1 from pool_deal where id = $1").bind(id.to_string());
        Ok(query.fetch_optional(&self.0).await?.is_some())
    }

    /// Tasks that may still change: those not final, failed ones that the chain may yet complete
    /// (`now` in seconds), and completed ones whose worker may yet bring the output.
    pub(crate) async fn open_tasks(&self, now: u64) -> Result<Vec<Task>, Error> {
        let sql = "select t.document, d.document from pool_task t \
                   join pool_deal d on d.id = t.deal where t.is_final = 0 \
                   or (t.stage = 'FAILED' and t.contribution_deadline > $1) \
                   or (t.stage = 'COMPLETED' and t.contribution_deadline > $1 \
                   and not exists (select 1 from pool_logs l where l.task = t.id))";
        let rows = sqlx::query(sql)
            .bind(integer(now))
            .fetch_all(&self.0)
            .await?;
        let mut deals: HashMap<String, Arc<Terms>> = HashMap::new();
        rows.iter().map(|row| read_task(row, &mut deals)).collect()
    }

    pub(crate) async fn task(&self, id: TaskId) -> Result<Option<Task>, Error> {
        let sql = "select t.document, d.document from pool_task t \
                   join pool_deal d on d.id = t.deal where t.id = $1";
        let query = sqlx::query(sql).bind(id.to_string());
        let row = query.fetch_optional(&self.0).await?;
        row.map(|row| read_task(&row, &mut HashMap::new()))
            .transpose()
    }

    /// The stored output of a task, by worker.
    pub(crate) async fn logs(&self, id: TaskId) -> Result<Vec<(Address, Logs)>, Error> {
        let sql = "select worker, stdout, stderr, run, stdout_from, stderr_from \
                   from pool_logs where task = $1 order by worker";
        let rows = sqlx::query(sql)
            .bind(id.to_string())
            .fetch_all(&self.0)
            .await?;
        rows.iter().map(read_logs).collect()
    }

    /// Deletes output that nobody needs after `now` (seconds).
    pub(crate) async fn purge_logs(&self, now: u64) -> Result<(), Error> {
        let query = sqlx::query("delete from pool_logs where purge_at < $1").bind(integer(now));
        query.execute(&self.0).await?;
        Ok(())
    }
}

/// A missing SQLite file is made.
fn creating(url: &str) -> String {
    if url.starts_with("sqlite:") && !url.contains(":memory:") && !url.contains('?') {
        return format!("{url}?mode=rwc");
    }
    url.to_owned()
}

fn migrator() -> Migrator {
    use sqlx::SqlSafeStr;
    let migrations = MIGRATIONS.iter().map(|(version, name, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name("pool_migrations");
    migrator
}

async fn save_deal(tx: &mut AnyConnection, terms: &Terms) -> Result<(), Error> {
    let sql = "insert into pool_deal (id, document) values ($1, $2) \
               on conflict (id) do update set document = excluded.document";
    let query = sqlx::query(sql)
        .bind(terms.deal.to_string())
        .bind(text(terms)?);
    query.execute(tx).await?;
    Ok(())
}

async fn save_task(tx: &mut AnyConnection, task: &Task) -> Result<(), Error> {
    let sql = "insert into pool_task \
               (id, deal, stage, is_final, contribution_deadline, document) \
               values ($1, $2, $3, $4, $5, $6) on conflict (id) do update set \
               stage = excluded.stage, is_final = excluded.is_final, document = excluded.document";
    let query = sqlx::query(sql)
        .bind(task.id.to_string())
        .bind(task.terms.deal.to_string())
        .bind(task.stage().name())
        .bind(i64::from(task.is_closed()))
        .bind(integer(task.terms.contribution_deadline))
        .bind(text(task)?);
    query.execute(tx).await?;
    Ok(())
}

async fn save_logs(tx: &mut AnyConnection, saved: &SavedLogs) -> Result<(), Error> {
    let sql = "insert into pool_logs \
               (task, worker, stdout, stderr, purge_at, run, stdout_from, stderr_from) \
               values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (task, worker) do update set \
               stdout = excluded.stdout, stderr = excluded.stderr, purge_at = excluded.purge_at, \
               run = excluded.run, stdout_from = excluded.stdout_from, \
               stderr_from = excluded.stderr_from";
    let mut logs = saved.logs.clone();
    for stream in Stream::BOTH {
        logs.keep_end(stream, LOG_CHARS_MAX);
    }
    let query = sqlx::query(sql)
        .bind(saved.task.to_string())
        .bind(saved.worker.to_string())
        .bind(storable(&logs.stdout))
        .bind(storable(&logs.stderr))
        .bind(integer(saved.purge_at))
        .bind(integer(logs.from.run))
        .bind(integer(logs.from.stdout))
        .bind(integer(logs.from.stderr));
    query.execute(tx).await?;
    Ok(())
}

/// Postgres takes no NUL in a text. A worker sends none: this only guards the transaction.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn text(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(Error::Document)
}

fn read_task(row: &AnyRow, deals: &mut HashMap<String, Arc<Terms>>) -> Result<Task, Error> {
    let mut task: Task = serde_json::from_str(row.try_get(0)?).map_err(Error::Document)?;
    let document: String = row.try_get(1)?;
    task.terms = match deals.get(&document) {
        Some(terms) => terms.clone(),
        None => {
            let terms: Terms = serde_json::from_str(&document).map_err(Error::Document)?;
            let terms = Arc::new(terms);
            deals.insert(document, terms.clone());
            terms
        }
    };
    Ok(task)
}

fn read_logs(row: &AnyRow) -> Result<(Address, Logs), Error> {
    let worker: String = row.try_get(0)?;
    let number = |column| Ok::<_, Error>(row.try_get::<i64, _>(column)?.try_into().unwrap_or(0));
    let logs = Logs {
        stdout: row.try_get(1)?,
        stderr: row.try_get(2)?,
        from: Mark {
            run: number(3)?,
            stdout: number(4)?,
            stderr: number(5)?,
        },
    };
    let worker = worker.parse().map_err(|_| Error::Row("worker"))?;
    Ok((worker, logs))
}

#[cfg(test)]
mod tests;
