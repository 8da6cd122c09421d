//! Sealed sessions: one for each task and worker, so that nobody fills the disk by asking again.

use protocol::{Address, TaskId};
use rand::{Rng, distributions::Alphanumeric, rngs::OsRng};
use sqlx::{Row, any::AnyRow};

use crate::{
    Error, Value,
    audit::{Decision, Entry},
    slot::bind,
    vault::Vault,
};

/// Random characters in front of a session's id, as upstream.
const ID_RANDOM_CHARS: usize = 10;

/// Where a session is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The task.
    pub(crate) task: TaskId,
    /// Whose session it is.
    pub(crate) worker: Address,
    /// It may be deleted afterwards, seconds since 1970.
    pub(crate) purge_at: u64,
}

/// An id that nobody can guess: ten random characters, `0000`, the task (spec/secrets-tee.md §1.4).
fn fresh_id(task: TaskId) -> String {
    let random = OsRng.sample_iter(&Alphanumeric).take(ID_RANDOM_CHARS);
    let random: String = random.map(char::from).collect();
    format!("{random}0000{task}")
}

impl Vault {
    /// The id of the session in `place`: a worker that asks again, or somebody who replays its
    /// request, gets the id that is there.
    pub(crate) async fn session_id(&self, place: Place) -> Result<String, Error> {
        let known = self.known_session_id(place).await?;
        Ok(known.unwrap_or_else(|| fresh_id(place.task)))
    }

    async fn known_session_id(&self, place: Place) -> Result<Option<String>, Error> {
        let row = sqlx::query("select id from tee_session where task = $1 and worker = $2")
            .bind(place.task.to_string())
            .bind(format!("{:#x}", place.worker))
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::database("look up a session"))?;
        let id = row.map(|row| row.try_get(0)).transpose();
        id.map_err(Error::database("read a session"))
    }

    /// Seals a session into its place, over the one that is there. False when another request has
    /// put one with another id there meanwhile: nothing is changed then.
    pub(crate) async fn put_session(
        &self,
        place: Place,
        id: &str,
        session: &Value,
    ) -> Result<bool, Error> {
        let sql = "insert into tee_session (task, worker, id, sealed, purge_at) \
                   values ($1, $2, $3, $4, $5) on conflict (task, worker) do update \
                   set sealed = excluded.sealed, purge_at = excluded.purge_at \
                   where tee_session.id = excluded.id";
        let writing = self.writing.read().await;
        let sealed = self
            .seal
            .close(&binding(place.task, place.worker, id), session)?;
        let done = sqlx::query(sql)
            .bind(place.task.to_string())
            .bind(format!("{:#x}", place.worker))
            .bind(id)
            .bind(sealed)
            .bind(i64::try_from(place.purge_at).unwrap_or(i64::MAX))
            .execute(&self.writer)
            .await
            .map_err(Error::database("store a session"))?;
        drop(writing);
        let stored = done.rows_affected() == 1;
        if stored {
            let entry = Entry::new(
                format!("{:#x}", place.worker),
                "session.make",
                Decision::Allowed,
            )
            .id("task", place.task.to_string())
            .id("session", id);
            self.audit(entry).await?;
        }
        Ok(stored)
    }

    #[cfg(test)]
    pub(crate) async fn session_count(&self) -> usize {
        let rows = sqlx::query("select id from tee_session");
        rows.fetch_all(&self.pool).await.unwrap().len()
    }

    /// The session with this id, and whose it is.
    pub(crate) async fn session(&self, id: &str) -> Result<Option<(Place, Value)>, Error> {
        let row =
            sqlx::query("select task, worker, purge_at, sealed from tee_session where id = $1")
                .bind(id)
                .fetch_optional(&self.pool)
                .await
                .map_err(Error::database("look up a session"))?;
        row.map(|row| self.read_session(id, &row)).transpose()
    }

    fn read_session(&self, id: &str, row: &AnyRow) -> Result<(Place, Value), Error> {
        let failed = || Error::database("read a session");
        let [task, worker] = [0, 1].map(|column| row.try_get::<String, _>(column));
        let purge_at: i64 = row.try_get(2).map_err(failed())?;
        let sealed: Vec<u8> = row.try_get(3).map_err(failed())?;
        let place = Place {
            task: task
                .map_err(failed())?
                .parse()
                .map_err(|_| Error::Damaged)?,
            worker: worker
                .map_err(failed())?
                .parse()
                .map_err(|_| Error::Damaged)?,
            purge_at: u64::try_from(purge_at).unwrap_or_default(),
        };
        Ok((
            place,
            self.seal
                .open(&binding(place.task, place.worker, id), &sealed)?,
        ))
    }
}

/// What a session is bound to.
pub(crate) fn binding(task: TaskId, worker: Address, id: &str) -> Vec<u8> {
    bind([
        b"tee-session".as_slice(),
        task.0.as_slice(),
        worker.as_slice(),
        id.as_bytes(),
    ])
}
