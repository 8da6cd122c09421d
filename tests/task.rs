//! A task as the pool tells of it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chain::Wallet;
use futures_util::StreamExt as _;
use protocol::{
    TaskId,
    challenge::{Audience, Token},
};
use reqwest::Client;
use serde_json::Value;

/// Between two questions whether the pool has seen a deal that is mined already.
const LOOK_MS: u64 = 10;

/// What `GET /tasks/{id}` says.
#[derive(Clone, Debug)]
pub struct PoolTask(pub Value);

impl PoolTask {
    /// The task's stage, e.g. `COMPLETED`.
    pub fn status(&self) -> &str {
        self.0["currentStatus"].as_str().unwrap_or_default()
    }

    /// The code of what went wrong; empty when nothing did.
    pub fn cause(&self) -> &str {
        self.0["cause"]["code"].as_str().unwrap_or_default()
    }

    /// The stages it has been in, oldest first.
    pub fn stages(&self) -> Vec<String> {
        statuses(&self.0["dateStatusList"])
    }

    /// The steps of one of its replicates, oldest first.
    pub fn steps(&self, replicate: usize) -> Vec<String> {
        statuses(&self.0["replicates"][replicate]["statusUpdateList"])
    }

    /// What exactly went wrong; empty when nothing did.
    pub fn message(&self) -> &str {
        self.0["cause"]["message"].as_str().unwrap_or_default()
    }
}

fn statuses(list: &Value) -> Vec<String> {
    let entries = list.as_array().into_iter().flatten();
    let status = |entry: &Value| entry["status"].as_str().unwrap_or_default().to_owned();
    entries.map(status).collect()
}

/// Asks for a task, none while the pool has not seen its deal.
pub async fn show(http: &Client, pool: &str, task: TaskId) -> Result<Option<PoolTask>> {
    let answer = http.get(format!("{pool}/tasks/{task}")).send().await?;
    if answer.status() == 404 {
        return Ok(None);
    }
    Ok(Some(PoolTask(answer.error_for_status()?.json().await?)))
}

/// The app's output as `wallet` may see it: the status of the answer and its JSON.
pub async fn logs(
    http: &Client,
    pool: &str,
    wallet: &Wallet,
    task: TaskId,
) -> Result<(u16, Value)> {
    let address = wallet.address();
    let url = format!("{pool}/tasks/logs/challenge?address={address}");
    let challenge: Value = http.get(url).send().await?.json().await?;
    let text = challenge["message"]["challenge"]
        .as_str()
        .context("no challenge")?;
    let chain_id = challenge["domain"]["chainId"]
        .as_str()
        .context("no chain")?;
    let hash = Audience::Pool.hash(chain_id.parse()?, text);
    let signature = wallet.sign_hash(hash)?;
    let token = Token {
        hash,
        signature,
        address,
    };
    let asked = http.get(format!("{pool}/tasks/{task}/logs"));
    let answer = asked
        .header("authorization", token.to_string())
        .send()
        .await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

/// Follows a task's stream to its end, and asks then.
pub async fn ended(http: &Client, pool: &str, task: TaskId) -> Result<PoolTask> {
    follow(http, pool, task, "event: end\n").await?;
    show(http, pool, task)
        .await?
        .context("the pool forgot the task")
}

/// Follows a task's stream until a worker has reached a step, e.g. `COMPUTING`.
pub async fn reached(http: &Client, pool: &str, task: TaskId, step: &str) -> Result<()> {
    follow(http, pool, task, &format!(r#""replicateStatus":"{step}""#)).await
}

/// Returns when `sign` comes in a complete event of the task's stream.
async fn follow(http: &Client, pool: &str, task: TaskId, sign: &str) -> Result<()> {
    while show(http, pool, task).await?.is_none() {
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
    }
    let stream = http
        .get(format!("{pool}/tasks/{task}/stream"))
        .send()
        .await?;
    let mut chunks = stream.error_for_status()?.bytes_stream();
    let mut text = String::new();
    while let Some(chunk) = chunks.next().await {
        text.push_str(&String::from_utf8_lossy(&chunk?));
        if text.contains(sign) && text.ends_with("\n\n") {
            return Ok(());
        }
    }
    bail!("the stream of {task} ended without `{sign}`: {text}")
}
