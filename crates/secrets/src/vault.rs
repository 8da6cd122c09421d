//! The table of sealed secrets, on SQLite or PostgreSQL with the same SQL.

use std::path::{Path, PathBuf};

use sqlx::{
    AnyPool, Row, SqlSafeStr,
    any::AnyPoolOptions,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::{
    Error, Slot, Value,
    audit::{Entry, Head, Log},
    metrics::Counters,
    seal::Seal,
};

/// Connections: pushes are rare and short, and SQLite has one writer anyway.
const CONNECTIONS_MAX: u32 = 4;
/// Own name, because services may share one PostgreSQL database.
const MIGRATIONS_TABLE: &str = "secrets_migrations";
const TABLES: [(i64, &str, &str); 3] = [
    (1, "secrets", include_str!("../migrations/0001_secrets.sql")),
    (2, "tee", include_str!("../migrations/0002_tee.sql")),
    (
        3,
        "attestation",
        include_str!("../migrations/0003_attestation.sql"),
    ),
];
/// The audit log, in the service's directory.
pub(crate) const AUDIT_FILE: &str = "secrets.audit.jsonl";
/// What the probe is bound to: no slot looks like it.
const PROBE: &[u8] = b"probe";

/// Sealed secrets in a database.
pub(crate) struct Vault {
    pub(crate) pool: AnyPool,
    pub(crate) seal: Seal,
    pub(crate) counters: Counters,
    log: Log,
}

impl Vault {
    /// Opens the database at `url` with the key at `key`. A key is made for an empty database only:
    /// any other would be wrong.
    pub(crate) async fn open(url: &str, key: PathBuf) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().max_connections(CONNECTIONS_MAX);
        let pool = pool.connect(url).await;
        let pool = pool.map_err(Error::database("open the database"))?;
        prepare(&pool).await?;
        let seal = unlock(&pool, &key).await?;
        let log = Log::open(key.with_file_name(AUDIT_FILE))?;
        let counters = Counters::default();
        let mut vault = Self {
            pool,
            seal,
            counters,
            log,
        };
        vault.start_counting().await?;
        Ok(vault)
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
        let sealed = self.sealed(slot).await?;
        sealed
            .map(|sealed| self.seal.open(&slot.binding(), &sealed))
            .transpose()
    }

    /// Puts `value` in `slot` for ever; false when there is one already.
    pub(crate) async fn insert(&self, slot: &Slot, value: &Value) -> Result<bool, Error> {
        let sql = "insert into secret (kind, owner, name, sealed) values ($1, $2, $3, $4) \
                   on conflict do nothing";
        let sealed = self.seal.close(&slot.binding(), value)?;
        let done = sqlx::query(sql)
            .bind(slot.kind())
            .bind(slot.owner())
            .bind(slot.name())
            .bind(sealed)
            .execute(&self.pool)
            .await;
        let done = done.map_err(Error::database("store a secret"))?;
        self.count_added(slot.counter(), done.rows_affected());
        Ok(done.rows_affected() == 1)
    }

    /// Replaces the value in `slot`; false when there is none.
    pub(crate) async fn update(&self, slot: &Slot, value: &Value) -> Result<bool, Error> {
        let sql = "update secret set sealed = $4 where kind = $1 and owner = $2 and name = $3";
        let sealed = self.seal.close(&slot.binding(), value)?;
        let done = sqlx::query(sql)
            .bind(slot.kind())
            .bind(slot.owner())
            .bind(slot.name())
            .bind(sealed)
            .execute(&self.pool)
            .await;
        let done = done.map_err(Error::database("replace a secret"))?;
        Ok(done.rows_affected() == 1)
    }

    async fn sealed(&self, slot: &Slot) -> Result<Option<Vec<u8>>, Error> {
        let sql = "select sealed from secret where kind = $1 and owner = $2 and name = $3";
        let row = sqlx::query(sql)
            .bind(slot.kind())
            .bind(slot.owner())
            .bind(slot.name())
            .fetch_optional(&self.pool)
            .await;
        let row = row.map_err(Error::database("look up a secret"))?;
        row.map(|row| row.try_get(0))
            .transpose()
            .map_err(Error::database("read a secret"))
    }
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

/// Finds the key that the secrets are sealed with: a probe in the database tells whether it is the
/// right one.
async fn unlock(pool: &AnyPool, path: &Path) -> Result<Seal, Error> {
    let key = Seal::read(path)?;
    match (probe(pool).await?, key) {
        (None, key) => {
            let seal = key.map_or_else(|| Seal::create(path), Ok)?;
            place_probe(pool, &seal).await?;
            Ok(seal)
        }
        (Some(probe), Some(seal)) if seal.open(PROBE, &probe).is_ok() => Ok(seal),
        (Some(_), _) => Err(Error::WrongKey {
            path: path.to_owned(),
        }),
    }
}

async fn probe(pool: &AnyPool) -> Result<Option<Vec<u8>>, Error> {
    let row = sqlx::query("select probe from seal where id = 1")
        .fetch_optional(pool)
        .await
        .map_err(Error::database("look up the key probe"))?;
    row.map(|row| row.try_get(0))
        .transpose()
        .map_err(Error::database("read the key probe"))
}

async fn place_probe(pool: &AnyPool, seal: &Seal) -> Result<(), Error> {
    let probe = seal.close(PROBE, &Value::new("probe".into()))?;
    sqlx::query("insert into seal (id, probe) values (1, $1)")
        .bind(probe)
        .execute(pool)
        .await
        .map_err(Error::database("store the key probe"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use protocol::Address;

    use super::*;

    const SLOT: Slot = Slot::dataset(Address::repeat_byte(1));

    struct Scene(tempfile::TempDir);

    impl Scene {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }
        fn file(&self) -> PathBuf {
            self.0.path().join("db")
        }
        fn key(&self) -> PathBuf {
            self.0.path().join("key")
        }
        async fn open(&self) -> Result<Vault, Error> {
            let url = format!("sqlite://{}?mode=rwc", self.file().display());
            Vault::open(&url, self.key()).await
        }
    }

    fn value(text: &str) -> Value {
        Value::new(text.to_owned())
    }

    #[tokio::test]
    async fn values_are_written_once_and_survive_a_restart() {
        let scene = Scene::new();
        let vault = scene.open().await.unwrap();
        assert!(!vault.holds(&SLOT).await.unwrap());
        assert!(!vault.update(&SLOT, &value("no")).await.unwrap());
        assert!(vault.insert(&SLOT, &value("first")).await.unwrap());
        assert!(!vault.insert(&SLOT, &value("second")).await.unwrap());
        drop(vault);
        let vault = scene.open().await.unwrap();
        assert_eq!(vault.get(&SLOT).await.unwrap(), Some(value("first")));
        assert!(vault.update(&SLOT, &value("third")).await.unwrap());
        assert_eq!(vault.get(&SLOT).await.unwrap(), Some(value("third")));
    }

    #[tokio::test]
    async fn the_files_do_not_hold_the_value_in_clear() {
        let scene = Scene::new();
        let vault = scene.open().await.unwrap();
        let text = "a very recognisable secret";
        vault.insert(&SLOT, &value(text)).await.unwrap();
        vault.pool.close().await;
        for entry in std::fs::read_dir(scene.0.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let found = bytes.windows(text.len()).any(|w| w == text.as_bytes());
            assert!(!found);
        }
    }

    #[tokio::test]
    async fn a_lost_or_foreign_key_is_noticed_and_not_replaced() {
        let scene = Scene::new();
        scene.open().await.unwrap();
        let kept = std::fs::read(scene.key()).unwrap();
        std::fs::remove_file(scene.key()).unwrap();
        assert!(matches!(scene.open().await, Err(Error::WrongKey { .. })));
        assert!(!scene.key().exists());
        std::fs::write(scene.key(), [1; 32]).unwrap();
        assert!(matches!(scene.open().await, Err(Error::WrongKey { .. })));
        std::fs::write(scene.key(), kept).unwrap();
        assert!(scene.open().await.is_ok());
    }

    #[tokio::test]
    async fn a_value_moved_to_another_slot_is_damaged() {
        let scene = Scene::new();
        let vault = scene.open().await.unwrap();
        vault.insert(&SLOT, &value("mine")).await.unwrap();
        sqlx::query("update secret set owner = $1")
            .bind(Slot::dataset(Address::repeat_byte(2)).owner())
            .execute(&vault.pool)
            .await
            .unwrap();
        let other = Slot::dataset(Address::repeat_byte(2));
        assert!(matches!(vault.get(&other).await, Err(Error::Damaged)));
    }

    #[tokio::test]
    async fn the_same_sql_runs_on_postgres() {
        let url = tools::need!(tools::postgres_database());
        let scene = Scene::new();
        let vault = Vault::open(&url, scene.key()).await.unwrap();
        assert!(vault.insert(&SLOT, &value("first")).await.unwrap());
        assert!(!vault.insert(&SLOT, &value("second")).await.unwrap());
        let vault = Vault::open(&url, scene.key()).await.unwrap();
        assert_eq!(vault.get(&SLOT).await.unwrap(), Some(value("first")));
        assert!(vault.update(&SLOT, &value("third")).await.unwrap());
        assert_eq!(vault.get(&SLOT).await.unwrap(), Some(value("third")));
        let other = Vault::open(&url, scene.0.path().join("other")).await;
        assert!(matches!(other, Err(Error::WrongKey { .. })));
    }
}
