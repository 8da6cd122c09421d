//! Where the app runs: its two folders and its container. This is where a container is started.
//!
//! `iexec app test` uses the same code, so what a developer sees locally is what a worker does.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use engine::{Bind, Engine, Exit, Image, Limits, Network, Reason, RunSpec, Secret};
use protocol::{Address, Cause, environment, message::Logs};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    Failure,
    printed::{self, Observer, Output},
    progress,
};

const MS_PER_S: u64 = 1_000;
/// Largest first.
const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];

/// How the names of a worker's containers begin: its leftovers are swept by it. The folder counts
/// because the workers of every local network have the same keys and may share a daemon.
pub fn container_prefix(worker: Address, data_dir: &Path) -> String {
    let folder = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let identity = [worker.as_slice(), folder.as_os_str().as_encoded_bytes()].concat();
    let digest = format!("{:x}", Sha256::digest(identity));
    format!("iexec-{}-", &digest[..8])
}

/// The folders of one task, made fresh and removed on drop, unless they hold a result that is not
/// delivered yet.
#[derive(Debug)]
pub struct Folders {
    root: PathBuf,
    is_kept: AtomicBool,
}

impl Folders {
    /// Makes empty folders at `root`; what was there is removed.
    ///
    /// # Errors
    /// The disk's.
    pub fn create(root: &Path) -> io::Result<Self> {
        engine::remove_tree(root)?;
        let folders = Self {
            root: root.to_owned(),
            is_kept: AtomicBool::new(false),
        };
        create_closed(root)?;
        fs::create_dir_all(folders.input())?;
        fs::create_dir_all(folders.output())?;
        // Images with a USER of their own must be able to write; nobody else can reach the
        // folder, because its root is closed.
        fs::set_permissions(folders.output(), fs::Permissions::from_mode(0o777))?;
        Ok(folders)
    }

    /// The folders that an earlier process left at `root`.
    pub(crate) fn adopt(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            is_kept: AtomicBool::new(false),
        }
    }

    /// They hold a result from here on: they stay even if this process is stopped.
    pub(crate) fn keep(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
    }

    /// The result is delivered, or nobody wants it any more.
    pub(crate) fn forget(&self) {
        self.is_kept.store(false, Ordering::Relaxed);
    }

    /// Bound to `/iexec_in`.
    pub fn input(&self) -> PathBuf {
        self.root.join("input")
    }

    /// Bound to `/iexec_out`.
    pub fn output(&self) -> PathBuf {
        self.root.join("output/iexec_out")
    }

    /// Where the result archive goes.
    pub fn archive(&self) -> PathBuf {
        self.root.join("output/iexec_out.zip")
    }
}

/// A new folder that is its owner's alone from the beginning. One that somebody else was quick to
/// make, as anybody can in `/dev/shm`, is not taken.
fn create_closed(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::DirBuilder::new().mode(0o700).create(folder)
}

impl Drop for Folders {
    fn drop(&mut self) {
        if self.is_kept.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = engine::remove_tree(&self.root) {
            tracing::warn!(folder = %self.root.display(), %error, "task folder not removed");
        }
    }
}

/// One run of an app.
#[derive(Clone, Debug)]
pub struct Run {
    /// The container's name: unique on the machine.
    pub name: String,
    /// What runs.
    pub image: Image,
    /// The requester's arguments; none means the image's own command.
    pub args: Vec<String>,
    /// The environment; see [`protocol::environment`].
    pub env: Vec<(String, String)>,
    /// More of it, that only the app sees; none for a standard task.
    pub secrets: Vec<(String, Secret)>,
    /// How much it may use.
    pub limits: Limits,
    /// How long it may take.
    pub deadline: Duration,
    /// What it may reach.
    pub network: Network,
    /// Whether it gets the machine's graphics processors.
    pub gpus: bool,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The container's end.
    pub exit: Exit,
    /// The end of what it printed.
    pub logs: Logs,
    /// What it might use.
    pub limits: Limits,
    /// How long it might take.
    pub deadline: Duration,
}

