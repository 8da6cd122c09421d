//! What a worker remembers of a task across a restart: enough to find its container again, or to
//! contribute its result, to reveal and to upload it. It lies in the task's folder, beside the
//! output it speaks of.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use protocol::{
    B256, Bytes, TaskId,
    message::{Authorization, Flow, Report},
};
use serde::{Deserialize, Serialize};

/// The file's name in the task's folder.
const FILE_NAME: &str = "replicate.json";
/// Bytes of a journal that are read: callback data is at most a transaction's worth.
const BYTES_MAX: u64 = 4 << 20;

/// A replicate whose app runs, or whose result is not paid yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Journal {
    /// The permission to contribute.
    pub(crate) authorization: Authorization,
    /// How the result gets on chain.
    pub(crate) flow: Flow,
    /// Where results go.
    pub(crate) result_proxy: String,
    /// When this was written, milliseconds since 1970: of a running app, when it was started.
    pub(crate) started_ms: u64,
    /// What was reported of the app's end, with its output: said again after a restart.
    pub(crate) report: Option<Report>,
    /// The result; none while the app runs.
    pub(crate) computed: Option<Computed>,
}

/// A result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Computed {
    /// What the workers agree on.
    pub(crate) digest: B256,
    /// For the deal's callback; empty without one.
    pub(crate) callback_data: Bytes,
    /// The enclave's signature; empty for a standard task.
    #[serde(default)]
    pub(crate) enclave_sign: Bytes,
}

impl Journal {
    /// What is left at `now` (milliseconds) of the time that an app may run.
    pub(crate) fn time_left(&self, whole: Duration, now: u64) -> Duration {
        let passed = Duration::from_millis(now.saturating_sub(self.started_ms));
        whole.saturating_sub(passed)
    }

    /// The task it is about.
    pub(crate) fn task(&self) -> TaskId {
        self.authorization.chain_task_id
    }

    /// Writes it so that it is there whole or not at all, whenever the machine stops.
    pub(crate) fn save(&self, folder: &Path) -> io::Result<()> {
        let path = folder.join(FILE_NAME);
        let draft = path.with_extension("new");
        let mut file = File::create(&draft)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(draft, path)?;
        File::open(folder)?.sync_all()
    }

    /// The journal of a folder; none when the task had not got so far, or when it is not readable.
    pub(crate) fn load(folder: &Path) -> Option<Self> {
        let path = folder.join(FILE_NAME);
        let meta = fs::symlink_metadata(&path).ok()?;
        if !meta.is_file() || meta.len() > BYTES_MAX {
            return None;
        }
        let bytes = fs::read(&path).ok()?;
        let journal: Self = serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(file = %path.display(), %error, "not resumed"))
            .ok()?;
        let named = folder.file_name()?.to_str()? == journal.task().to_string();
        named.then_some(journal)
    }
}

/// Folders of tasks in a data directory.
pub(crate) fn task_folders(data_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(data_dir)?.flatten();
    let is_task = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        name.to_str().is_some_and(|n| n.parse::<TaskId>().is_ok())
    };
    Ok(entries.filter(is_task).map(|entry| entry.path()).collect())
}

#[cfg(test)]
mod tests {
    use protocol::{Address, DealId, message::SignatureValue};

    use super::*;

    fn journal() -> Journal {
        let deal = DealId::repeat(1);
        Journal {
            authorization: Authorization {
                chain_task_id: deal.task(0),
                deal_id: deal,
                task_index: 0,
                worker_wallet: Address::repeat_byte(2),
                enclave_challenge: Address::ZERO,
                signature: SignatureValue {
                    value: Bytes::from_static(&[5; 65]),
                },
            },
            flow: Flow::ContributeAndReveal,
            result_proxy: "http://store".into(),
            started_ms: 5_000,
            report: None,
            computed: Some(Computed {
                digest: B256::repeat_byte(3),
                callback_data: Bytes::new(),
                enclave_sign: Bytes::new(),
            }),
        }
    }

    #[test]
    fn it_is_found_in_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(journal().task().to_string());
        fs::create_dir(&folder).unwrap();
        assert_eq!(Journal::load(&folder), None);
        journal().save(&folder).unwrap();
        assert_eq!(Journal::load(&folder), Some(journal()));
        assert_eq!(task_folders(dir.path()).unwrap(), [folder]);
    }

    #[test]
    fn the_time_of_an_app_goes_on_while_nobody_looks() {
        let whole = Duration::from_secs(10);
        assert_eq!(journal().time_left(whole, 9_000), Duration::from_secs(6));
        assert_eq!(journal().time_left(whole, 90_000), Duration::ZERO);
        assert_eq!(
            journal().time_left(whole, 0),
            whole,
            "a clock that was set back"
        );
    }

    #[test]
    fn a_journal_of_another_task_or_half_a_journal_is_none() {
        let dir = tempfile::tempdir().unwrap();
        journal().save(dir.path()).unwrap();
        assert_eq!(Journal::load(dir.path()), None);
        let folder = dir.path().join(journal().task().to_string());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(FILE_NAME), "{\"authori").unwrap();
        assert_eq!(Journal::load(&folder), None);
    }
}
