//! Challenges that were handed out and not used yet.

use protocol::{Address, B256};

use super::{
    Database,
    row::{damaged, text, unsigned},
};
use crate::Error;

/// What a wallet was asked to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// The digest to sign; the key.
    pub(crate) hash: B256,
    /// Who is to sign.
    pub(crate) address: Address,
    /// The words that are signed.
    pub(crate) words: String,
    /// Milliseconds since 1970; worthless from here on.
    pub(crate) expires_ms: i64,
}

impl Database {
    /// Keeps a challenge and forgets the expired ones.
    pub(crate) async fn keep_challenge(&self, new: &Challenge, now_ms: i64) -> Result<(), Error> {
        let failed = || Error::database("keep a challenge");
        sqlx::query("delete from market_challenges where expires <= $1")
            .bind(now_ms)
            .execute(&self.writer)
            .await
            .map_err(failed())?;
        let insert = "insert into market_challenges (hash, address, words, expires) \
                      values ($1, $2, $3, $4)";
        sqlx::query(insert)
            .bind(new.hash.to_string())
            .bind(new.address.to_string())
            .bind(new.words.clone())
            .bind(new.expires_ms)
            .execute(&self.writer)
            .await
            .map_err(failed())?;
        Ok(())
    }

    /// The live challenges of a wallet: how many, and the words of the one that lives longest.
    pub(crate) async fn live_challenges(
        &self,
        address: Address,
        now_ms: i64,
    ) -> Result<(usize, Option<String>), Error> {
        let select = "select words from market_challenges where address = $1 and expires > $2 \
                      order by expires desc, hash";
        let rows = sqlx::query(select)
            .bind(address.to_string())
            .bind(now_ms)
            .fetch_all(&self.readers)
            .await
            .map_err(Error::database("read challenges"))?;
        let newest = rows.first().map(|row| text(row, "words")).transpose()?;
        Ok((rows.len(), newest))
    }

    /// The challenge with this digest for this wallet, if it lives.
    pub(crate) async fn challenge(
        &self,
        hash: B256,
        address: Address,
        now_ms: i64,
    ) -> Result<Option<Challenge>, Error> {
        let select = "select words, expires from market_challenges \
                      where hash = $1 and address = $2 and expires > $3";
        let row = sqlx::query(select)
            .bind(hash.to_string())
            .bind(address.to_string())
            .bind(now_ms)
            .fetch_optional(&self.readers)
            .await
            .map_err(Error::database("read a challenge"))?;
        let read = |row| {
            Ok(Challenge {
                hash,
                address,
                words: text(&row, "words")?,
                expires_ms: unsigned(&row, "expires")?
                    .try_into()
                    .map_err(damaged("time"))?,
            })
        };
        row.map(read).transpose()
    }

    /// Uses a challenge up; false when somebody was faster.
    pub(crate) async fn use_challenge(&self, hash: B256) -> Result<bool, Error> {
        let done = sqlx::query("delete from market_challenges where hash = $1")
            .bind(hash.to_string())
            .execute(&self.writer)
            .await
            .map_err(Error::database("use a challenge"))?;
        Ok(done.rows_affected() > 0)
    }
}
