//! What an operator asks a pool and tells it: `/status`, `/metrics`, `/version`, and the drain.

mod metrics;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use protocol::Address;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    Error,
    database::Database,
    ledger::Ledger,
    machine::Notice,
    refusals::Refusals,
    shell::{Input, Shell, WorkerView},
};

/// The version of the program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The type that Prometheus asks for.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Between two looks whether a pool that drains has open tasks left.
const DRAIN_LOOK_MS: u64 = 500;

/// A running pool, for the process around it. Cheap clone.
#[derive(Clone)]
pub struct Handle {
    pub(crate) workerpool: Address,
    pub(crate) inbox: mpsc::Sender<Input>,
    pub(crate) database: Database,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) drain: CancellationToken,
    /// Nothing is on the market any more.
    pub(crate) withdrawn: CancellationToken,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handle({})", self.workerpool)
    }
}

/// What the loop knows, at one moment.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Census {
    pub(crate) workers: Vec<WorkerView>,
    /// Slots of the workers that are online.
    pub(crate) slots: u64,
    /// Tasks that those workers are at.
    pub(crate) busy: u64,
    /// Tasks that wait for a worker.
    pub(crate) queue: usize,
    /// Tasks that are not over.
    pub(crate) open: usize,
    /// The first block whose events are not known yet.
    pub(crate) next_block: u64,
    /// Deals since the start.
    pub(crate) deals: u64,
}

impl Shell {
    /// Counts everything an operator may ask for.
    pub(crate) fn census(&self) -> Census {
        let online = || self.machine.workers_online().map(|(_, worker)| worker);
        let busy: usize = online().map(|worker| worker.active.len()).sum();
        let open = self.machine.tasks().filter(|task| !task.is_final());
        Census {
            workers: self.list_workers(),
            slots: online().map(|worker| u64::from(worker.slots)).sum(),
            busy: busy as u64,
            queue: self.machine.waiting(),
            open: open.count(),
            next_block: self.next_block,
            deals: self.deals,
        }
    }
}

/// A line for each stage of a task and each step of its workers: with those of worker and store,
/// one task can be followed by its id.
pub(crate) fn tell(notice: &Notice) {
    let (task, stage) = (notice.task, notice.stage.name());
    let cause = notice.failure.as_ref().map(|failure| failure.cause.code());
    match notice.step {
        Some((worker, status)) => {
            tracing::info!(%task, %worker, status = status.name(), cause, "step");
        }
        None => tracing::info!(%task, stage, cause, "stage"),
    }
}

/// `GET /status`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    version: &'static str,
    #[serde(with = "protocol::json::checksummed")]
    workerpool: Address,
    chain_id: u64,
    /// The chain's newest block.
    latest_block: u64,
    draining: bool,
    /// Workers that were not let in since the start, by reason.
    refused: BTreeMap<&'static str, u64>,
    #[serde(flatten)]
    census: Census,
    /// How many tasks are in which stage, those of earlier runs included.
    tasks: BTreeMap<String, u64>,
}

impl Handle {
    /// Withdraws the pool's orders from the market and publishes no more. Deals that come all the
    /// same, because somebody kept an order, are served.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// After [`Self::drain`]: returns when the orders are withdrawn and no task is open.
    pub async fn idle(&self) {
        self.withdrawn.cancelled().await;
        while self.census().await.is_some_and(|census| census.open > 0) {
            tokio::time::sleep(Duration::from_millis(DRAIN_LOOK_MS)).await;
        }
    }

    /// Whether the database takes changes.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn check_database(&self) -> Result<(), Error> {
        self.database.check().await
    }

    /// The operator's routes, for a pool with an origin of its own: elsewhere other services have
    /// routes of these names.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/metrics", get(metrics))
            .route("/version", get(async || VERSION))
            .with_state(self.clone())
            .merge(self.status_router())
    }

    /// `GET /status` alone, which no other service has.
    pub fn status_router(&self) -> Router {
        Router::new()
            .route("/status", get(status))
            .with_state(self.clone())
    }

    async fn census(&self) -> Option<Census> {
        let (sender, answer) = oneshot::channel();
        self.inbox.send(Input::Census(sender)).await.ok()?;
        answer.await.ok()
    }

    async fn status(&self) -> Option<Result<Status, Error>> {
        let census = self.census().await?;
        let tasks = match self.database.stages().await {
            Ok(tasks) => tasks,
            Err(error) => return Some(Err(error)),
        };
        Some(Ok(Status {
            version: VERSION,
            workerpool: self.workerpool,
            chain_id: self.ledger.chain_id(),
            latest_block: *self.ledger.heads().borrow(),
            draining: self.drain.is_cancelled(),
            refused: self.refusals.counts(),
            census,
            tasks,
        }))
    }
}

/// Answers with the status in a form, or says why there is none.
async fn answer(handle: &Handle, form: impl FnOnce(Status) -> Response) -> Response {
    match handle.status().await {
        Some(Ok(status)) => form(status),
        Some(Err(error)) => {
            tracing::error!(%error, "the pool's state cannot be told");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, "the pool does not run").into_response(),
    }
}

async fn status(State(handle): State<Handle>) -> Response {
    answer(&handle, |status| Json(status).into_response()).await
}

async fn metrics(State(handle): State<Handle>) -> Response {
    let form = |status| ([(CONTENT_TYPE, METRICS_TYPE)], metrics::text(&status)).into_response();
    answer(&handle, form).await
}
