//! The routes, and HTTP around them.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Path, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::{StreamExt, TryStreamExt};
use tokio::{fs::File, io::AsyncReadExt, net::TcpListener, sync::Semaphore};
use tokio_util::{
    io::{ReaderStream, StreamReader, SyncIoBridge},
    sync::CancellationToken,
};

use super::{
    heard::Reported,
    host::{Admitted, Host},
    refused::Refused,
};

/// Bytes of what a container says. Callback data are the largest part: the computed.json they come
/// from has at most half of this.
pub(super) const BODY_BYTES_MAX: usize = 2 << 20;
/// How long calls may go on after the end, milliseconds: whoever made them is gone.
const END_WAIT_MS: u64 = 1_000;
/// The answer to an upload. Its client only logs it: where a result is stored is the worker's to
/// say, later.
const LINK: &str = "/ipfs/";
/// Bodies in memory at once: a program says one thing after the other.
const READERS_MAX: usize = 8;

/// What every route needs.
#[derive(Clone)]
struct Shared {
    host: Arc<Host>,
    cancel: CancellationToken,
    readers: Arc<Semaphore>,
}

/// Serves `host` to whoever reaches `listener`, until `cancel`.
///
/// # Errors
/// The listener's own.
pub(crate) async fn serve(
    listener: TcpListener,
    host: Arc<Host>,
    cancel: CancellationToken,
) -> io::Result<()> {
    let ended = cancel.clone();
    let shared = Shared {
        host,
        cancel,
        readers: Arc::new(Semaphore::new(READERS_MAX)),
    };
    let served = axum::serve(listener, router(shared))
        .with_graceful_shutdown(ended.clone().cancelled_owned());
    let late = async {
        ended.cancelled().await;
        tokio::time::sleep(Duration::from_millis(END_WAIT_MS)).await;
    };
    tokio::select! {
        served = served.into_future() => served,
        () = late => Ok(()),
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/compute/{stage}/{task}/exit-causes", post(exit_causes))
        .route("/compute/{stage}/{task}/exit", post(exit))
        .route("/compute/post/{task}/computed", post(computed))
        .route("/iexec_out/{task}/computed", post(computed))
        .route("/v1/results", post(upload))
        .route("/datasets/{number}", get(dataset))
        .with_state(shared)
}

type Called = Path<(String, String)>;

async fn exit_causes(
    State(shared): State<Shared>,
    Path((stage, task)): Called,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refused> {
    let called = (stage.as_str(), task.as_str());
    shared
        .report(called, &headers, body, Admitted::exit_causes)
        .await
}

async fn exit(
    State(shared): State<Shared>,
    Path((stage, task)): Called,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refused> {
    let called = (stage.as_str(), task.as_str());
    shared.report(called, &headers, body, Admitted::exit).await
}

async fn computed(
    State(shared): State<Shared>,
    Path(task): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<String, Refused> {
    let admitted = shared.admit("post", &task, &headers)?;
    let task = admitted.computed(&shared.read(body).await?)?;
    Ok(task.to_string())
}

/// The body is read by a thread that may wait, piece by piece.
async fn upload(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: Body,
) -> Result<&'static str, Refused> {
    let incoming = shared.host.expect_archive(authorization(&headers))?;
    let pieces = body.into_data_stream().map_err(io::Error::other);
    let pieces = pieces.take_until(shared.cancel.cancelled_owned());
    let reader = SyncIoBridge::new(StreamReader::new(Box::pin(pieces)));
    let received = tokio::task::spawn_blocking(move || incoming.receive(reader)).await;
    received.unwrap_or_else(|error| Err(Refused::Disk(error.into())))?;
    Ok(LINK)
}

async fn dataset(
    State(shared): State<Shared>,
    Path(number): Path<String>,
) -> Result<Response, Refused> {
    let path = shared.host.dataset(&number)?;
    let file = File::open(path).await.map_err(Refused::Disk)?;
    let bytes = file.metadata().await.map_err(Refused::Disk)?.len();
    let pieces = ReaderStream::new(file.take(bytes));
    let body = Body::from_stream(pieces.take_until(shared.cancel.cancelled_owned()));
    let kind = HeaderValue::from_static("application/octet-stream");
    let headers = [(CONTENT_TYPE, kind), (CONTENT_LENGTH, bytes.into())];
    Ok((headers, body).into_response())
}

impl Shared {
    fn admit(&self, stage: &str, task: &str, of: &HeaderMap) -> Result<Admitted<'_>, Refused> {
        self.host.admit(stage, task, authorization(of))
    }

    async fn report<'a>(
        &'a self,
        (stage, task): (&str, &str),
        headers: &HeaderMap,
        body: Body,
        tell: impl FnOnce(&Admitted<'a>, &[u8]) -> Result<Reported, Refused>,
    ) -> Result<StatusCode, Refused> {
        let admitted = self.admit(stage, task, headers)?;
        Ok(status(tell(&admitted, &self.read(body).await?)?))
    }

    async fn read(&self, body: Body) -> Result<Bytes, Refused> {
        let _one = self
            .readers
            .acquire()
            .await
            .map_err(|_| Refused::NotFound)?;
        let whole = self
            .cancel
            .run_until_cancelled(to_bytes(body, BODY_BYTES_MAX));
        let whole = whole.await.ok_or(Refused::NotFound)?;
        whole.map_err(|_| Refused::TooLarge)
    }
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()
}

fn status(reported: Reported) -> StatusCode {
    match reported {
        Reported::Now => StatusCode::OK,
        Reported::Before => StatusCode::ALREADY_REPORTED,
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unsigned | Self::Rejected(_) => StatusCode::UNAUTHORIZED,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Twice => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Disk(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.to_string()).into_response()
    }
}
