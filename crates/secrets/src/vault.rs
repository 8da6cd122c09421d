//! The table of sealed secrets, on SQLite or PostgreSQL with the same SQL.

use std::{path::PathBuf, sync::Arc};

use sqlx::{
    AnyPool, Connection as _, Executor as _, Row, SqlSafeStr,
    any::AnyPoolOptions,
    migrate::{Migration, MigrationType, Migrator},
};
use tokio::sync::{Mutex, RwLock};

use crate::{
    Error, Mode, Slot, Value,
    accepted::Mark,
    audit::{Entry, Head, Log},
    keyring::{self, Header},
    metrics::Counters,
    seal::{KeyFile, KeyProvider, Phrase, Seal},
};

#[cfg(test)]
pub(crate) mod tests;

/// Connections for reads: they are short.
const READERS_MAX: u32 = 4;
/// SQLite has one writer: who waits for a turn in our queue waits less than in SQLite's.
const SQLITE_WRITERS_MAX: u32 = 1;
/// PostgreSQL's writers: commits of several at once share a sync.
const POSTGRES_WRITERS_MAX: u32 = 8;
/// A commit is on the disk before it is acknowledged, and nobody who reads waits for it.
const SQLITE_SETTINGS: &str =
    "pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 10000;";
/// The same promise.
const POSTGRES_SETTINGS: &str = "set synchronous_commit = on";
/// Own name, because services may share one PostgreSQL database.
const MIGRATIONS_TABLE: &str = "secrets_migrations";
const TABLES: [(i64, &str, &str); 5] = [
    (1, "secrets", include_str!("../migrations/0001_secrets.sql")),
    (2, "tee", include_str!("../migrations/0002_tee.sql")),
    (
        3,
        "attestation",
        include_str!("../migrations/0003_attestation.sql"),
    ),
    (4, "keyring", include_str!("../migrations/0004_keyring.sql")),
    (
        5,
        "accepted",
        include_str!("../migrations/0005_accepted.sql"),
    ),
];
/// The audit log, in the service's directory.
pub(crate) const AUDIT_FILE: &str = "secrets.audit.jsonl";
/// The key of the `file` provider, in the service's directory.
pub(crate) const KEY_FILE: &str = "secrets.key";

/// What a vault is made of.
pub(crate) struct Setup {
    /// The database.
    pub(crate) url: String,
    /// Where the audit log is, and the key file if there is one.
    pub(crate) data_dir: PathBuf,
    /// Where the root key comes from.
    pub(crate) provider: Arc<dyn KeyProvider>,
    /// Which enclaves the store is for.
    pub(crate) mode: Mode,
}

/// How the replacement of a value ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    /// The slot has the new value.
    Done,
    /// There was none to replace.
    Absent,
    /// The push was accepted before, and others since; nothing is changed.
    Replayed,
}

/// Sealed secrets in a database.
pub(crate) struct Vault {
    /// For reads.
    pub(crate) pool: AnyPool,
    /// For changes.
    pub(crate) writer: AnyPool,
    pub(crate) seal: Seal,
    pub(crate) counters: Counters,
    pub(crate) provider: Arc<dyn KeyProvider>,
    pub(crate) mode: Mode,
    /// One rotation, backup or unsealing at a time.
    pub(crate) turn: Mutex<()>,
    /// Held by who has sealed something and not stored it yet; a rotation waits for them.
    pub(crate) writing: RwLock<()>,
    /// Whether the database is SQLite, else it is PostgreSQL.
    pub(crate) is_sqlite: bool,
    legacy: KeyFile,
    log: Log,
}

impl Vault {
    /// Opens the database and, if the provider has the root key, its keyring. Keys are made for an
    /// empty database only: any other would be wrong.
    pub(crate) async fn open(setup: Setup) -> Result<Self, Error> {
        let vault = Self::open_sealed(setup).await?;
        vault.unseal(None).await?;
        Ok(vault)
    }

