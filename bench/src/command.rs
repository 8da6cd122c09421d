//! One command as a whole process: how long it takes and how much memory it has at its peak.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};

/// The word that makes this program the parent of one command: the system tells the peak memory of
/// all children together, so each command measured needs a parent of its own.
pub(crate) const PARENT: &str = "__measure";

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// From the start to the exit.
    pub(crate) time: Duration,
    /// Resident at the peak, in KiB.
    pub(crate) peak_kib: u64,
}

/// How to start a program in a folder.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    words: Vec<OsString>,
    folder: PathBuf,
    data: PathBuf,
}

impl Program {
    /// `words` begin a command line; it runs in `folder`, which is its home too. `data` is the
    /// directory of the local network.
    pub(crate) fn new(words: &[&OsStr], folder: &Path, data: &Path) -> Self {
        let words = words.iter().map(|word| word.to_os_string()).collect();
        Self {
            words,
            folder: folder.to_owned(),
            data: data.to_owned(),
        }
    }

    /// Runs it with more words and measures.
    pub(crate) fn run(&self, line: &[&str]) -> anyhow::Result<Spent> {
        let output = Command::new(std::env::current_exe()?)
            .arg(PARENT)
            .args(&self.words)
            .args(line)
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .env("IEXEC_DATA", &self.data)
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{line:?} failed: {said}");
        let mut numbers = said.split_whitespace().map(str::parse::<u64>);
        let mut next = || {
            numbers
                .next()
                .context("no measurement")?
                .context("no number")
        };
        let (micros, peak_kib) = (next()?, next()?);
        Ok(Spent {
            time: Duration::from_micros(micros),
            peak_kib,
        })
    }
}

/// The parent's side: prints microseconds and KiB, or what the command said when it failed.
pub(crate) fn measure(mut words: impl Iterator<Item = OsString>) -> ExitCode {
    match words
        .next()
        .context("no command")
        .and_then(|first| spend(&first, words))
    {
        Ok(spent) => {
            crate::stats::say(&format!("{} {}", spent.time.as_micros(), spent.peak_kib));
            ExitCode::SUCCESS
        }
        Err(error) => {
            crate::stats::say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn spend(program: &OsStr, words: impl Iterator<Item = OsString>) -> anyhow::Result<Spent> {
    let start = Instant::now();
    let output = Command::new(program).args(words).output()?;
    let time = start.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    // The official command line ends some failures with 0.
    if !output.status.success() || said.contains("\"ok\":false") {
        bail!("{said}");
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(Spent {
        time,
        peak_kib: u64::try_from(usage.max_rss())?,
    })
}
