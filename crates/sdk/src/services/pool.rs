//! The pool's API: a task's history off chain, its logs, its live stream (spec/client.md §3.5).

use chain::Wallet;
use futures_util::{Stream, StreamExt};
use protocol::{
    Address, Cause, TaskId,
    challenge::Audience,
    message::{Phase, Stream as Output},
    status::{ReplicateStatus, TaskStage},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Client, Error,
    error::Api,
    http::{Call, success},
    services::{
        market::{TypedData, login_token},
        sse,
    },
};

/// One step in a history, with the reason when it was a failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusChange {
    /// The official name, e.g. `RESULT_UPLOADED`.
    pub status: String,
    /// ISO 8601.
    #[serde(default)]
    pub date: Option<String>,
    /// The code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What exactly went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A task as the pool tells it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskModel {
    /// What the pool is doing with it.
    pub current_status: String,
    /// What it did before.
    #[serde(default)]
    pub date_status_list: Vec<StatusChange>,
    /// The workers' goes at it.
    #[serde(default)]
    pub replicates: Vec<ReplicateModel>,
}

/// One worker's go at a task.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicateModel {
    /// Who.
    pub wallet_address: Address,
    /// The app's exit code, once it ran.
    #[serde(default)]
    pub app_exit_code: Option<i64>,
    /// What it is doing.
    pub current_status: String,
    /// What it did before.
    #[serde(default)]
    pub status_update_list: Vec<StatusChange>,
}

impl TaskModel {
    /// The latest cause of a failure anywhere in the histories, with its message.
    pub fn last_cause(&self) -> Option<(Cause, Option<String>)> {
        let replicates = self
            .replicates
            .iter()
            .flat_map(|replicate| &replicate.status_update_list);
        let failed = self
            .date_status_list
            .iter()
            .chain(replicates)
            .filter_map(|change| {
                let cause: Cause = change.cause.as_deref()?.parse().ok()?;
                Some((change.date.clone(), cause, change.message.clone()))
            });
        let last = failed.max_by(|a, b| a.0.cmp(&b.0))?;
        Some((last.1, last.2))
    }
}

/// One worker's output.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComputeLogs {
    /// Who ran the app.
    pub wallet_address: Address,
    /// Standard output.
    #[serde(default)]
    pub stdout: String,
    /// Standard error.
    #[serde(default)]
    pub stderr: String,
}

/// The task as the pool at `url` tells it; none when it does not know it.
///
/// # Errors
/// [`Error::Api`].
pub async fn task(client: &Client, url: &str, task: TaskId) -> Result<Option<TaskModel>, Error> {
    client
        .http()
        .json(&Call::get(Api::Workerpool, url, format!("/tasks/{task}")))
        .await
}

/// What the app wrote, for the deal's requester only.
///
/// # Errors
/// [`Error::Api`]; the pool refuses everybody but the requester.
pub async fn logs(
    client: &Client,
    url: &str,
    task: TaskId,
    wallet: &Wallet,
) -> Result<Vec<ComputeLogs>, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        #[serde(default)]
        compute_logs_list: Vec<ComputeLogs>,
    }
    let token = token(client, url, wallet).await?;
    let call = Call::get(Api::Workerpool, url, format!("/tasks/{task}/logs")).token(token);
    let answer: Option<Answer> = client.http().json(&call).await?;
    Ok(answer
        .map(|answer| answer.compute_logs_list)
        .unwrap_or_default())
}

/// A login token for logs.
///
/// # Errors
/// [`Error::Api`].
pub async fn token(client: &Client, url: &str, wallet: &Wallet) -> Result<String, Error> {
    let chain_id = client.hub().chain_id();
    let call = Call::get(Api::Workerpool, url, "/tasks/logs/challenge")
        .query("address", wallet.address().to_checksum(None))
        .query("chainId", chain_id);
    let data: TypedData = client.http().json(&call).await?.ok_or_else(|| Error::Api {
        api: Api::Workerpool,
        message: "it issues no challenges for logs".to_owned(),
    })?;
    login_token(wallet, Audience::Pool, chain_id, &data.message.challenge)
}

/// Something the pool tells while a task runs.
#[derive(Clone, Debug, PartialEq)]
pub enum PoolEvent {
    /// A step of the task or of one replicate.
    Status(StatusEvent),
    /// Something long comes along.
    Progress {
        /// Whose worker.
        worker: Option<Address>,
        /// What.
        phase: Phase,
        /// 0 to 100.
        percent: u8,
    },
    /// The app wrote something.
    Log {
        /// Whose worker.
        worker: Option<Address>,
        /// Tells a run from an earlier one of the same worker.
        run: u64,
        /// Where to.
        stream: Output,
        /// How many bytes of that stream of that run come before it.
        offset: u64,
        /// What.
        text: String,
        /// Where the stream goes on after it, for [`stream`].
        position: String,
    },
    /// Output that nobody keeps any more, before the next piece.
    Gap {
        /// Whose worker.
        worker: Option<Address>,
        /// Where to.
        stream: Output,
        /// How much, bytes.
        missing: u64,
    },
    /// Nothing more will come.
    End,
}

/// A step.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusEvent {
    /// When it is the task's.
    pub task_status: Option<TaskStage>,
    /// When it is a replicate's.
    pub replicate_status: Option<ReplicateStatus>,
    /// Whose replicate.
    pub worker: Option<Address>,
    /// ISO 8601.
    pub date: Option<String>,
    /// Why, when it is a failure.
    pub cause: Option<Cause>,
    /// What exactly went wrong.
    pub message: Option<String>,
}