    /// The same without the keyring.
    pub(crate) async fn open_sealed(setup: Setup) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let writers = match is_sqlite(&setup.url) {
            true => SQLITE_WRITERS_MAX,
            false => POSTGRES_WRITERS_MAX,
        };
        let writer = connect(&setup.url, writers).await?;
        prepare(&writer).await?;
        let mut vault = Self {
            pool: connect(&setup.url, READERS_MAX).await?,
            writer,
            seal: Seal::default(),
            counters: Counters::default(),
            provider: setup.provider,
            mode: setup.mode,
            turn: Mutex::default(),
            writing: RwLock::default(),
            is_sqlite: is_sqlite(&setup.url),
            legacy: KeyFile::new(setup.data_dir.join(KEY_FILE)),
            log: Log::open(setup.data_dir.join(AUDIT_FILE))?,
        };
        if let Some(header) = Header::read(&vault.pool).await? {
            header.check(vault.mode, vault.provider.as_ref())?;
        }
        vault.start_counting().await?;
        Ok(vault)
    }

    /// Opens the keyring and checks every value; false when its root key is still missing.
    pub(crate) async fn unseal(&self, given: Option<&Phrase>) -> Result<bool, Error> {
        let _turn = self.turn.lock().await;
        let (provider, mode) = (&self.provider, self.mode);
        let ring = keyring::unlock(&self.writer, mode, provider, given, &self.legacy).await?;
        let Some(ring) = ring else {
            tracing::warn!("the store is sealed until `iexec sms unseal`");
            return Ok(false);
        };
        if provider.is_insecure() {
            tracing::warn!(
                provider = provider.name(),
                "the key is beside the database: whoever has this disk can read all secrets"
            );
        }
        self.seal.set(ring);
        let checked = self.check().await?;
        match checked.damaged {
            0 => tracing::info!(secrets = checked.sound, "every stored secret opens"),
            damaged => tracing::error!(damaged, "stored secrets are damaged or were exchanged"),
        }
        Ok(true)
    }

    /// Whether the database answers.
    pub(crate) async fn ping(&self) -> Result<(), Error> {
        let answer = sqlx::query("select 1").execute(&self.pool).await;
        answer
            .map(drop)
            .map_err(Error::database("ask the database"))
    }

    /// Writes down what happened; returns when it is on the disk. What is given to somebody is
    /// written down before it is given.
    pub(crate) async fn audit(&self, entry: Entry) -> Result<(), Error> {
        self.log.append(entry).await
    }

    /// The end of the audit log.
    pub(crate) fn audit_head(&self) -> Head {
        self.log.head()
    }

    /// Whether there is a value in `slot`.
    pub(crate) async fn holds(&self, slot: &Slot) -> Result<bool, Error> {
        Ok(self.sealed(slot).await?.is_some())
    }

    /// The value in `slot`.
    pub(crate) async fn get(&self, slot: &Slot) -> Result<Option<Value>, Error> {
        let open = |(sealed, version): (Vec<u8>, i64)| {
            self.seal.open_version(&slot.binding(), version, &sealed)
        };
        self.sealed(slot).await?.map(open).transpose()
    }

    /// Puts a `value` that nobody has signed in `slot` for ever; false when there is one already.
    pub(crate) async fn insert(&self, slot: &Slot, value: &Value) -> Result<bool, Error> {
        self.insert_signed(slot, value, "").await
    }

    /// The same for the first of the pushes that are `accepted` for the slot.
    pub(crate) async fn insert_signed(
        &self,
        slot: &Slot,
        value: &Value,
        accepted: &str,
    ) -> Result<bool, Error> {
        let sql = "insert into secret (kind, owner, name, sealed, accepted) \
                   values ($1, $2, $3, $4, $5) on conflict do nothing";
        let _writing = self.writing.read().await;
        let sealed = self.seal.close(&slot.binding(), value)?;
        let done = sqlx::query(sql)
            .bind(slot.kind())
            .bind(slot.owner())
            .bind(slot.name())
            .bind(sealed)
            .bind(accepted.to_owned())
            .execute(&self.writer)
            .await;
        let done = done.map_err(Error::database("store a secret"))?;
        self.count_added(slot.counter(), done.rows_affected());
        Ok(done.rows_affected() == 1)
    }

    /// Replaces the value in `slot`. The version, which the new value is bound to, is taken first:
    /// the row is ours until the end then.
    pub(crate) async fn update(
        &self,
        slot: &Slot,
        value: &Value,
        mark: &Mark,
    ) -> Result<Update, Error> {
        let failed = || Error::database("replace a secret");
        let _writing = self.writing.read().await;
        let mut change = self.writer.begin().await.map_err(failed())?;
        let sql = "update secret set version = version + 1 \
                   where kind = $1 and owner = $2 and name = $3 returning version, accepted";
        let row = sqlx::query(sql)
            .bind(slot.kind())
            .bind(slot.owner())
            .bind(slot.name())
            .fetch_optional(&mut *change)
            .await;
        let Some(row) = row.map_err(failed())? else {
            return Ok(Update::Absent);
        };
        let version = row.try_get(0).map_err(failed())?;
        let known: String = row.try_get(1).map_err(failed())?;
        let Some(accepted) = mark.after(&known) else {
            change.rollback().await.map_err(failed())?;
            return Ok(Update::Replayed);
        };
        let sealed = self.seal.close_version(&slot.binding(), version, value)?;
        let sql = "update secret set sealed = $4, accepted = $5 \
                   where kind = $1 and owner = $2 and name = $3";
        sqlx::query(sql)
            .bind(slot.kind())
            .bind(slot.owner())
            .bind(slot.name())
            .bind(sealed)
            .bind(accepted)
            .execute(&mut *change)
            .await
            .map_err(failed())?;
        change.commit().await.map_err(failed())?;
        Ok(Update::Done)
    }

    async fn sealed(&self, slot: &Slot) -> Result<Option<(Vec<u8>, i64)>, Error> {
        let sql = "select sealed, version from secret \
                   where kind = $1 and owner = $2 and name = $3";
        let row = sqlx::query(sql)
            .bind(slot.kind())
            .bind(slot.owner())
            .bind(slot.name())
            .fetch_optional(&self.pool)
            .await;
        let row = row.map_err(Error::database("look up a secret"))?;
        row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .transpose()
            .map_err(Error::database("read a secret"))
    }
}