impl Ran {
    /// Why the run is a failure, if it is one (spec/pool-worker.md §2.10). The official code for
    /// most is the same; which limit it was, and how far the app went, is in the message.
    pub fn failure(&self) -> Option<Failure> {
        let code = self.exit.code;
        let (cause, message) = match self.exit.reason {
            Reason::Exited if code == 0 => return None,
            Reason::Exited => (
                Cause::AppComputeFailed,
                format!("the app ended with exit code {code}"),
            ),
            Reason::OutOfMemory => (Cause::AppComputeFailed, self.out_of_memory()),
            Reason::DiskFull => (Cause::AppComputeFailed, self.disk_full()),
            Reason::Killed => (
                Cause::AppComputeFailed,
                format!("the app was killed, not by the worker (exit code {code})"),
            ),
            Reason::Deadline => (Cause::AppComputeTimeout, self.timeout()),
            Reason::Cancelled => return Some(Failure::plain(Cause::AbortedByWorker)),
        };
        Some(Failure::new(cause, message))
    }

    /// The same, but an app that failed and wrote `computed.json` to `out` has a result all the
    /// same, as on the official worker; without it, the exit code is the cause.
    pub fn failure_without_result(&self, out: &Path) -> Option<Failure> {
        let wrote = out.join(protocol::computed::FILE_NAME).is_file();
        let failure = self.failure()?;
        (!wrote || failure.cause != Cause::AppComputeFailed).then_some(failure)
    }

    fn out_of_memory(&self) -> String {
        let limit = self.limits.memory_bytes;
        let used = self.exit.usage.memory_bytes.unwrap_or(limit);
        format!("the app ran out of memory: used {}", of(used, limit))
    }

    fn disk_full(&self) -> String {
        let limit = self.limits.disk_bytes;
        match self.exit.usage.disk_bytes {
            Some(used) if used < limit => format!(
                "the app wrote too much: used {}, in more than {} files or until the disk of the \
                 worker was almost full",
                of(used, limit),
                self.limits.files
            ),
            used => format!(
                "the app wrote too much: used {} of disk",
                of(used.unwrap_or(limit), limit)
            ),
        }
    }

    fn timeout(&self) -> String {
        let cause = Cause::AppComputeTimeout.sentence();
        let cpu = self.exit.usage.cpu_ms;
        let cpu = cpu.map_or_else(String::new, |ms| {
            format!(", with {} s of processor time", ms / MS_PER_S)
        });
        format!("{cause}: {} s{cpu}", self.deadline.as_secs())
    }
}

/// `2.0 GiB of 2.0 GiB`, in the unit of the limit.
fn of(used: u64, limit: u64) -> String {
    let (unit, name) = UNITS
        .into_iter()
        .find(|(unit, _)| limit >= *unit)
        .unwrap_or((1, "bytes"));
    let in_unit = |bytes: u64| format!("{:.1} {name}", bytes as f64 / unit as f64);
    format!("{} of {}", in_unit(used), in_unit(limit))
}

/// Runs the app in its folders. `observer` sees output and progress as they come; the file of the
/// progress is removed at the end. After a good end, output that is not empty becomes `stdout.txt`
/// and `stderr.txt` in the output folder.
///
/// # Errors
/// The engine's: the container could not start or was lost.
pub async fn run(
    engine: &dyn Engine,
    folders: &Folders,
    run: Run,
    observer: impl Observer,
    cancel: CancellationToken,
) -> Result<Ran, engine::Error> {
    let (limits, deadline) = (run.limits, run.deadline);
    let mut spec = RunSpec::new(run.name, run.image, deadline);
    spec.args = run.args;
    spec.env = run.env;
    spec.secrets = run.secrets;
    spec.limits = limits;
    spec.network = run.network;
    spec.gpus = run.gpus;
    spec.binds = vec![
        Bind::writable(folders.input(), environment::IN),
        Bind::writable(folders.output(), environment::OUT),
    ];
    let (sink, reader) = engine::log_channel();
    let out = folders.output();
    let reading = printed::read(reader, &out, observer);
    let (exit, output) = tokio::join!(engine.run(spec, sink, cancel), reading);
    Ok(ended(exit?, output, &out, limits, deadline))
}

