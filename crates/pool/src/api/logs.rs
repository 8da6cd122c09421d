//! The app's output, for the requester of the task only.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, header},
};
use protocol::{
    Address,
    challenge::{Audience, Token},
    message::Logs,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, Refusal};
use crate::machine::Task;

#[derive(Debug, Deserialize)]
pub(super) struct ChallengeQuery {
    address: String,
}

/// `GET /tasks/logs/challenge?address=`: typed data to sign.
pub(super) async fn challenge(
    State(api): State<Arc<Api>>,
    Query(query): Query<ChallengeQuery>,
) -> Result<Json<Value>, Refusal> {
    let wrong = |_| Refusal::Malformed("address is not a valid ethereum address");
    let address: Address = query.address.parse().map_err(wrong)?;
    let text = api.challenges.issue(address, api.clock.now());
    Ok(Json(Audience::Pool.typed_data(api.chain_id, &text)))
}

/// `GET /tasks/{id}/logs`.
pub(super) async fn of_task(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let (task, logs) = authorized_logs(&api, &id, &headers).await?;
    if logs.is_empty() {
        return Err(Refusal::NotFound("no logs"));
    }
    let list: Vec<Value> = logs
        .iter()
        .map(|(worker, logs)| one(*worker, logs))
        .collect();
    let id = task.id.to_string();
    Ok(Json(json!({ "chainTaskId": id, "computeLogsList": list })))
}

/// `GET /tasks/{id}/replicates/{wallet}/logs`.
pub(super) async fn of_replicate(
    State(api): State<Arc<Api>>,
    Path((id, wallet)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let (_, logs) = authorized_logs(&api, &id, &headers).await?;
    let wallet: Option<Address> = wallet.parse().ok();
    let found = wallet.and_then(|wallet| Some((wallet, logs.get(&wallet)?)));
    let (wallet, logs) = found.ok_or(Refusal::NotFound("no logs"))?;
    Ok(Json(one(wallet, logs)))
}

fn one(worker: Address, logs: &Logs) -> Value {
    json!({
        "walletAddress": format!("{worker:#x}"),
        "stdout": logs.stdout,
        "stderr": logs.stderr,
    })
}

/// The signature is judged before anything is said about the task.
async fn authorized_logs(
    api: &Api,
    id: &str,
    headers: &HeaderMap,
) -> Result<(Task, BTreeMap<Address, Logs>), Refusal> {
    let header = headers.get(header::AUTHORIZATION);
    let text = header.and_then(|value| value.to_str().ok());
    let reader = api.signer(text.ok_or(Refusal::Unauthorized)?)?;
    let task = api.task(id).await?;
    if reader != task.terms.requester {
        return Err(Refusal::NotRequester);
    }
    let logs = api.output(&task).await?;
    Ok((task, logs))
}

impl Api {
    /// Who signed the challenge that we gave to it.
    pub(super) fn signer(&self, authorization: &str) -> Result<Address, Refusal> {
        let token = Token::parse(authorization).map_err(|_| Refusal::Unauthorized)?;
        let challenge = self.challenges.get(token.address, self.clock.now());
        let challenge = challenge.ok_or(Refusal::Unauthorized)?;
        let hash = Audience::Pool.hash(self.chain_id, &challenge);
        if token.proves(hash) {
            Ok(token.address)
        } else {
            Err(Refusal::Unauthorized)
        }
    }

    /// What is stored, or else what has come in live.
    pub(super) async fn output(&self, task: &Task) -> Result<BTreeMap<Address, Logs>, Refusal> {
        let mut logs = self.live.tails(task.id);
        logs.extend(self.database.logs(task.id).await?);
        Ok(logs)
    }
}
