//! `iexec down`: ends the local network.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use crate::{
    context::Context,
    outcome::{Failure, Report},
    paths,
};

/// How long the network may take to end its roles and containers.
const STOP_WAIT_S: u64 = 30;

/// Options of `iexec down`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec down")]
pub(crate) struct Args {
    /// Data directory of the network (or set IEXEC_DATA)
    #[arg(long, value_name = "dir")]
    data: Option<PathBuf>,
}

/// Asks the process that holds the data directory's lock to end, and waits until it has.
pub(crate) fn run(args: &Args, _context: &Context) -> Result<Report, Failure> {
    let data_dir = paths::data_dir(args.data.as_deref());
    let path = data_dir.join(network::LOCK_FILE);
    let Some(file) = held(&path)? else {
        return Ok(Report::new(
            json!({ "stopped": false }),
            "no local network is running",
        ));
    };
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let id: i32 = text
        .trim()
        .parse()
        .map_err(|_| Failure::new("the lock names no process"))?;
    kill(Pid::from_raw(id), Signal::SIGTERM)
        .map_err(|error| Failure::new(format!("cannot signal process {id}: {error}")))?;
    wait(file, id)?;
    Ok(Report::new(
        json!({ "stopped": true, "pid": id }),
        "the local network is down",
    ))
}

/// The lock file, if a living process holds it: the system lets go of it when a process ends.
fn held(path: &Path) -> Result<Option<File>, Failure> {
    let Ok(file) = File::open(path) else {
        return Ok(None);
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(file)),
        Err(TryLockError::Error(error)) => Err(Failure::new(format!(
            "failed to look at {}: {error}",
            path.display()
        ))),
    }
}

/// Waits for the lock itself: it is free once the network has stopped, whatever became of the
/// process.
fn wait(file: File, id: i32) -> Result<(), Failure> {
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = done.send(file.lock_shared().is_ok());
    });
    ended
        .recv_timeout(Duration::from_secs(STOP_WAIT_S))
        .map_err(|_| {
            Failure::new(format!("process {id} did not end within {STOP_WAIT_S} s"))
                .hint(format!("end it with `kill -9 {id}`; nothing is lost"))
        })?;
    Ok(())
}
