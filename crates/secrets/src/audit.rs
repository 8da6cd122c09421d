//! The audit log: who was given what, and what was kept for whom, never a value.
//!
//! One file of JSON lines in the service's own directory, whatever the database is. It is durable
//! by our own sync, not by a database's settings; restoring a database does not take it back; who
//! may change the rows of a shared PostgreSQL still cannot change it; and it can be shipped away
//! with the plainest tools. Each line ends with the SHA-256 of itself and holds that of the line
//! before, so that an edit or a removal shows. A cut at the end shows to whoever knows a later
//! head: `/metrics` tells it, so that somebody else can keep it.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, BufReader, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::Error;

mod chain;
#[cfg(test)]
mod tests;

pub use chain::{Broken, Head, verify};

/// Entries that wait to be written. Who comes later waits for a place, as the disk is the limit.
const WAITING_MAX: usize = 1024;
/// Entries written with one sync: as many as can wait, so that a slow disk catches up.
const BATCH_MAX: usize = WAITING_MAX;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It was done, or is about to be done.
    Allowed,
    /// It was not.
    Refused,
}

/// One thing that happened. It has no place for a value of a secret.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    actor: String,
    action: &'static str,
    ids: BTreeMap<&'static str, String>,
    decision: Decision,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    measurements: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
}

impl Entry {
    /// `actor` is an address or `operator`; `action` a noun and a verb, e.g. `session.redeem`.
    pub fn new(actor: impl Into<String>, action: &'static str, decision: Decision) -> Self {
        Self {
            actor: actor.into(),
            action,
            ids: BTreeMap::new(),
            decision,
            reason: None,
            measurements: BTreeMap::new(),
            request: None,
        }
    }

    /// What it was about, e.g. `task`.
    #[must_use]
    pub fn id(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.ids.insert(name, value.into());
        self
    }

    /// Why it ended so.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// What a quote said of an enclave, e.g. `mrtd`.
    #[must_use]
    pub fn measurement(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.measurements.insert(name, value.into());
        self
    }

    /// The id of the request, to find it in other logs.
    #[must_use]
    pub fn request(mut self, id: impl Into<String>) -> Self {
        self.request = Some(id.into());
        self
    }
}

/// The log, open to be appended to. Its thread ends with the last of its owners.
pub(crate) struct Log {
    sender: mpsc::Sender<Ask>,
    head: Arc<Mutex<Head>>,
    path: PathBuf,
}

struct Ask {
    entry: Entry,
    done: oneshot::Sender<Result<(), Fault>>,
}

/// Why nothing was written, for each of those who wait for it.
#[derive(Clone, Debug)]
struct Fault(io::ErrorKind, String);

impl Log {
    /// Opens the log at `path`, or makes it, and checks all of it.
    pub(crate) fn open(path: PathBuf) -> Result<Self, Error> {
        let head = Arc::new(Mutex::new(Head::default()));
        let writer = Writer::open(&path, Arc::clone(&head))?;
        let (sender, asks) = mpsc::channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || write_all(writer, asks))
            .map_err(Error::disk("start the writer of", &path))?;
        Ok(Self { sender, head, path })
    }

    /// Returns when the entry is on the disk.
    pub(crate) async fn append(&self, entry: Entry) -> Result<(), Error> {
        let (done, answer) = oneshot::channel();
        let gone = || Fault(io::ErrorKind::BrokenPipe, "its writer has ended".into());
        let written = match self.sender.send(Ask { entry, done }).await {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(gone())),
            Err(_) => Err(gone()),
        };
        written.map_err(|Fault(kind, text)| {
            Error::disk("write", &self.path)(io::Error::new(kind, text))
        })
    }

    /// The last entry that this process wrote or saw.
    pub(crate) fn head(&self) -> Head {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_all(mut writer: Writer, mut asks: mpsc::Receiver<Ask>) {
    while let Some(first) = asks.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(more) = asks.try_recv()
        {
            batch.push(more);
        }
        let entries: Vec<_> = batch.iter().map(|ask| &ask.entry).collect();
        let written = writer.append(&entries);
        for ask in batch {
            // Whoever asked may have gone: the entry stands all the same.
            let _ = ask.done.send(written.clone());
        }
    }
}

