//! `/tee`: the enclave's key for the pool, a session for the worker (spec/secrets-tee.md
//! §1.4).

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
};
use protocol::{
    Address, Cause, TaskId,
    deal::{Deal, Task},
    digest, sms,
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Error, Framework,
    service::Shared,
    tee::{self, Place, Recipient, Refused, Request},
};

/// Tries to store a session when two requests of one worker race: the second finds the id of the
/// first.
const STORE_TRIES_MAX: usize = 3;

/// `GET /tee/framework`: the framework as a JSON string, or 404 when there is none.
pub(super) async fn framework(State(shared): State<Arc<Shared>>) -> Response {
    match shared.framework {
        Some(framework) => Json(framework).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The header as sent; none is a malformed request, as in Spring.
fn authorization(headers: &HeaderMap) -> Result<&str, StatusCode> {
    let header = headers.get(AUTHORIZATION).ok_or(StatusCode::BAD_REQUEST)?;
    Ok(header.to_str().unwrap_or_default())
}

/// `POST /tee/challenges/{task}`: the address of the task's enclave key, for the pool's owner.
pub(super) async fn challenge(
    State(shared): State<Arc<Shared>>,
    Path(task): Path<String>,
    headers: HeaderMap,
) -> Result<String, StatusCode> {
    let signature = authorization(&headers)?;
    let task: TaskId = task.parse().map_err(|_| StatusCode::UNAUTHORIZED)?;
    let request = Request {
        task,
        hash: sms::enclave_challenge(task),
        signature,
    };
    if shared.framework != Some(Framework::Tdx) {
        return Err(StatusCode::NOT_FOUND);
    }
    let granted = tee::authorize(shared.ledger.as_ref(), &request).await;
    let (on_chain, _) = granted.map_err(|cause| {
        tracing::info!(%task, %cause, "no enclave key is given");
        StatusCode::UNAUTHORIZED
    })?;
    let made = shared
        .vault
        .challenge_or_create(task, on_chain.final_deadline);
    let challenge = made.await.map_err(|error| {
        internal(&error);
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    Ok(format!("{:#x}", challenge.address))
}

fn internal(error: &Error) {
    let source = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(source, "{error}");
}

const UNKNOWN_ISSUE: &str = "UNKNOWN_ISSUE";

/// Why there is no session: 401 for who may not, 500 for what is missing, as upstream; 503 for what
/// cannot be read just now.
fn status(word: &str) -> StatusCode {
    match word {
        "INVALID_AUTHORIZATION" => StatusCode::UNAUTHORIZED,
        UNKNOWN_ISSUE => StatusCode::SERVICE_UNAVAILABLE,
        _ if word.starts_with("EXECUTION_NOT_AUTHORIZED") => StatusCode::UNAUTHORIZED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let word = self.cause.session_error().unwrap_or(UNKNOWN_ISSUE);
        let body = match self.reason {
            Some(reason) => json!({ "error": word, "reason": reason }),
            None => json!({ "error": word }),
        };
        (status(word), Json(body)).into_response()
    }
}

/// The pool's authorization as workers send it: read loosely, because an empty field has an error
/// of its own. Deal and index are the chain's business.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    chain_task_id: Option<String>,
    #[serde(default)]
    worker_wallet: Option<String>,
    #[serde(default)]
    enclave_challenge: Option<String>,
    #[serde(default)]
    signature: Option<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    #[serde(default)]
    value: Option<String>,
}

/// The same, understood.
struct Asked {
    task: TaskId,
    worker: Address,
    challenge: Address,
    pool_signature: String,
}

impl Body {
    /// The worker signs what the pool signed; nothing else is looked at before.
    fn understand(self, worker_signature: &str) -> Result<Asked, Cause> {
        let invalid = Cause::SessionInvalidAuthorization;
        let text = |field: Option<String>| field.unwrap_or_default();
        let task = text(self.chain_task_id);
        if task.is_empty() {
            return Err(Cause::SessionEmptyParams);
        }
        let asked = Asked {
            task: task.parse().map_err(|_| invalid)?,
            worker: text(self.worker_wallet).parse().map_err(|_| invalid)?,
            challenge: text(self.enclave_challenge).parse().map_err(|_| invalid)?,
            pool_signature: text(self.signature.and_then(|signature| signature.value)),
        };
        match tee::signer(asked.hash(), worker_signature) == Some(asked.worker) {
            true => Ok(asked),
            false => Err(invalid),
        }
    }
}

impl Asked {
    fn hash(&self) -> protocol::B256 {
        digest::authorization(self.worker, self.task, self.challenge)
    }
}

/// `POST /tee/sessions`: makes the session of a task and a worker and says where its enclave will
/// get it. Nothing of it is in the answer.
pub(super) async fn session(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let signature = match authorization(&headers) {
        Ok(signature) => signature,
        Err(status) => return status.into_response(),
    };
    let Ok(body) = serde_json::from_slice::<Body>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match make_session(&shared, body, signature).await {
        Ok(id) => {
            let url = format!("{}/attest/v1/sessions/{id}", shared.public_url);
            Json(json!({ "data": { "sessionId": id, "secretProvisioningUrl": url } }))
                .into_response()
        }
        Err(refused) => {
            tracing::info!(%refused, "no session is made");
            refused.into_response()
        }
    }
}

async fn make_session(shared: &Shared, body: Body, signature: &str) -> Result<String, Refused> {
    let asked = body.understand(signature)?;
    let request = Request {
        task: asked.task,
        hash: asked.hash(),
        signature: &asked.pool_signature,
    };
    let (task, deal) = tee::authorize(shared.ledger.as_ref(), &request).await?;
    if shared.framework != Some(Framework::Tdx) {
        return Err(Cause::SessionNoTeeFramework.into());
    }
    let key = enclave_key(shared, &asked).await?;
    store_session(shared, &asked, task, deal, &key).await
}

/// The key of the task's enclave, which must be the one that pool and worker signed for.
async fn enclave_key(shared: &Shared, asked: &Asked) -> Result<crate::Value, Cause> {
    if asked.challenge.is_zero() {
        return Err(Cause::SessionEmptyEnclaveChallenge);
    }
    let known = shared.vault.challenge(asked.task).await;
    let known = known.inspect_err(internal);
    let known = known.map_err(|_| Cause::SessionEmptyTeeCredentials)?;
    let known = known.ok_or(Cause::SessionEmptyTeeChallenge)?;
    match known.address == asked.challenge {
        true => Ok(known.key),
        false => Err(Cause::SessionInvalidSignature),
    }
}

async fn store_session(
    shared: &Shared,
    asked: &Asked,
    task: Task,
    deal: Deal,
    key: &crate::Value,
) -> Result<String, Refused> {
    let failed = |error: Error| {
        internal(&error);
        Cause::SessionStorageCallFailed
    };
    let place = Place {
        task: asked.task,
        worker: asked.worker,
        purge_at: task.final_deadline,
    };
    let (ledger, ipfs) = (shared.ledger.as_ref(), shared.ipfs.as_deref());
    let description = tee::describe(ledger, ipfs, &task, deal).await?;
    let secrets = shared.vault.secrets_for(&description, asked.worker).await;
    let secrets = secrets.map_err(failed)?;
    let recipient = Recipient {
        worker: asked.worker,
        key,
    };
    for _ in 0..STORE_TRIES_MAX {
        let id = shared.vault.session_id(place).await.map_err(failed)?;
        let pipeline = &shared.pipeline;
        let session = tee::build(id.clone(), &description, &secrets, &recipient, pipeline)?;
        let session = session.to_value()?;
        let stored = shared.vault.put_session(place, &id, &session).await;
        if stored.map_err(failed)? {
            return Ok(id);
        }
    }
    Err(Cause::SessionStorageCallFailed.into())
}
