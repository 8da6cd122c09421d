//! What an operator asks a worker over HTTP: `/status`, `/metrics`, `/version`.

use std::{fmt::Write as _, sync::Arc};

use axum::routing::get;
use axum::{Json, Router, extract::State, http::header::CONTENT_TYPE, response::IntoResponse};
use protocol::Address;
use serde::Serialize;

use crate::{Board, board::BoardView};

/// The type that Prometheus asks for.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What stays the same while a worker runs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The version of the program.
    pub version: String,
    /// The name for people.
    pub name: String,
    /// The wallet.
    #[serde(with = "protocol::json::checksummed")]
    pub wallet: Address,
    /// `docker` or `builtin`.
    pub engine: String,
    /// The chain.
    pub chain_id: u64,
}

#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    identity: Identity,
    #[serde(flatten)]
    board: BoardView,
}

type Shared = State<Arc<(Identity, Arc<Board>)>>;

/// The routes. They tell no secret, but task ids and pools: for loopback or a private network.
pub fn router(identity: Identity, board: Arc<Board>) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .with_state(Arc::new((identity, board)))
}

async fn status(State(shared): Shared) -> impl IntoResponse {
    let (identity, board) = (shared.0.clone(), shared.1.view());
    Json(Status { identity, board })
}

async fn version(State(shared): Shared) -> String {
    shared.0.version.clone()
}

async fn metrics(State(shared): Shared) -> impl IntoResponse {
    let (identity, board) = (&shared.0, &shared.1);
    let mut text = String::new();
    about(identity, &mut text);
    let view = board.view();
    numbers(&view, &mut text);
    for (name, value) in board.computed().statistics() {
        let name = format!("iexec_app_compute_duration_{name}");
        let _ = write!(text, "# TYPE {name} gauge\n{name} {value}\n");
    }
    ([(CONTENT_TYPE, METRICS_TYPE)], text)
}

fn about(identity: &Identity, text: &mut String) {
    let Identity { version, .. } = identity;
    let _ = write!(
        text,
        "# TYPE iexec_version_info gauge\n\
         iexec_version_info{{iexecAppName=\"iexec-worker\",iexecAppVersion=\"{version}\"}} 1\n"
    );
}

fn numbers(view: &BoardView, text: &mut String) {
    let busy: usize = view.pools.iter().map(|pool| pool.tasks.len()).sum();
    let _ = write!(
        text,
        "# HELP iexec_worker_slots Tasks at once.\n# TYPE iexec_worker_slots gauge\n\
         iexec_worker_slots {}\n\
         # HELP iexec_worker_tasks Tasks in progress, those that wait for a slot included.\n\
         # TYPE iexec_worker_tasks gauge\niexec_worker_tasks {busy}\n\
         # TYPE iexec_worker_draining gauge\niexec_worker_draining {}\n\
         # HELP iexec_worker_pool_online Whether the worker is logged in at a pool.\n\
         # TYPE iexec_worker_pool_online gauge\n",
        view.slots,
        u8::from(view.draining)
    );
    for pool in &view.pools {
        let (workerpool, online) = (pool.workerpool, u8::from(pool.online));
        let _ = writeln!(
            text,
            "iexec_worker_pool_online{{workerpool=\"{workerpool}\"}} {online}"
        );
    }
    text.push_str(
        "# HELP iexec_worker_tasks_ended_total Tasks that ended, by their last step.\n\
         # TYPE iexec_worker_tasks_ended_total counter\n",
    );
    for (status, count) in &view.ended {
        let _ = writeln!(
            text,
            "iexec_worker_tasks_ended_total{{status=\"{status}\"}} {count}"
        );
    }
}

#[cfg(test)]
mod tests {
    use protocol::{TaskId, message::Report, status::ReplicateStatus};

    use super::*;

    #[tokio::test]
    async fn a_task_shows_while_it_runs_and_is_counted_after() {
        let board = Board::new(2);
        let seat = board.seat("http://pool", Address::repeat_byte(7));
        let task = TaskId::repeat(1);
        seat.took(task, true);
        for status in [ReplicateStatus::Computing, ReplicateStatus::Computed] {
            seat.reported(&Report::new(task, status), 0);
        }
        let view = serde_json::to_value(board.view()).unwrap();
        assert_eq!(view["pools"][0]["tasks"][0]["status"], "COMPUTED");
        seat.reported(&Report::new(task, ReplicateStatus::Completed), 0);
        seat.ended(task);
        let mut text = String::new();
        numbers(&board.view(), &mut text);
        assert!(text.contains("iexec_worker_tasks_ended_total{status=\"COMPLETED\"} 1\n"));
        assert!(text.contains("iexec_worker_slots 2\n"));
        assert_eq!(board.computed().statistics()[3].1, 1.0);
    }
}