/// A run that an earlier process started.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The container's name.
    pub(crate) name: String,
    /// How much it may use.
    pub(crate) limits: Limits,
    /// How long it may still take.
    pub(crate) deadline: Duration,
}

/// Waits for a container that an earlier process started, as [`run`] does; none when the engine
/// has no such container.
///
/// # Errors
/// As [`run`].
pub(crate) async fn adopt(
    engine: &dyn Engine,
    folders: &Folders,
    run: Found,
    observer: impl Observer,
    cancel: CancellationToken,
) -> Result<Option<Ran>, engine::Error> {
    let (limits, deadline) = (run.limits, run.deadline);
    let (sink, reader) = engine::log_channel();
    let out = folders.output();
    let reading = printed::read(reader, &out, observer);
    let adopted = engine.adopt(&run.name, deadline, sink, cancel);
    let (exit, output) = tokio::join!(adopted, reading);
    let ended = |exit| ended(exit, output, &out, limits, deadline);
    Ok(exit?.map(ended))
}

fn ended(exit: Exit, output: Output, out: &Path, limits: Limits, deadline: Duration) -> Ran {
    progress::remove(out);
    if exit.code == 0 && exit.reason == Reason::Exited {
        output.save(out);
    }
    Ran {
        exit,
        logs: output.tail(),
        limits,
        deadline,
    }
}

#[cfg(test)]
mod tests {
    use engine::Usage;

    use super::*;

    #[test]
    fn workers_with_one_key_in_two_folders_do_not_sweep_each_other() {
        let prefix = |folder: &str| container_prefix(Address::ZERO, Path::new(folder));
        assert_eq!(prefix("/a"), prefix("/a"));
        assert_ne!(prefix("/a"), prefix("/b"));
    }

    fn ended(reason: Reason, usage: Usage) -> Option<Failure> {
        let exit = Exit {
            code: 137,
            reason,
            log_bytes_dropped: 0,
            usage,
        };
        let ran = Ran {
            exit,
            logs: Logs::default(),
            limits: Limits::default(),
            deadline: Duration::from_secs(300),
        };
        ran.failure()
    }

    #[test]
    fn a_failure_names_the_limit_and_how_far_the_app_went() {
        let usage = Usage {
            memory_bytes: Some(2 << 30),
            cpu_ms: Some(12_345),
            pids: Some(3),
            disk_bytes: Some(11 << 30),
        };
        for (reason, cause, words) in [
            (
                Reason::OutOfMemory,
                Cause::AppComputeFailed,
                "the app ran out of memory: used 2.0 GiB of 2.0 GiB",
            ),
            (
                Reason::DiskFull,
                Cause::AppComputeFailed,
                "the app wrote too much: used 11.0 GiB of 10.0 GiB of disk",
            ),
            (
                Reason::Killed,
                Cause::AppComputeFailed,
                "the app was killed, not by the worker (exit code 137)",
            ),
            (
                Reason::Deadline,
                Cause::AppComputeTimeout,
                "the app ran longer than the category allows: 300 s, with 12 s of processor time",
            ),
        ] {
            let failure = ended(reason, usage).unwrap();
            assert_eq!((failure.cause, failure.message.as_str()), (cause, words));
        }
        let few = Usage {
            disk_bytes: Some(1 << 30),
            ..usage
        };
        let many_files = ended(Reason::DiskFull, few).unwrap().message;
        assert!(many_files.contains("250000 files"), "{many_files}");
    }

    #[test]
    fn a_folder_that_is_there_is_nobodys_secret_place() {
        let dir = tempfile::tempdir().unwrap();
        let (new, there) = (dir.path().join("a/b"), dir.path().join("there"));
        create_closed(&new).unwrap();
        let mode = fs::metadata(&new).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::create_dir(&there).unwrap();
        let taken = create_closed(&there).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn folders_are_fresh_and_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("task");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("old"), "").unwrap();
        let folders = Folders::create(&root).unwrap();
        assert!(!root.join("old").exists() && folders.output().is_dir());
        drop(folders);
        assert!(!root.exists());
    }
}
