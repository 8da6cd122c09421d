//! Where the app runs: its two folders and its container. This is where a container is started.
//!
//! `iexec app test` uses the same code, so what a developer sees locally is what a worker does.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use engine::{Bind, Engine, Exit, Image, Limits, Network, Reason, RunSpec};
use protocol::{Address, Cause, environment, message::Logs};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    Failure,
    printed::{self, Observer},
    progress,
};

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
        match fs::remove_dir_all(root) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let folders = Self {
            root: root.to_owned(),
            is_kept: AtomicBool::new(false),
        };
        fs::create_dir_all(folders.input())?;
        fs::create_dir_all(folders.output())?;
        // Images with a USER of their own must be able to write; nobody else can reach the
        // folder, because its root is closed.
        fs::set_permissions(folders.output(), fs::Permissions::from_mode(0o777))?;
        fs::set_permissions(root, fs::Permissions::from_mode(0o700))?;
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

impl Drop for Folders {
    fn drop(&mut self) {
        if self.is_kept.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.root) {
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
    /// How much it may use.
    pub limits: Limits,
    /// How long it may take.
    pub deadline: Duration,
    /// What it may reach.
    pub network: Network,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The container's end.
    pub exit: Exit,
    /// The end of what it printed.
    pub logs: Logs,
}

impl Ran {
    /// Why the run is a failure, if it is one (spec/pool-worker.md §2.10).
    pub fn failure(&self) -> Option<Failure> {
        let code = self.exit.code;
        match self.exit.reason {
            Reason::Exited if code == 0 => None,
            Reason::Exited => {
                let message = format!("the app ended with exit code {code}");
                Some(Failure::new(Cause::AppComputeFailed, message))
            }
            Reason::OutOfMemory => {
                let message = "the app used more memory than the worker gives";
                Some(Failure::new(Cause::AppComputeFailed, message))
            }
            Reason::Deadline => Some(Failure::plain(Cause::AppComputeTimeout)),
            Reason::Cancelled => Some(Failure::plain(Cause::AbortedByWorker)),
        }
    }
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
    let mut spec = RunSpec::new(run.name, run.image, run.deadline);
    spec.args = run.args;
    spec.env = run.env;
    spec.limits = run.limits;
    spec.network = run.network;
    spec.binds = vec![
        Bind::writable(folders.input(), environment::IN),
        Bind::writable(folders.output(), environment::OUT),
    ];
    let (sink, reader) = engine::log_channel();
    let out = folders.output();
    let reading = printed::read(reader, &out, observer);
    let (exit, output) = tokio::join!(engine.run(spec, sink, cancel), reading);
    progress::remove(&out);
    let exit = exit?;
    if exit.code == 0 && exit.reason == Reason::Exited {
        output.save(&out);
    }
    Ok(Ran {
        exit,
        logs: output.tail(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_with_one_key_in_two_folders_do_not_sweep_each_other() {
        let prefix = |folder: &str| container_prefix(Address::ZERO, Path::new(folder));
        assert_eq!(prefix("/a"), prefix("/a"));
        assert_ne!(prefix("/a"), prefix("/b"));
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
