//! What is remembered of challenges and releases, so that neither a restart nor a second process
//! lets a nonce be used twice.

use attest::{Identity, PlatformId, Stage};
use protocol::B256;
use rand::{RngCore, rngs::OsRng};
use sqlx::Row;

use crate::{Error, Slot, Value, vault::Vault};

/// Unused nonces of a session: one for each stage, and some that were lost.
const NONCES_MAX: i64 = 16;
/// Releases of a stage: an enclave that crashed may come again, twice.
const RELEASES_MAX: i64 = 3;

fn bigint(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

impl Vault {
    /// The service's own key; of many who make it at once, one does.
    pub(super) async fn identity(&self) -> Result<Identity, Error> {
        let slot = Slot::identity();
        if self.get(&slot).await?.is_none() {
            let mut seed = [0; 32];
            OsRng.fill_bytes(&mut seed);
            self.insert(&slot, &Value::new(hex::encode(seed))).await?;
        }
        let seed = self.get(&slot).await?.ok_or(Error::Damaged)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(seed.expose(), &mut bytes).map_err(|_| Error::Damaged)?;
        Ok(Identity::from_seed(bytes))
    }

    /// Keeps a nonce; false when the session has too many unused ones. Two at once may both find
    /// room: the limit is one of order, not of security.
    pub(super) async fn put_nonce(
        &self,
        nonce: B256,
        (session, stage): (&str, Stage),
        (now, expires_at): (u64, u64),
    ) -> Result<bool, Error> {
        let failed = || Error::database("store a nonce");
        let sql = "select count(*) from attest_nonce where session = $1 and expires_at > $2";
        let unused = sqlx::query(sql).bind(session).bind(bigint(now));
        let unused = unused.fetch_one(&self.pool).await.map_err(failed())?;
        let unused: i64 = unused.try_get(0).map_err(failed())?;
        if unused >= NONCES_MAX {
            return Ok(false);
        }
        let sql = "insert into attest_nonce (nonce, session, stage, expires_at) \
                   values ($1, $2, $3, $4)";
        sqlx::query(sql)
            .bind(nonce.to_string())
            .bind(session)
            .bind(stage.name())
            .bind(bigint(expires_at))
            .execute(&self.pool)
            .await
            .map_err(failed())?;
        Ok(true)
    }

    /// Uses a nonce up; false when it is unknown, used, expired, or of another session or stage.
    pub(super) async fn take_nonce(
        &self,
        nonce: B256,
        session: &str,
        stage: Stage,
        now: u64,
    ) -> Result<bool, Error> {
        let sql = "delete from attest_nonce where nonce = $1 and session = $2 and stage = $3 \
                   and expires_at > $4";
        let done = sqlx::query(sql)
            .bind(nonce.to_string())
            .bind(session)
            .bind(stage.name())
            .bind(bigint(now))
            .execute(&self.pool)
            .await
            .map_err(Error::database("use a nonce"))?;
        Ok(done.rows_affected() == 1)
    }

    /// Deletes nonces that are over.
    pub(super) async fn forget_nonces(&self, now: u64) -> Result<(), Error> {
        let sql = "delete from attest_nonce where expires_at <= $1";
        let done = sqlx::query(sql).bind(bigint(now)).execute(&self.pool).await;
        done.map(drop).map_err(Error::database("delete nonces"))
    }

    /// Ties a session to the first platform that redeems; false for another one.
    pub(super) async fn pin_platform(
        &self,
        session: &str,
        platform: PlatformId,
        purge_at: u64,
    ) -> Result<bool, Error> {
        let failed = || Error::database("tie a session to its platform");
        let sql = "insert into attest_platform (session, platform, purge_at) \
                   values ($1, $2, $3) on conflict do nothing";
        sqlx::query(sql)
            .bind(session)
            .bind(platform.to_string())
            .bind(bigint(purge_at))
            .execute(&self.pool)
            .await
            .map_err(failed())?;
        let sql = "select platform from attest_platform where session = $1";
        let row = sqlx::query(sql).bind(session).fetch_one(&self.pool).await;
        let pinned: String = row.map_err(failed())?.try_get(0).map_err(failed())?;
        Ok(pinned == platform.to_string())
    }

    /// Counts a release; false when there were enough.
    pub(super) async fn count_release(
        &self,
        session: &str,
        stage: Stage,
        purge_at: u64,
    ) -> Result<bool, Error> {
        let sql = "insert into attest_release (session, stage, number, purge_at) \
                   values ($1, $2, 1, $3) on conflict (session, stage) do update \
                   set number = attest_release.number + 1 where attest_release.number < $4";
        let done = sqlx::query(sql)
            .bind(session)
            .bind(stage.name())
            .bind(bigint(purge_at))
            .bind(RELEASES_MAX)
            .execute(&self.pool)
            .await
            .map_err(Error::database("count a release"))?;
        Ok(done.rows_affected() == 1)
    }
}
