//! The pool's HTTP API: the official shapes (spec/pool-worker.md §1.14), the live stream, and
//! the workers' WebSocket.

pub(crate) mod challenges;
mod logs;
mod model;
mod seats;
mod stream;
mod tasks;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use protocol::{Address, TaskId, message::CONNECT_PATH};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::{
    Config, Error, clock::Clock, connection::WORKERS_MAX, database::Database, live::Live,
    machine::Task, refusals::Refusals, shell::Input,
};
use challenges::Challenges;

/// What the routes work with.
pub(crate) struct Api {
    pub(crate) workerpool: Address,
    pub(crate) chain_id: u64,
    pub(crate) result_proxy: String,
    pub(crate) sms: Option<String>,
    pub(crate) whitelist: Vec<Address>,
    pub(crate) inbox: mpsc::Sender<Input>,
    pub(crate) worker_seats: Arc<Semaphore>,
    pub(crate) refusals: Arc<Refusals>,
    stream_seats: seats::Seats,
    database: Database,
    pub(crate) live: Live,
    clock: Clock,
    challenges: Challenges,
}

impl Api {
    pub(crate) fn new(
        config: &Config,
        chain_id: u64,
        database: Database,
        live: Live,
        clock: Clock,
        inbox: mpsc::Sender<Input>,
    ) -> Self {
        Self {
            workerpool: config.workerpool,
            chain_id,
            result_proxy: config.result_proxy.clone(),
            sms: config.sms_url.clone(),
            whitelist: config.whitelist.clone(),
            inbox,
            worker_seats: Arc::new(Semaphore::new(WORKERS_MAX)),
            refusals: Arc::default(),
            stream_seats: seats::Seats::default(),
            database,
            live,
            clock,
            challenges: Challenges::default(),
        }
    }

    async fn task(&self, id: &str) -> Result<Task, Refusal> {
        let id: TaskId = id
            .parse()
            .map_err(|_| Refusal::NotFound("task not found"))?;
        let task = self.database.task(id).await?;
        task.ok_or(Refusal::NotFound("task not found"))
    }
}

/// All routes of the pool.
pub(crate) fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/tasks/logs/challenge", get(logs::challenge))
        .route("/tasks/{id}", get(tasks::task))
        .route("/tasks/{id}/replicates/{wallet}", get(tasks::replicate))
        .route(
            "/tasks/{id}/replicates/{wallet}/logs",
            get(logs::of_replicate),
        )
        .route("/tasks/{id}/logs", get(logs::of_task))
        .route("/tasks/{id}/stream", get(stream::stream))
        .route("/workers", get(workers))
        .route(CONNECT_PATH, get(crate::connection::connect))
        .with_state(api)
}

async fn workers(State(api): State<Arc<Api>>) -> Result<Response, Refusal> {
    let (sender, answer) = oneshot::channel();
    let asked = api.inbox.try_send(Input::ListWorkers(sender));
    asked.map_err(|_| Refusal::Busy)?;
    let workers = answer.await.map_err(|_| Refusal::Busy)?;
    Ok(Json(workers).into_response())
}

/// Why a request is not served.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// 400.
    Malformed(&'static str),
    /// 401.
    Unauthorized,
    /// 403.
    NotRequester,
    /// 404.
    NotFound(&'static str),
    /// 429.
    TooManyStreams,
    /// 503.
    Busy,
    /// 500.
    Internal(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Internal(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Malformed(text) => (StatusCode::BAD_REQUEST, text),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "invalid authorization"),
            Self::NotRequester => (
                StatusCode::FORBIDDEN,
                "only the requester of the task may read its logs",
            ),
            Self::NotFound(text) => (StatusCode::NOT_FOUND, text),
            Self::TooManyStreams => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many streams of this requester are open",
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the pool is busy, retry later",
            ),
            Self::Internal(error) => {
                tracing::error!(%error, "a request failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "internal error")
            }
        };
        (status, Json(json!({ "ok": false, "error": text }))).into_response()
    }
}

#[cfg(test)]
mod tests;
