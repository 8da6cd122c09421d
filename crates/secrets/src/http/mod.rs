//! The routes of the official service that its clients use (spec/secrets-tee.md §1.2, §1.4).

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, head},
};

use crate::{Slot, Value, service::Shared};

mod compute;
mod refusal;
mod submission;
#[cfg(test)]
mod tests;
mod web;

use refusal::Refusal;

/// Bytes of a body that are read at all: a value that is too long is told so by its own rule, after
/// the signature was checked; far beyond that nothing is read.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// All routes over `shared`. There is no GET of a secret, by intention.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let app = head(compute::app_exists).post(compute::push_app);
    let indexed = head(compute::app_slot_exists).post(compute::push_app_slot);
    let requester = head(compute::requester_exists).post(compute::push_requester);
    Router::new()
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
        .route("/tee/framework", get(framework))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

/// `GET /tee/framework`: the framework as a JSON string, or 404 when there is none.
async fn framework(State(shared): State<Arc<Shared>>) -> Response {
    match shared.framework {
        Some(framework) => Json(framework).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn present(shared: &Shared, slot: &Slot) -> Result<StatusCode, Refusal> {
    match shared.vault.holds(slot).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refusal::NotFound),
    }
}

async fn insert(shared: &Shared, slot: &Slot, value: &Value) -> Result<StatusCode, Refusal> {
    match shared.vault.insert(slot, value).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refusal::Exists),
    }
}
