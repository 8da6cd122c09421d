//! A local network that `iexec up` started.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use engine::Choice;
use network::{Info, LOCK_FILE, Role};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{keys, person};

/// Between two looks at a process that is about to end; the test's own limit bounds them.
const LOOK: Duration = Duration::from_millis(10);

/// Ends with the test, whatever happens.
#[derive(Debug)]
pub(crate) struct Net {
    home: TempDir,
    pub(crate) data_dir: std::path::PathBuf,
    /// What it says of itself.
    pub(crate) info: Info,
}

impl Net {
    /// `iexec up --detach`.
    pub(crate) async fn up(data_dir: &Path, choice: Choice) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let engine = match choice {
            Choice::Builtin => "builtin",
            _ => "docker",
        };
        let mut command = person::program(home.path(), Path::new("/nonexistent"));
        command.args([
            "up", "--detach", "--port", "0", "--json", "--engine", engine,
        ]);
        let said = person::Said::by(command.arg("--data").arg(data_dir))
            .await?
            .success()?;
        let line: Value = serde_json::from_str(&said.stdout)?;
        keys::check(&line, keys::NETWORK)?;
        let file = fs::read_to_string(data_dir.join(network::FILE_NAME))?;
        ensure!(
            line == serde_json::from_str::<Value>(&file)?,
            "{line} is not {file}"
        );
        let info = Info::read(data_dir)?;
        ensure!(info.engine == engine, "it runs on {}", info.engine);
        Ok(Self {
            home,
            data_dir: data_dir.to_owned(),
            info,
        })
    }

    /// `iexec down`.
    pub(crate) async fn down(self) -> Result<()> {
        let mut command = person::program(self.home.path(), &self.data_dir);
        let pid = self.pid().context("it is not running")?;
        let said = person::Said::by(command.args(["down", "--raw"]))
            .await?
            .raw_success()?;
        let expected = json!({ "ok": true, "stopped": true, "pid": pid.as_raw() });
        ensure!(said == expected, "{said}");
        // The lock is let go a moment before the process is gone.
        while self.pid().is_some() {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// The private key of an account.
    pub(crate) fn key(&self, role: Role) -> Result<String> {
        let mut accounts = self.info.accounts.iter();
        let account = accounts.find(|account| account.role == role);
        Ok(account
            .with_context(|| format!("no {role:?}"))?
            .private_key
            .to_string())
    }

    /// One call of the chain's JSON-RPC.
    pub(crate) async fn rpc(&self, method: &str, params: Value) -> Result<Value> {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = reqwest::Client::new()
            .post(&self.info.rpc_url)
            .json(&call)
            .send()
            .await?;
        let mut answer: Value = answer.json().await?;
        ensure!(answer["error"].is_null(), "{method}: {answer}");
        Ok(answer["result"].take())
    }

    /// The process, while it runs.
    fn pid(&self) -> Option<Pid> {
        let id = fs::read_to_string(self.data_dir.join(LOCK_FILE)).ok()?;
        let id = id.trim().parse().ok()?;
        let command_line = fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let command_line = String::from_utf8_lossy(&command_line).into_owned();
        command_line
            .contains(self.data_dir.to_str()?)
            .then(|| Pid::from_raw(id))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}
