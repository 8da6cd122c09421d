//! Which content is the result of which task: one small file per task, replaced as a whole.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use protocol::{Address, TaskId};
use serde::{Deserialize, Serialize};
use tokio::{io::AsyncWriteExt, sync::Mutex};

use crate::{Error, backend::sync_directory};

/// Results a worker may upload for one task: a retry after a lost answer is normal, a stream of
/// archives is not.
pub const UPLOADS_MAX: u32 = 8;
/// Tasks are spread over this many locks, so that uploads rarely wait for each other's disk.
const LOCKS: usize = 64;

/// What is known of a task's results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The CID uploaded last, by whomever.
    pub(crate) latest: Option<String>,
    /// Each worker's own.
    workers: BTreeMap<Address, Upload>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Upload {
    /// The worker's last CID.
    cid: String,
    /// How many it uploaded.
    count: u32,
}

impl Entry {
    /// Whether `worker` may upload once more. Retries of the same content count too: they cost the
    /// same.
    pub(crate) fn allows(&self, worker: Address) -> Result<(), Error> {
        let count = self.workers.get(&worker).map_or(0, |upload| upload.count);
        if count >= UPLOADS_MAX {
            return Err(Error::TooManyUploads { limit: UPLOADS_MAX });
        }
        Ok(())
    }

    fn record(&mut self, worker: Address, cid: &str) -> Result<(), Error> {
        self.allows(worker)?;
        let fresh = || Upload {
            cid: String::new(),
            count: 0,
        };
        let upload = self.workers.entry(worker).or_insert_with(fresh);
        upload.count += 1;
        cid.clone_into(&mut upload.cid);
        self.latest = Some(cid.to_owned());
        Ok(())
    }
}

/// The files.
pub(crate) struct Index {
    directory: PathBuf,
    locks: [Mutex<()>; LOCKS],
}

impl Index {
    pub(crate) async fn open(directory: PathBuf) -> Result<Self, Error> {
        tokio::fs::create_dir_all(&directory)
            .await
            .map_err(Error::disk("create", &directory))?;
        let locks = std::array::from_fn(|_| Mutex::new(()));
        Ok(Self { directory, locks })
    }

    pub(crate) async fn get(&self, task: TaskId) -> Result<Entry, Error> {
        let path = self.path(task);
        match tokio::fs::read(&path).await {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_| Error::Corrupt {
                path,
                expected: "an index entry",
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Entry::default()),
            Err(error) => Err(Error::disk("read", path)(error)),
        }
    }

    /// Notes that `worker` uploaded `cid` for `task`; durable on return.
    pub(crate) async fn record(
        &self,
        task: TaskId,
        worker: Address,
        cid: &str,
    ) -> Result<(), Error> {
        let lock = &self.locks[usize::from(task.0[0]) % LOCKS];
        let _held = lock.lock().await;
        let mut entry = self.get(task).await?;
        entry.record(worker, cid)?;
        let bytes = serde_json::to_vec(&entry).map_err(|_| Error::Corrupt {
            path: self.path(task),
            expected: "an index entry",
        })?;
        self.replace(&self.path(task), &bytes).await
    }

    async fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let temporary = path.with_extension("new");
        let wrong = || Error::disk("write", &temporary);
        let mut file = tokio::fs::File::create(&temporary).await.map_err(wrong())?;
        file.write_all(bytes).await.map_err(wrong())?;
        file.sync_all().await.map_err(wrong())?;
        tokio::fs::rename(&temporary, path)
            .await
            .map_err(Error::disk("rename", path))?;
        sync_directory(&self.directory).await
    }

    fn path(&self, task: TaskId) -> PathBuf {
        self.directory.join(format!("{task}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId::repeat(1);
    const ALICE: Address = Address::repeat_byte(0xa);
    const BOB: Address = Address::repeat_byte(0xb);

    #[tokio::test]
    async fn the_last_upload_wins_and_survives_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let index = Index::open(directory.path().to_owned()).await.unwrap();
        assert_eq!(index.get(TASK).await.unwrap(), Entry::default());
        index.record(TASK, ALICE, "Qm1").await.unwrap();
        index.record(TASK, BOB, "Qm2").await.unwrap();
        let again = Index::open(directory.path().to_owned()).await.unwrap();
        let entry = again.get(TASK).await.unwrap();
        assert_eq!(entry.latest.as_deref(), Some("Qm2"));
        assert_eq!(entry.workers[&ALICE].cid, "Qm1");
        assert_eq!(again.get(TaskId::repeat(2)).await.unwrap().latest, None);
    }

    #[test]
    fn a_worker_runs_out_of_uploads_alone() {
        let mut entry = Entry::default();
        for _ in 0..UPLOADS_MAX {
            entry.record(ALICE, "Qm1").unwrap();
        }
        assert!(entry.record(ALICE, "Qm2").is_err());
        assert_eq!(entry.latest.as_deref(), Some("Qm1"));
        entry.record(BOB, "Qm3").unwrap();
    }
}
