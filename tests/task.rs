//! A task as the pool tells of it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::StreamExt as _;
use protocol::TaskId;
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

    /// What exactly went wrong; empty when nothing did.
    pub fn message(&self) -> &str {
        self.0["cause"]["message"].as_str().unwrap_or_default()
    }
}

/// Asks for a task, none while the pool has not seen its deal.
pub async fn show(pool: &str, task: TaskId) -> Result<Option<PoolTask>> {
    let answer = reqwest::get(format!("{pool}/tasks/{task}")).await?;
    if answer.status() == 404 {
        return Ok(None);
    }
    Ok(Some(PoolTask(answer.error_for_status()?.json().await?)))
}

/// Follows a task's stream to its end, and asks then.
pub async fn ended(pool: &str, task: TaskId) -> Result<PoolTask> {
    follow(pool, task, "event: end\n").await?;
    show(pool, task).await?.context("the pool forgot the task")
}

/// Follows a task's stream until a worker has reached a step, e.g. `COMPUTING`.
pub async fn reached(pool: &str, task: TaskId, step: &str) -> Result<()> {
    follow(pool, task, &format!(r#""replicateStatus":"{step}""#)).await
}

/// Returns when `sign` comes in a complete event of the task's stream.
async fn follow(pool: &str, task: TaskId, sign: &str) -> Result<()> {
    while show(pool, task).await?.is_none() {
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
    }
    let stream = reqwest::get(format!("{pool}/tasks/{task}/stream")).await?;
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
