//! A role in a process of its own, somewhere.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use network::{Role, local_wallet};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::wire::Wire;

/// It takes a second, and some more while the chain is cut off; what needs this long hangs.
const READY_MAX: Duration = Duration::from_secs(60);
/// What is shown of a log, in bytes.
const LOG_SHOWN: usize = 6_000;

/// How a role is started otherwise than by default.
#[derive(Debug)]
pub(crate) struct Special {
    pub(crate) role: &'static str,
    /// The content of its file.
    pub(crate) settings: String,
    /// More words of the command line.
    pub(crate) words: &'static str,
}

/// Where processes run and keep their files.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    /// What joins them; without one they are all on the loopback interface.
    pub(crate) wire: Option<Wire>,
    /// Whether each has a file for its log; else it is told to whoever looks at the test.
    pub(crate) keeps_logs: bool,
    /// Whether each logs everything it can.
    is_watched: bool,
    /// Roles with settings and words of their own.
    pub(crate) special: Vec<Special>,
}

impl Place {
    /// On the loopback interface, with logs told.
    pub(crate) fn local(dir: PathBuf) -> Self {
        Self {
            dir,
            wire: None,
            keeps_logs: false,
            is_watched: false,
            special: Vec::new(),
        }
    }

    /// On the loopback interface, with all that can be logged kept.
    pub(crate) fn watched(dir: PathBuf, special: Vec<Special>) -> Self {
        Self {
            keeps_logs: true,
            is_watched: true,
            special,
            ..Self::local(dir)
        }
    }

    /// On a wire, with logs kept.
    pub(crate) fn wired(dir: PathBuf, wire: Wire) -> Self {
        Self {
            wire: Some(wire),
            keeps_logs: true,
            ..Self::local(dir)
        }
    }

    /// Where a process of this name listens: at a free port.
    pub(crate) fn free_address(&self, name: &str) -> Result<String> {
        let address = match &self.wire {
            Some(wire) => wire.seat(name)?,
            None => Ipv4Addr::LOCALHOST,
        };
        Ok(format!("{}:0", IpAddr::V4(address)))
    }

    /// The file with the key of an account.
    pub(crate) fn key_file(&self, role: Role, number: u32) -> Result<PathBuf> {
        let path = self.dir.join(format!("{role:?}-{number}.key"));
        fs::write(&path, local_wallet(role, number).key().to_string())?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    fn command(&self, name: &str) -> Command {
        let program = env!("CARGO_BIN_EXE_iexec");
        match &self.wire {
            Some(wire) => wire.command(name, program),
            None => Command::new(program),
        }
    }

    fn log_file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.log"))
    }

    fn log(&self, name: &str) -> Result<Stdio> {
        if !self.keeps_logs {
            return Ok(Stdio::inherit());
        }
        let mut options = File::options();
        let file = options.create(true).append(true);
        Ok(file.open(self.log_file(name))?.into())
    }

    /// The end of what a process said, over all its lives.
    pub(crate) fn log_end(&self, name: &str) -> String {
        let bytes = fs::read(self.log_file(name)).unwrap_or_default();
        let end = &bytes[bytes.len().saturating_sub(LOG_SHOWN)..];
        String::from_utf8_lossy(end).into_owned()
    }
}

/// A role in its own process; killed with SIGKILL when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// What it is called here: its data directory, its log and its seat are.
    pub(crate) name: String,
    /// What it said when it was ready.
    pub(crate) ready: Value,
}

impl Process {
    /// Returns when it is ready. `role` and `options` are words of the command line.
    pub(crate) fn start(place: &Place, name: &str, role: &str, options: &str) -> Result<Self> {
        let mut command = place.command(name);
        command
            .env_clear()
            .env("HOME", place.dir.join("home"))
            .current_dir(&place.dir)
            .args(role.split(' '))
            .args(["--json", "--data"])
            .arg(place.dir.join(name))
            .args(options.split(' '))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(place.log(name)?);
        for variable in ["PATH", "RUST_LOG"] {
            if let Some(value) = std::env::var_os(variable) {
                command.env(variable, value);
            }
        }
        if place.is_watched {
            command.env("RUST_LOG", "trace");
        }
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().context("no stdout")?;
        let mut process = Self {
            child,
            name: name.to_owned(),
            ready: Value::Null,
        };
        let said = await_line(stdout);
        let ready = said.and_then(|line| {
            serde_json::from_str(&line).with_context(|| format!("it says `{line}`"))
        });
        let log = || format!("{role} {options}: {}", place.log_end(name));
        process.ready = ready.with_context(log)?;
        Ok(process)
    }

    pub(crate) fn said(&self, key: &str) -> &str {
        self.ready[key].as_str().unwrap_or_default()
    }

    pub(crate) fn url(&self) -> &str {
        self.said("url")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(
            Pid::from_raw(i32::try_from(self.child.id())?),
            signal,
        )?)
    }

    pub(crate) fn ended(&mut self) -> Result<ExitStatus> {
        Ok(tokio::task::block_in_place(|| self.child.wait())?)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<(u16, String)> {
        let answer = reqwest::get(format!("{}{path}", self.url())).await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    pub(crate) async fn json(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.get(path).await?.1)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first line; what comes after it nobody needs.
fn await_line(stdout: ChildStdout) -> Result<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        // The receiver is gone only after its timeout.
        let _ = sender.send(read.map(|_| line));
    });
    let line = receiver.recv_timeout(READY_MAX);
    Ok(line.context("it does not become ready")??)
}

/// Where a URL leads, as `--listen` wants it.
pub(crate) fn address(url: &str) -> &str {
    url.trim_start_matches("http://").trim_end_matches('/')
}

/// What the kernel says that a process does, in one word: `S` sleeps, `T` is stopped.
pub(crate) fn state_of(id: u32) -> String {
    let stat = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat"));
    let stat = stat.unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    after.split_whitespace().take(1).collect()
}
