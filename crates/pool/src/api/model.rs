//! A task as the API shows it: the official fields (spec/pool-worker.md §1.14) and ours, `cause`
//! and `message`.

use axum::http::{HeaderMap, header};
use protocol::{Address, Cause, params::DealParams};
use serde::Serialize;
use serde_json::{Value, json};

use crate::machine::{
    Task,
    replicate::{Replicate, Update},
    task::{Consensus, Failure, StageDate},
};

/// The official TaskModel.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskModel {
    chain_task_id: String,
    replicates: Vec<ReplicateModel>,
    max_execution_time: u64,
    tag: String,
    dapp_type: String,
    dapp_name: String,
    command_line: String,
    initialization_block_number: u64,
    current_status: String,
    trust: u64,
    uploading_worker_wallet_address: Option<String>,
    consensus: Option<String>,
    contribution_deadline: Option<String>,
    reveal_deadline: Option<String>,
    final_deadline: Option<String>,
    result_link: Option<String>,
    chain_callback_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enclave_challenge: Option<String>,
    date_status_list: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Value>,
}

/// The official ReplicateModel; empty fields are omitted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicateModel {
    #[serde(rename = "self")]
    link: String,
    chain_task_id: String,
    wallet_address: String,
    current_status: String,
    status_update_list: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_logs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_exit_code: Option<i64>,
}

/// Where the client reached us, for absolute links; empty when it does not say.
pub(crate) fn origin(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = text("x-forwarded-proto")
        .filter(|s| *s == "https")
        .unwrap_or("http");
    let host = text("x-forwarded-host").or_else(|| text(header::HOST.as_str()));
    host.map(|host| format!("{scheme}://{host}"))
        .unwrap_or_default()
}

impl TaskModel {
    /// The model of a task, with links below `origin`.
    pub(crate) fn of(task: &Task, origin: &str) -> Self {
        let terms = &task.terms;
        let replicates = task.replicates.iter();
        Self {
            chain_task_id: task.id.to_string(),
            replicates: replicates
                .map(|r| ReplicateModel::of(task, r, origin))
                .collect(),
            max_execution_time: terms.timeref.saturating_mul(1000),
            tag: terms.tag.to_string(),
            dapp_type: terms.app_type.clone(),
            dapp_name: terms.image.clone(),
            command_line: DealParams::from_chain(&terms.params)
                .iexec_args
                .unwrap_or_default(),
            initialization_block_number: task.initialized_block.unwrap_or_default(),
            current_status: task.stage().name(),
            trust: terms.trust,
            uploading_worker_wallet_address: task.uploader.map(lower),
            consensus: task.consensus.as_ref().map(|c| c.value.to_string()),
            contribution_deadline: date(terms.contribution_deadline.saturating_mul(1000)),
            reveal_deadline: task.consensus.as_ref().and_then(reveal_deadline),
            final_deadline: date(terms.final_deadline.saturating_mul(1000)),
            result_link: task.result_link.clone(),
            chain_callback_data: task.callback_data.as_ref().map(ToString::to_string),
            enclave_challenge: task.enclave_challenge.map(lower),
            date_status_list: task.stages.iter().map(stage).collect(),
            cause: task.failure.as_ref().map(failure),
        }
    }
}

impl ReplicateModel {
    /// The model of a replicate, with links below `origin`.
    pub(crate) fn of(task: &Task, replicate: &Replicate, origin: &str) -> Self {
        let wallet = lower(replicate.worker);
        let link = format!("{origin}/tasks/{}/replicates/{wallet}", task.id);
        Self {
            app_logs: replicate.has_logs.then(|| format!("{link}/logs")),
            link,
            chain_task_id: task.id.to_string(),
            wallet_address: wallet,
            current_status: replicate.status().name(),
            status_update_list: replicate.updates.iter().map(update).collect(),
            result_link: replicate.result_link.clone(),
            app_exit_code: replicate.exit_code,
        }
    }
}

fn reveal_deadline(consensus: &Consensus) -> Option<String> {
    date(consensus.reveal_deadline.saturating_mul(1000))
}

fn lower(address: Address) -> String {
    format!("{address:#x}")
}

fn stage(entry: &StageDate) -> Value {
    json!({ "date": date(entry.date), "status": entry.stage })
}

fn update(update: &Update) -> Value {
    let mut value = json!({ "status": update.status, "date": date(update.date) });
    if let Some(cause) = update.cause {
        value["cause"] = json!(cause);
    }
    if let Some(message) = &update.message {
        value["message"] = json!(message);
    }
    value
}

/// A cause with everything a person wants to know.
pub(crate) fn failure(failure: &Failure) -> Value {
    let cause: Cause = failure.cause;
    json!({
        "code": cause.code(),
        "sentence": cause.sentence(),
        "hint": cause.hint(),
        "message": failure.message,
    })
}

/// ISO 8601 of milliseconds since 1970.
pub(crate) fn date(ms: u64) -> Option<String> {
    let ms = i64::try_from(ms).ok()?;
    let time = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(format!("{time:.3}"))
}