fn is_sqlite(url: &str) -> bool {
    url.starts_with("sqlite:")
}

/// A connection whose transaction could not be ended is not used again. The driver counts a commit
/// that failed as one that is still to be made, and would take the next transaction for a part of
/// it; what is stored afterwards would be acknowledged and never be committed.
async fn connect(url: &str, connections: u32) -> Result<AnyPool, Error> {
    let settings = match is_sqlite(url) {
        true => SQLITE_SETTINGS,
        false => POSTGRES_SETTINGS,
    };
    let pool = AnyPoolOptions::new()
        .max_connections(connections)
        .after_connect(move |connection, _| {
            Box::pin(async move { connection.execute(settings).await.map(drop) })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                // What is still to be done comes first, e.g. a rollback.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .connect(url)
        .await;
    pool.map_err(Error::database("open the database"))
}

async fn prepare(pool: &AnyPool) -> Result<(), Error> {
    let migration = |(version, name, sql): (i64, &'static str, &'static str)| {
        let (kind, sql) = (MigrationType::Simple, sql.into_sql_str());
        Migration::new(version, name.into(), kind, sql, false)
    };
    let all = TABLES.into_iter().map(migration).collect();
    let mut migrator = Migrator::with_migrations(all);
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    let run = migrator.run(pool).await;
    run.map_err(|error| Error::Tables(Box::new(error)))
}
