//! A user's folder and home, where the official command line is typed.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use network::Role;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::official::{self, Answer, Official, key};

/// One project folder with its wallet.
#[derive(Debug)]
pub(crate) struct Shell {
    program: PathBuf,
    dir: TempDir,
}

impl Shell {
    /// A project made by `iexec init`, with our chain.json.
    pub(crate) async fn new(official: &Official) -> Result<Self> {
        let shell = Self {
            program: official.program(),
            dir: tempfile::tempdir()?,
        };
        fs::create_dir(shell.path("project"))?;
        shell.ok("init --skip-wallet").await?;
        shell.write("chain.json", &official.chain_json())?;
        Ok(shell)
    }

    /// A project whose wallet is that of a role of the network.
    pub(crate) async fn of(official: &Official, role: Role) -> Result<Self> {
        let shell = Self::new(official).await?;
        let command = format!("wallet import {} --unencrypted --force", key(role));
        shell.ok(&command).await?;
        Ok(shell)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file of the project.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path("project").join(name)
    }

    /// Writes a JSON file of the project.
    pub(crate) fn write(&self, name: &str, value: &Value) -> Result<()> {
        Ok(fs::write(self.file(name), value.to_string())?)
    }

    /// Reads a JSON file of the project.
    pub(crate) fn read(&self, name: &str) -> Result<Value> {
        let text = fs::read(self.file(name)).with_context(|| format!("read {name}"))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Changes `iexec.json`.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        let mut config = self.read("iexec.json")?;
        change(&mut config);
        self.write("iexec.json", &config)
    }

    /// What `iexec <words> --raw` answers. A word cannot contain a space.
    pub(crate) async fn ok(&self, words: &str) -> Result<Value> {
        self.ok_with(words, &[]).await
    }

    /// The same with further words that may contain spaces.
    pub(crate) async fn ok_with(&self, words: &str, more: &[&str]) -> Result<Value> {
        let answer = self.answer(words, more).await?;
        let said = &answer.stdout;
        ensure!(answer.is_success, "iexec {words}: {}", answer.stderr);
        let value: Value = serde_json::from_str(said.trim())
            .with_context(|| format!("iexec {words} says {said}{}", answer.stderr))?;
        ensure!(value["ok"] == true, "iexec {words} says {value}");
        Ok(value)
    }

    /// The message of the error that `iexec <words>` must end with.
    pub(crate) async fn refused(&self, words: &str) -> Result<String> {
        let answer = self.answer(words, &[]).await?;
        let said: Value = serde_json::from_str(answer.stderr.trim())
            .with_context(|| format!("iexec {words} says {answer:?}"))?;
        if let Some(message) = said["error"]["message"].as_str() {
            return Ok(message.to_owned());
        }
        match said["fail"][0].as_str() {
            Some(message) => Ok(message.to_owned()),
            None => bail!("iexec {words} says {said}"),
        }
    }

    async fn answer(&self, words: &str, more: &[&str]) -> Result<Answer> {
        let mut command = Command::new("node");
        command
            .arg(&self.program)
            .args(words.split_whitespace())
            .args(more)
            .arg("--raw")
            .current_dir(self.path("project"))
            .env("HOME", self.path("home"));
        official::run(&mut command).await
    }
}

/// A text of an answer.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.with_context(|| format!("no text {pointer} in {value}"))
}

/// Text of an answer as what it means.
pub(crate) fn parse<T>(value: &Value, pointer: &str) -> Result<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text = text(value, pointer)?;
    text.parse().with_context(|| format!("{pointer} is {text}"))
}
