//! The routes. None collides with another service's, as all may share one origin.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, head, post},
};

use crate::service::Shared;

mod gateway;
mod login;
mod node;
mod problem;
mod range;
mod receive;
mod results;
#[cfg(test)]
mod tests;

pub use results::RESULT_JSON_BYTES_MAX;

/// Bytes of the JSON bodies that carry no result: an authorization has about 500.
const SMALL_BODY_BYTES_MAX: usize = 16 * 1024;

/// All routes over `shared`. Large bodies are counted while they stream, so axum's own limit is
/// only used where a body is read as a whole.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let small = DefaultBodyLimit::max(SMALL_BODY_BYTES_MAX);
    let json = DefaultBodyLimit::max(RESULT_JSON_BYTES_MAX);
    let unlimited = DefaultBodyLimit::disable();
    Router::new()
        .route("/ipfs/{cid}", get(gateway::content))
        .route("/api/v0/add", post(node::add).layer(unlimited))
        .route("/api/v0/cat", post(node::cat))
        .route("/results/challenge", get(login::challenge))
        .route("/results/login", post(login::login).layer(small))
        .route("/v1/results/token", post(results::token).layer(small))
        .route("/v1/results", post(results::upload_json).layer(json))
        .route(
            "/v1/results/{id}",
            head(results::exists).put(results::upload).layer(unlimited),
        )
        .route("/v1/results/{id}/ipfshash", get(results::hash))
        .with_state(shared)
}

/// Seconds since 1970, for the tokens.
fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
