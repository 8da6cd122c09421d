//! Keys and sessions go when their task can no longer be served: after its final deadline, by the
//! chain's clock.

use crate::{Error, vault::Vault};

impl Vault {
    /// Deletes what was to be kept until `now`, seconds since 1970, at most; says how much.
    pub(crate) async fn purge(&self, now: u64) -> Result<u64, Error> {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let mut gone = 0;
        for sql in [
            "delete from tee_session where purge_at <= $1",
            "delete from tee_challenge where purge_at <= $1",
            "delete from attest_platform where purge_at <= $1",
            "delete from attest_release where purge_at <= $1",
        ] {
            let done = sqlx::query(sql).bind(now).execute(&self.pool).await;
            let done = done.map_err(Error::database("delete what is over"))?;
            gone += done.rows_affected();
        }
        Ok(gone)
    }
}
