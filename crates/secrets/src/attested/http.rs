//! The routes, and the stamp on everything that a simulating service says.

use std::sync::Arc;

use attest::{Ask, Challenge, EVENTS_MAX, Redeem, Sealed};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::HeaderValue,
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{any, post},
};
use serde::Serialize;
use serde_json::json;

use super::{Attested, challenge, redeem, refusal::Refusal};
use crate::service::Shared;

/// What stamps each answer of a service that simulates.
const MODE_HEADER: &str = "x-attestation-mode";
/// An event as JSON, with a name of 40 characters.
const EVENT_BYTES: usize = 170;
/// Bytes of a redemption: the longest event log, and a quote.
const REDEEM_BYTES_MAX: usize = EVENTS_MAX * EVENT_BYTES + 64 * 1024;

/// Where an enclave asks for its session.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    let redeem = post(answer).layer(DefaultBodyLimit::max(REDEEM_BYTES_MAX));
    Router::new()
        .route("/attest/v1/sessions/{id}", any(nothing))
        .route(
            "/attest/v1/sessions/{id}/challenge",
            post(ask).fallback(nothing),
        )
        .route("/attest/v1/sessions/{id}/redeem", redeem.fallback(nothing))
        .route("/attest/v1/sessions/{id}/{step}", any(nothing))
}

/// `router`, whose answers say so when attestation is simulated.
pub(crate) fn stamped(router: Router, shared: &Shared) -> Router {
    if !shared
        .attested
        .as_ref()
        .is_some_and(|one| one.is_simulated())
    {
        return router;
    }
    router.layer(map_response(async |mut response: Response| {
        let value = HeaderValue::from_static("simulation");
        response.headers_mut().insert(MODE_HEADER, value);
        response
    }))
}

/// A service that cannot verify says the same to everybody, whether there is a session or not.
fn attested(shared: &Shared) -> Result<&Arc<Attested>, Refusal> {
    shared.attested.as_ref().ok_or(Refusal::NotSetUp)
}

async fn nothing(State(shared): State<Arc<Shared>>) -> Refusal {
    attested(&shared).map_or_else(|refusal| refusal, |_| Refusal::NotFound)
}

/// `GET /attest/v1/info`: whom an enclave pins, and by which rules it will be judged.
pub(crate) async fn info(State(shared): State<Arc<Shared>>) -> Response {
    let told = tell(&shared).await;
    told.map_or_else(IntoResponse::into_response, |body| {
        Json(body).into_response()
    })
}

async fn tell(shared: &Shared) -> Result<serde_json::Value, Refusal> {
    let attested = attested(shared)?;
    let sms_id = attested.identity(&shared.vault).await?.id();
    let (chain_id, hub) = shared.ledger.place();
    Ok(json!({
        "sms_id": protocol::B256::from(sms_id),
        "chain_id": chain_id,
        "hub": hub,
        "mode": attested.mode(),
        "insecure": attested.is_simulated(),
        "policy_id": attested.verifier.policy().id(),
    }))
}

async fn ask(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Challenge>, Refusal> {
    let attested = attested(&shared)?;
    let ask: Ask = serde_json::from_slice(&body).map_err(|_| Refusal::Malformed)?;
    Ok(Json(
        challenge::make(&shared, attested, &id, ask.stage).await?,
    ))
}

/// A release.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    sealed: Sealed,
    /// Only there when it is true.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    insecure: bool,
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Answer>, Refusal> {
    let attested = attested(&shared)?;
    let asked: Redeem = serde_json::from_slice(&body).map_err(|_| Refusal::Malformed)?;
    let sealed = redeem::redeem(&shared, attested, &id, asked).await?;
    let insecure = attested.is_simulated();
    Ok(Json(Answer { sealed, insecure }))
}
