//! JSON-RPC over HTTP, and the router that puts it on one path together with WebSocket.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{DefaultBodyLimit, Request, State, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tower::ServiceExt;

use crate::node::Node;
use crate::rpc;
use crate::websocket::Listener;

/// Largest request body: a full batch of ethers (1 MiB), and a large deployment.
pub const BODY_BYTES_MAX: usize = 2 << 20;

/// How long the HTTP answer to a sent transaction is held back, in milliseconds.
///
/// ethers v6 answers identical reads from a cache for 250 ms, the nonce included. On a chain that
/// mines at once, a client that sends, sees its transaction mined and sends again within that time
/// signs the second one with the first one's nonce and fails with `nonce too low`. The transaction
/// itself is mined immediately; only the sender learns its hash after the cache has expired, as it
/// would on a chain with real block times. Clients that count nonces themselves say so with
/// [`NONCE_HEADER`] and are not held; neither are WebSocket connections.
pub const SEND_HOLD_MS: u64 = 260;

/// Request header by which a client declares that it counts nonces itself (`managed`).
pub const NONCE_HEADER: &str = "x-iexec-nonce";

/// What a browser page of another origin needs to be told before it may read an answer.
const CORS: [(HeaderName, &str); 5] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, OPTIONS"),
    (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
    (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    (
        HeaderName::from_static("access-control-allow-private-network"),
        "true",
    ),
];

#[derive(Debug, Clone)]
struct Shared {
    node: Node,
    listener: Listener,
    page: Router,
}

/// JSON-RPC on `POST /` and on a WebSocket at `GET /`; an ordinary `GET /` and every other path
/// are left to `page`, so that one origin can serve a chain and its pages. Browsers of any origin
/// may call it.
pub fn rpc_router(node: Node, page: Router) -> Router {
    let shared = Shared {
        node,
        listener: Listener::default(),
        page: page.clone(),
    };
    let rpc = post(call).get(upgrade_or_page).options(preflight);
    let rpc = rpc.layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    Router::new()
        .route("/", rpc)
        .with_state(shared)
        .fallback_service(page)
}

async fn preflight() -> Response {
    (StatusCode::NO_CONTENT, CORS).into_response()
}

async fn upgrade_or_page(
    State(shared): State<Shared>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    match upgrade {
        Ok(upgrade) => shared.listener.accept(shared.node, upgrade),
        Err(rejection) if request.headers().contains_key(header::UPGRADE) => {
            rejection.into_response()
        }
        Err(_) => shared.page.oneshot(request).await.into_response(),
    }
}

async fn call(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let is_managed = headers
        .get(NONCE_HEADER)
        .is_some_and(|value| value == "managed");
    let node = shared.node;
    let answered = tokio::task::spawn_blocking(move || answer(&node, &body)).await;
    let Ok((answer, sent)) = answered else {
        return (StatusCode::INTERNAL_SERVER_ERROR, CORS).into_response();
    };
    if sent && !is_managed {
        tokio::time::sleep(Duration::from_millis(SEND_HOLD_MS)).await;
    }
    let json = [(header::CONTENT_TYPE, "application/json")];
    (CORS, json, answer).into_response()
}

/// The answer's text, and whether a transaction was taken in.
fn answer(node: &Node, body: &[u8]) -> (String, bool) {
    let mut sent = false;
    let answer = rpc::answer(body, &mut |method, params| {
        let result = node.request(method, params);
        sent |= result.is_ok() && rpc::is_send(method);
        result
    });
    (
        answer.map(|answer| answer.to_string()).unwrap_or_default(),
        sent,
    )
}
