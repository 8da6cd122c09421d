//! The routes of the official service that its clients use (spec/secrets-tee.md §1.2, §1.4).

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, head, post},
};

use crate::{
    Slot, attested,
    audit::{Decision, Entry},
    service::Shared,
    vault::Update,
};

mod compute;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fuzz;
mod refusal;
#[cfg(test)]
mod rest;
mod submission;
mod tee;
#[cfg(test)]
mod tee_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
mod web;

use refusal::{Refusal, Told};
use submission::Accepted;

/// Bytes of a body that are read at all: a value that is too long is told so by its own rule, after
/// the signature was checked; far beyond that nothing is read.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// All routes over `shared`. There is no GET of a secret, by intention.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let app = head(compute::app_exists).post(compute::push_app);
    let indexed = head(compute::app_slot_exists).post(compute::push_app_slot);
    let requester = head(compute::requester_exists).post(compute::push_requester);
    let routes = Router::new()
        .route("/secrets/web3", head(web::web3_exists).post(web::push_web3))
        .route(
            "/secrets/web2",
            head(web::web2_exists)
                .post(web::push_web2)
                .put(web::update_web2),
        )
        .route("/apps/{app}/secrets", app)
        .route("/apps/{app}/secrets/{index}", indexed)
        .route("/requesters/{requester}/secrets/{name}", requester)
        .route("/tee/framework", get(tee::framework))
        .route("/tee/challenges/{task}", post(tee::challenge))
        .route("/tee/sessions", post(tee::session))
        .layer(from_fn_with_state(Arc::clone(&shared), unsealed))
        .merge(attested::routes())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    attested::stamped(routes.with_state(Arc::clone(&shared)), &shared)
}

/// While the store is sealed nothing is told, not even what is there.
async fn unsealed(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    match shared.vault.seal.is_sealed() {
        true => Told::from(Refusal::Sealed).into_response(),
        false => next.run(request).await,
    }
}

/// What an operator asks (spec/secrets-tee.md §1.6).
pub(crate) fn operator_router(shared: Arc<Shared>) -> Router {
    let sealable = get(metrics).layer(from_fn_with_state(Arc::clone(&shared), unsealed));
    let routes = Router::new()
        .route("/version", get(version))
        .route("/metrics", sealable)
        .route("/actuator/health", get(health));
    attested::stamped(routes.with_state(Arc::clone(&shared)), &shared)
}

/// With a suffix that nobody overlooks when attestation is simulated.
async fn version(State(shared): State<Arc<Shared>>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match is_simulated(&shared) {
        true => format!("{version}+sim (simulated attestation: insecure)"),
        false => version.to_owned(),
    }
}

fn is_simulated(shared: &Shared) -> bool {
    shared
        .attested
        .as_ref()
        .is_some_and(|one| one.is_simulated())
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Json<serde_json::Value>, Told> {
    let mut metrics = shared.vault.metrics().await.map_err(Refusal::from)?;
    if let Some(attested) = &shared.attested {
        metrics["attestation"] = attested.metrics();
    }
    Ok(Json(metrics))
}

async fn health(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<serde_json::Value>) {
    let sealed = shared.vault.seal.is_sealed();
    let (status, word) = match shared.vault.ping().await {
        Ok(()) if sealed => (StatusCode::OK, "SEALED"),
        Ok(()) => (StatusCode::OK, "UP"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "DOWN"),
    };
    let mut body = serde_json::json!({ "status": word });
    if is_simulated(&shared) {
        body["attestation"] = "simulated: insecure".into();
        body["insecure"] = true.into();
    }
    (status, Json(body))
}

async fn present(shared: &Shared, slot: &Slot) -> Result<StatusCode, Refusal> {
    match shared.vault.holds(slot).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refusal::NotFound),
    }
}

async fn insert(shared: &Arc<Shared>, slot: Slot, push: Accepted) -> Result<StatusCode, Refusal> {
    let shared = Arc::clone(shared);
    to_its_end(async move {
        let (value, mark) = (&push.value, push.mark.first());
        let (decision, reason, answer) =
            match shared.vault.insert_signed(&slot, value, mark).await? {
                true => (Decision::Allowed, "stored", Ok(StatusCode::NO_CONTENT)),
                false => (Decision::Refused, "exists", Err(Refusal::Exists)),
            };
        let done = Done("secret.push", decision, reason);
        audit(&shared, &slot, &push, done).await?;
        answer
    })
    .await
}

async fn update(shared: &Arc<Shared>, slot: Slot, push: Accepted) -> Result<StatusCode, Refusal> {
    let shared = Arc::clone(shared);
    to_its_end(async move {
        let (value, mark) = (&push.value, &push.mark);
        let (decision, reason, answer) = match shared.vault.update(&slot, value, mark).await? {
            Update::Done => (Decision::Allowed, "replaced", Ok(StatusCode::NO_CONTENT)),
            Update::Absent => (Decision::Refused, "absent", Err(Refusal::NotFound)),
            Update::Replayed => (Decision::Refused, "replayed", Err(Refusal::Replayed)),
        };
        let done = Done("secret.update", decision, reason);
        audit(&shared, &slot, &push, done).await?;
        answer
    })
    .await
}

/// Whoever asked may hang up at any time: what was stored is written down all the same.
async fn to_its_end(
    work: impl Future<Output = Result<StatusCode, Refusal>> + Send + 'static,
) -> Result<StatusCode, Refusal> {
    let done = tokio::spawn(work).await;
    done.unwrap_or(Err(Refusal::Internal))
}

/// What was asked, how it ended and why.
struct Done(&'static str, Decision, &'static str);

/// Written down after it was stored, because only then it is known whether it was, and before it
/// is acknowledged. What is refused for its signature is not: anybody could fill the disk.
async fn audit(shared: &Shared, slot: &Slot, push: &Accepted, done: Done) -> Result<(), Refusal> {
    let Done(action, decision, reason) = done;
    let entry = Entry::new(format!("{:#x}", push.signer), action, decision)
        .id("kind", slot.kind())
        .id("owner", slot.owner())
        .id("name", slot.name())
        .reason(reason)
        .request(push.request.as_str());
    Ok(shared.vault.audit(entry).await?)
}
