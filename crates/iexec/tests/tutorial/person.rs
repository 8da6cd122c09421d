//! Somebody at a machine of their own: a home directory, a project folder and the program.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use protocol::args;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// No command takes so long, not even one that waits for a task: what does, hangs.
const COMMAND_MAX: Duration = Duration::from_secs(120);
/// Of every wallet here.
const PASSWORD: &str = "correct horse";

/// The program with the environment of a machine that has nothing else to do with us.
pub(crate) fn program(home: &Path, data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iexec"));
    command
        .env_clear()
        .env("HOME", home)
        .env("IEXEC_DATA", data_dir);
    for name in ["PATH", "DOCKER_HOST", "RUST_LOG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    words: String,
    code: Option<i32>,
    /// Data.
    pub(crate) stdout: String,
    /// Conversation.
    pub(crate) stderr: String,
}

impl Said {
    /// Runs a command to its end.
    pub(crate) async fn by(command: &mut Command) -> Result<Self> {
        let words = command
            .as_std()
            .get_args()
            .map(|word| word.to_string_lossy());
        let words = words.collect::<Vec<_>>().join(" ");
        let output = tokio::time::timeout(COMMAND_MAX, command.output()).await;
        let output = output.with_context(|| format!("`iexec {words}` hangs"))??;
        Ok(Self {
            words,
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        })
    }

    /// Fails unless it succeeded.
    pub(crate) fn success(self) -> Result<Self> {
        ensure!(self.code == Some(0), "{self}");
        Ok(self)
    }

    /// Fails unless it failed in an orderly way.
    pub(crate) fn failure(self) -> Result<Self> {
        ensure!(self.code == Some(1), "{self}");
        Ok(self)
    }

    /// The one line of a success with `--raw`.
    pub(crate) fn raw_success(self) -> Result<Value> {
        let said = self.success()?;
        ensure!(said.stderr.is_empty(), "{said}");
        let mut value = said.json(&said.stdout)?;
        ensure!(value["ok"] == true, "{said}");
        // Most stories are about something else than that enclaves are simulated.
        if let Some(value) = value.as_object_mut() {
            value.shift_remove("warning");
        }
        Ok(value)
    }

    /// The one line of a failure with `--raw`.
    pub(crate) fn raw_failure(self) -> Result<Value> {
        let said = self.failure()?;
        ensure!(said.stdout.is_empty(), "{said}");
        let value = said.json(&said.stderr)?;
        ensure!(value["ok"] == false, "{said}");
        Ok(value)
    }

    fn json(&self, text: &str) -> Result<Value> {
        let line = text.strip_suffix('\n').filter(|line| !line.contains('\n'));
        let line = line.with_context(|| format!("not one line: {self}"))?;
        serde_json::from_str(line).with_context(|| format!("no JSON: {self}"))
    }

    /// Fails unless people read `text` somewhere.
    pub(crate) fn expect(&self, text: &str) -> Result<()> {
        let is_said = self.stdout.contains(text) || self.stderr.contains(text);
        ensure!(is_said, "nothing about `{text}` in {self}");
        Ok(())
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            words,
            code,
            stdout,
            stderr,
        } = self;
        let code = code.map_or("a signal".to_owned(), |code| code.to_string());
        write!(
            f,
            "`iexec {words}` ended with {code}\nstdout: {stdout}\nstderr: {stderr}"
        )
    }
}

/// A home directory and a project folder.
#[derive(Debug)]
pub(crate) struct Person {
    home: TempDir,
    data_dir: PathBuf,
}

impl Person {
    /// Somebody new on the machine whose local network is in `data_dir`.
    pub(crate) fn new(data_dir: &Path) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let person = Self {
            home,
            data_dir: data_dir.to_owned(),
        };
        fs::create_dir(person.project())?;
        Ok(person)
    }

    /// Where they work.
    pub(crate) fn project(&self) -> PathBuf {
        self.home.path().join("my-hello-world-app")
    }

    /// Where the wallets with a password are.
    pub(crate) fn keystore(&self) -> PathBuf {
        self.home.path().join(".ethereum/keystore")
    }

    async fn run(&self, line: &str, more: &[&str]) -> Result<Said> {
        let mut command = program(self.home.path(), &self.data_dir);
        command
            .env("IEXEC_WALLET_PASSWORD", PASSWORD)
            .current_dir(self.project());
        Said::by(command.args(args::split(line)).args(more)).await
    }

    /// Types what a shell would take apart like `line`.
    pub(crate) async fn iexec(&self, line: &str) -> Result<Said> {
        self.run(line, &[]).await?.success()
    }

    /// The same, expecting a failure.
    pub(crate) async fn fails(&self, line: &str) -> Result<Said> {
        self.run(line, &[]).await?.failure()
    }

    /// As [`raw`](Self::raw), with what programs are warned of.
    pub(crate) async fn warned(&self, line: &str) -> Result<Value> {
        let said = self.run(line, &["--raw"]).await?.success()?;
        said.json(&said.stdout)
    }

    /// A program's way: one line of JSON.
    pub(crate) async fn raw(&self, line: &str) -> Result<Value> {
        self.run(line, &["--raw"]).await?.raw_success()
    }

    /// As [`raw`](Self::raw), expecting a failure: exit code 1 and one line on stderr.
    pub(crate) async fn raw_fails(&self, line: &str) -> Result<Value> {
        self.run(line, &["--raw"]).await?.raw_failure()
    }

    /// Makes a key from elsewhere this person's wallet.
    pub(crate) async fn import(&self, key: &str) -> Result<()> {
        self.raw(&format!("wallet import {key} --unencrypted"))
            .await
            .map(drop)
    }

    /// The tutorial's edits of `app` in `iexec.json`; a null removes a key.
    pub(crate) fn edit_app(&self, edits: &[(&str, Value)]) -> Result<()> {
        let path = self.project().join("iexec.json");
        let mut project: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        let Some(app) = project["app"].as_object_mut() else {
            bail!("no app in {project}");
        };
        for (key, value) in edits {
            match value {
                Value::Null => drop(app.remove(*key)),
                value => drop(app.insert((*key).to_owned(), value.clone())),
            }
        }
        Ok(fs::write(path, project.to_string())?)
    }
}
