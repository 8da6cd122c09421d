//! Talking to a role that runs: finding it, asking how it is, telling it to drain.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use super::Standard;
use crate::{
    outcome::{Failure, Report},
    paths,
};

/// In the data directory of a role that runs: its URL.
const URL_FILE: &str = "url";

/// Writes down where the role is.
pub(super) fn remember(data_dir: &Path, url: &str) -> Result<(), Failure> {
    crate::context::write(&data_dir.join(URL_FILE), url)
}

/// The role is not there any more.
pub(super) fn forget(data_dir: &Path) {
    let _ = fs::remove_file(data_dir.join(URL_FILE));
}

/// Options of `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  iexec worker status\n  \
    iexec pool status --url https://pool.example.org --raw")]
pub(crate) struct StatusArgs {
    /// Where it listens; by default what its data directory says
    #[arg(long, value_name = "url", conflicts_with = "data")]
    url: Option<String>,
    /// Its data directory
    #[arg(long, value_name = "dir")]
    data: Option<PathBuf>,
}

impl StatusArgs {
    /// Asks the role.
    pub(crate) async fn ask(&self, role: &Standard) -> Result<Value, Failure> {
        let url = self.find(role);
        let url = format!("{}/status", url.trim_end_matches('/'));
        let asked = reqwest::get(&url)
            .await
            .and_then(|answer| answer.error_for_status());
        let answer = match asked {
            Ok(answer) => answer.json().await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| {
            let role = role.role;
            Failure::with_sources(&error.without_url())
                .named("NetworkError")
                .hint(format!(
                    "does a {role} run at {url}? Say where with --url or --data"
                ))
        })
    }

    fn find(&self, role: &Standard) -> String {
        if let Some(url) = &self.url {
            return url.clone();
        }
        let path = paths::role_dir(role.role, self.data.as_deref()).join(URL_FILE);
        fs::read_to_string(path).unwrap_or_else(|_| format!("http://127.0.0.1:{}", role.port))
    }
}

/// Options of `drain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec worker drain --data /var/lib/iexec/worker")]
pub(crate) struct DrainArgs {
    /// Its data directory
    #[arg(long, value_name = "dir")]
    data: Option<PathBuf>,
    /// Return at once instead of waiting until it has ended
    #[arg(long)]
    no_wait: bool,
}

impl DrainArgs {
    /// Signals the process that holds the data directory, which only its owner may, and waits
    /// until it has ended.
    pub(crate) async fn run(&self, role: &Standard) -> Result<Report, Failure> {
        let dir = paths::role_dir(role.role, self.data.as_deref());
        let role = role.role;
        let path = dir.join(network::LOCK_FILE);
        let file = held(&path).ok_or_else(|| {
            Failure::new(format!("no {role} runs on {}", dir.display()))
                .named("NetworkError")
                .hint("say which with --data")
        })?;
        let text = fs::read_to_string(&path).unwrap_or_default();
        let id: i32 = text
            .trim()
            .parse()
            .map_err(|_| Failure::new("the lock names no process"))?;
        kill(Pid::from_raw(id), Signal::SIGUSR1).map_err(|error| {
            Failure::new(format!("cannot signal process {id}: {error}"))
                .hint("only the user whose process it is may, and root")
        })?;
        let raw = json!({ "pid": id, "ended": !self.no_wait });
        if self.no_wait {
            return Ok(Report::new(raw, format!("the {role} drains")));
        }
        // It is free when the process has ended, however long its tasks take.
        let waited = tokio::task::spawn_blocking(move || file.lock_shared()).await;
        waited
            .map_err(|error| Failure::new(error.to_string()))?
            .map_err(|error| Failure::new(format!("cannot wait for process {id}: {error}")))?;
        Ok(Report::new(
            raw,
            format!("the {role} has drained and ended"),
        ))
    }
}

/// The lock file, if a living process holds it.
fn held(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(file),
        _ => None,
    }
}
