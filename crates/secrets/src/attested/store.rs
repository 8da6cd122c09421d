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
            .execute(&self.writer)
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
            .execute(&self.writer)
            .await
            .map_err(Error::database("use a nonce"))?;
        Ok(done.rows_affected() == 1)
    }

    /// Deletes nonces that are over.
    pub(super) async fn forget_nonces(&self, now: u64) -> Result<(), Error> {
        let sql = "delete from attest_nonce where expires_at <= $1";
        let done = sqlx::query(sql)
            .bind(bigint(now))
            .execute(&self.writer)
            .await;
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
            .execute(&self.writer)
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
            .execute(&self.writer)
            .await
            .map_err(Error::database("count a release"))?;
        Ok(done.rows_affected() == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    const NONCE: B256 = B256::repeat_byte(1);

    async fn vault(database: Option<String>) -> (tempfile::TempDir, Vault) {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(folder.path());
        config.database = database;
        let vault = Vault::open(config.setup().unwrap()).await.unwrap();
        (folder, vault)
    }

    async fn keeps_its_word(database: Option<String>) {
        let (_folder, vault) = vault(database).await;
        let id = vault.identity().await.unwrap().id();
        assert_eq!(vault.identity().await.unwrap().id(), id);
        let place = ("a", Stage::App);
        assert!(vault.put_nonce(NONCE, place, (5, 10)).await.unwrap());
        for (session, stage, now, is_good) in [
            ("b", Stage::App, 5, false),
            ("a", Stage::PreCompute, 5, false),
            ("a", Stage::App, 10, false),
            ("a", Stage::App, 9, true),
            ("a", Stage::App, 9, false),
        ] {
            let taken = vault.take_nonce(NONCE, session, stage, now).await;
            assert_eq!(taken.unwrap(), is_good, "{session} {stage} {now}");
        }
        assert!(vault.put_nonce(NONCE, place, (5, 10)).await.unwrap());
        vault.forget_nonces(10).await.unwrap();
        assert!(!vault.take_nonce(NONCE, "a", Stage::App, 9).await.unwrap());
        for (session, platform, is_good) in [("a", 1, true), ("a", 2, false), ("b", 2, true)] {
            let platform = PlatformId::repeat_byte(platform);
            let pinned = vault.pin_platform(session, platform, 50).await;
            assert_eq!(pinned.unwrap(), is_good, "{session} {platform}");
        }
        for number in 0..5 {
            let counted = vault.count_release("a", Stage::App, 50).await;
            assert_eq!(counted.unwrap(), number < 3);
        }
        assert!(
            vault
                .count_release("a", Stage::PostCompute, 50)
                .await
                .unwrap()
        );
        // Two platforms and two counters.
        assert_eq!(vault.purge(50).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn it_is_remembered_what_was_used() {
        keeps_its_word(None).await;
    }

    #[tokio::test]
    async fn the_same_sql_runs_on_postgres() {
        let url = tools::need!(tools::postgres_database());
        keeps_its_word(Some(url)).await;
    }

    /// Of many who make the key at once, one does; of many releases at once, three are.
    #[tokio::test]
    async fn many_at_once_agree() {
        let (_folder, vault) = vault(None).await;
        let ids = (0..16).map(|_| vault.identity());
        let ids = futures_util::future::join_all(ids).await;
        let ids: Vec<_> = ids.into_iter().map(|one| one.unwrap().id()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]));
        let counted = (0..16).map(|_| vault.count_release("a", Stage::App, 50));
        let counted = futures_util::future::join_all(counted).await;
        let released = counted.into_iter().filter(|one| *one.as_ref().unwrap());
        assert_eq!(released.count(), 3);
        let pinned = (0..16).map(|n| vault.pin_platform("a", PlatformId::repeat_byte(n), 50));
        let pinned = futures_util::future::join_all(pinned).await;
        let first = pinned.into_iter().filter(|one| *one.as_ref().unwrap());
        assert_eq!(first.count(), 1);
    }
}
