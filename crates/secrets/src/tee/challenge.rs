//! The enclave's key of each task: its address is the "enclave challenge" that pool, worker and
//! chain agree on; the key itself goes into the session and nowhere else.

use chain::Wallet;
use protocol::{Address, TaskId};
use sqlx::{Row, any::AnyRow};

use crate::{Error, Value, slot::bind, vault::Vault};

/// The key of one task's enclave.
pub(crate) struct Challenge {
    /// What the world knows of it.
    pub(crate) address: Address,
    /// `0x` and 64 hexadecimal digits.
    pub(crate) key: Value,
}

impl Challenge {
    fn fresh() -> Self {
        let wallet = Wallet::random();
        Self {
            address: wallet.address(),
            key: Value::new(format!("{:#x}", wallet.key())),
        }
    }
}

impl Vault {
    /// The key of a task, if there is one.
    pub(crate) async fn challenge(&self, task: TaskId) -> Result<Option<Challenge>, Error> {
        let row = sqlx::query("select address, sealed from tee_challenge where task = $1")
            .bind(task.to_string())
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::database("look up an enclave key"))?;
        row.map(|row| self.read_challenge(task, &row)).transpose()
    }

    fn read_challenge(&self, task: TaskId, row: &AnyRow) -> Result<Challenge, Error> {
        let failed = || Error::database("read an enclave key");
        let address: String = row.try_get(0).map_err(failed())?;
        let sealed: Vec<u8> = row.try_get(1).map_err(failed())?;
        let key = self.seal.open(&binding(task, &address), &sealed)?;
        let address = address.parse().map_err(|_| Error::Damaged)?;
        Ok(Challenge { address, key })
    }

    /// The key of a task, made when there is none; of many who ask at once, one makes it and all
    /// get the same. It may be deleted after `purge_at`, seconds since 1970.
    pub(crate) async fn challenge_or_create(
        &self,
        task: TaskId,
        purge_at: u64,
    ) -> Result<Challenge, Error> {
        if let Some(known) = self.challenge(task).await? {
            return Ok(known);
        }
        self.insert_challenge(task, &Challenge::fresh(), purge_at)
            .await?;
        // Whoever was first: its key counts.
        self.challenge(task).await?.ok_or(Error::Damaged)
    }

    async fn insert_challenge(
        &self,
        task: TaskId,
        fresh: &Challenge,
        purge_at: u64,
    ) -> Result<(), Error> {
        let sql = "insert into tee_challenge (task, address, sealed, purge_at) \
                   values ($1, $2, $3, $4) on conflict do nothing";
        let address = format!("{:#x}", fresh.address);
        let _writing = self.writing.read().await;
        let sealed = self.seal.close(&binding(task, &address), &fresh.key)?;
        let done = sqlx::query(sql)
            .bind(task.to_string())
            .bind(address)
            .bind(sealed)
            .bind(i64::try_from(purge_at).unwrap_or(i64::MAX))
            .execute(&self.writer)
            .await
            .map_err(Error::database("store an enclave key"))?;
        self.count_added(crate::metrics::CHALLENGES, done.rows_affected());
        Ok(())
    }
}

/// What the key of a task is bound to.
pub(crate) fn binding(task: TaskId, address: &str) -> Vec<u8> {
    bind([b"tee-challenge", task.0.as_slice(), address.as_bytes()])
}