/// The live stream of a task; with a token also its logs, those after the position of the last
/// [`PoolEvent::Log`] when there is one. It ends when the pool closes it.
///
/// # Errors
/// [`Error::Api`] when it cannot be opened, e.g. because the pool does not know the task yet.
pub async fn stream(
    client: &Client,
    url: &str,
    task: TaskId,
    token: Option<&str>,
    after: Option<&str>,
) -> Result<impl Stream<Item = PoolEvent> + Send + use<>, Error> {
    let call = Call::get(Api::Workerpool, url, format!("/tasks/{task}/stream"));
    let call = match after {
        Some(after) => call.query("after", after),
        None => call,
    };
    let call = match token {
        Some(token) => call.token(token),
        None => call,
    };
    let response = client.http().send(&call, "text/event-stream").await?;
    let response = success(&call, response).await?;
    let mut parser = sse::Parser::default();
    let events = response
        .bytes_stream()
        .map(move |bytes| bytes.ok().and_then(|bytes| parser.push(&bytes).ok()))
        .take_while(|events| std::future::ready(events.is_some()))
        .flat_map(|events| futures_util::stream::iter(events.unwrap_or_default()))
        .filter_map(|event| std::future::ready(read_event(&event)));
    Ok(events)
}

/// Unknown events are skipped: a newer pool may tell more.
fn read_event(event: &sse::Event) -> Option<PoolEvent> {
    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
    let worker = || data.get("worker")?.as_str()?.parse().ok();
    let stream = || serde_json::from_value(data.get("stream")?.clone()).ok();
    let number = |key| data.get(key).and_then(Value::as_u64);
    match event.name.as_str() {
        "status" => serde_json::from_value(data).ok().map(PoolEvent::Status),
        "progress" => {
            let phase = data.get("phase").cloned().unwrap_or_default();
            Some(PoolEvent::Progress {
                worker: worker(),
                phase: serde_json::from_value(phase).unwrap_or_default(),
                percent: number("percent")?.min(100) as u8,
            })
        }
        "log" => Some(PoolEvent::Log {
            worker: worker(),
            run: number("run").unwrap_or_default(),
            stream: stream()?,
            offset: number("offset")?,
            text: data.get("text")?.as_str()?.to_owned(),
            position: event.id.clone(),
        }),
        "gap" => Some(PoolEvent::Gap {
            worker: worker(),
            stream: stream()?,
            missing: number("missing")?,
        }),
        "end" => Some(PoolEvent::End),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> Option<PoolEvent> {
        read_event(&sse::Event {
            name: name.to_owned(),
            data: data.to_owned(),
            id: "here".to_owned(),
        })
    }

    #[test]
    fn the_pools_events_are_read() {
        let status = r#"{"replicateStatus":"APP_DOWNLOAD_FAILED",
            "cause":"APP_IMAGE_DOWNLOAD_FAILED",
            "worker":"0x0101010101010101010101010101010101010101","message":"no such image"}"#;
        let Some(PoolEvent::Status(status)) = event("status", status) else {
            panic!()
        };
        assert_eq!(
            status.replicate_status,
            Some(ReplicateStatus::AppDownloadFailed)
        );
        assert_eq!(status.cause, Some(Cause::AppImageDownloadFailed));
        assert_eq!(
            event("progress", r#"{"percent":43}"#),
            Some(PoolEvent::Progress {
                worker: None,
                phase: Phase::Image,
                percent: 43
            })
        );
        assert!(matches!(
            event("progress", r#"{"percent":43,"phase":"app"}"#),
            Some(PoolEvent::Progress {
                phase: Phase::App,
                ..
            })
        ));
        assert_eq!(
            event(
                "log",
                r#"{"stream":"stdout","run":7,"offset":3,"text":"hi\n"}"#
            ),
            Some(PoolEvent::Log {
                worker: None,
                run: 7,
                stream: Output::Stdout,
                offset: 3,
                text: "hi\n".to_owned(),
                position: "here".to_owned(),
            })
        );
        assert_eq!(
            event("gap", r#"{"stream":"stderr","offset":3,"missing":9}"#),
            Some(PoolEvent::Gap {
                worker: None,
                stream: Output::Stderr,
                missing: 9
            })
        );
        assert_eq!(event("end", ""), Some(PoolEvent::End));
        assert_eq!(event("news", "{}"), None);
    }

    #[test]
    fn the_latest_cause_is_found() {
        let model = r#"{"currentStatus":"FAILED",
            "dateStatusList":[{"status":"RECEIVED","date":"1"}],
            "replicates":[{"walletAddress":"0x0101010101010101010101010101010101010101",
            "currentStatus":"FAILED","appExitCode":3,"statusUpdateList":[
            {"status":"COMPUTE_FAILED","date":"2","cause":"APP_COMPUTE_FAILED","message":"exit 3"},
            {"status":"FAILED","date":"3"}]}]}"#;
        let model: TaskModel = serde_json::from_str(model).unwrap();
        let (cause, message) = model.last_cause().unwrap();
        assert_eq!(
            (cause, message.as_deref()),
            (Cause::AppComputeFailed, Some("exit 3"))
        );
    }
}