/// The one that writes. Several processes may share a file: each takes its lock for one batch.
struct Writer {
    file: File,
    path: PathBuf,
    /// Bytes of the file up to the end of `head`.
    length: u64,
    head: Arc<Mutex<Head>>,
    /// After a sync that failed nobody knows what the disk has: nothing more is promised.
    fault: Option<Fault>,
}

impl Writer {
    fn open(path: &Path, head: Arc<Mutex<Head>>) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let file = options.open(path).map_err(Error::disk("open", path))?;
        // Also when it is there: who made it may have been killed before it did this.
        crate::seal::sync_parent(path).map_err(Error::disk("sync the directory of", path))?;
        let mut writer = Self {
            file,
            path: path.to_owned(),
            length: 0,
            head,
            fault: None,
        };
        writer.file.lock().map_err(Error::disk("lock", path))?;
        let ready = writer.catch_up();
        writer.file.unlock().map_err(Error::disk("unlock", path))?;
        ready.map(|()| writer)
    }

    fn append(&mut self, entries: &[&Entry]) -> Result<(), Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let told = |error: io::Error| Fault(error.kind(), error.to_string());
        self.file.lock().map_err(told)?;
        let written = self
            .catch_up()
            .map_err(broken)
            .and_then(|()| self.write(entries).map_err(told));
        self.file.unlock().map_err(told)?;
        if let Err(fault) = &written {
            let path = self.path.display();
            tracing::error!(%path, "the audit log is out of use: {}", fault.1);
            self.fault = Some(fault.clone());
        }
        written
    }

    /// Reads what others have written since, and cuts off what a crash left half written: nobody
    /// was told that it is there.
    fn catch_up(&mut self) -> Result<(), Error> {
        let path = self.path.clone();
        let length = self
            .file
            .metadata()
            .map_err(Error::disk("measure", &path))?;
        if length.len() == self.length {
            return Ok(());
        }
        let mut head = *self.head.lock().unwrap_or_else(PoisonError::into_inner);
        if length.len() < self.length {
            return Err(broken_at(&path, head.cut()));
        }
        self.file
            .seek(SeekFrom::Start(self.length))
            .map_err(Error::disk("read", &path))?;
        let whole = head.follow(BufReader::new(&self.file), &path, |_| Ok(()))?;
        self.length += whole;
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
        let torn = length.len().saturating_sub(self.length);
        self.cut(torn).map_err(Error::disk("repair", &path))
    }

    fn cut(&mut self, torn: u64) -> io::Result<()> {
        if torn == 0 {
            return Ok(());
        }
        tracing::warn!(bytes = torn, "the audit log ended in a torn line");
        self.file.set_len(self.length)?;
        let entry = Entry::new("service", "audit.repair", Decision::Allowed)
            .reason(format!("{torn} bytes of a torn last line were cut off"));
        self.write(&[&entry])
    }

    fn write(&mut self, entries: &[&Entry]) -> io::Result<()> {
        let mut head = *self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = Vec::new();
        for entry in entries {
            head = head.write(now_ms(), entry, &mut lines)?;
        }
        self.file.write_all(&lines)?;
        self.file.sync_data()?;
        self.length += lines.len() as u64;
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
        Ok(())
    }
}

fn broken_at(path: &Path, source: Broken) -> Error {
    let path = path.to_owned();
    Error::Audit { path, source }
}

fn broken(error: Error) -> Fault {
    let source = std::error::Error::source(&error).map(ToString::to_string);
    let text = format!("{error}: {}", source.unwrap_or_default());
    Fault(io::ErrorKind::InvalidData, text)
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
