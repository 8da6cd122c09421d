//! JSON-RPC over WebSocket: the same methods, plus subscriptions to new blocks and logs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alloy::rpc::types::Filter;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{Message, WebSocket};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};

use crate::http::BODY_BYTES_MAX;
use crate::node::{Node, Notice, What};
use crate::rpc::{self, Params, RpcError};

/// WebSocket connections served at a time.
pub const CONNECTIONS_MAX: usize = 4096;
/// Subscriptions of one connection.
pub const SUBSCRIPTIONS_MAX: usize = 256;
/// A peer that does not take a message for this long is cut off.
const SEND_TIMEOUT_MS: u64 = 10_000;
/// Silence after which a connection is probed, so that peers that vanished are noticed.
const PING_PERIOD_MS: u64 = 30_000;

/// Accepts connections up to the limit.
#[derive(Debug, Clone)]
pub(crate) struct Listener(Arc<Semaphore>);

impl Default for Listener {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(CONNECTIONS_MAX)))
    }
}

impl Listener {
    pub(crate) fn accept(&self, node: Node, upgrade: WebSocketUpgrade) -> Response {
        let Ok(permit) = self.0.clone().try_acquire_owned() else {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        };
        upgrade
            .max_message_size(BODY_BYTES_MAX)
            .on_upgrade(move |socket| serve(node, socket, permit))
    }
}

/// The connection is over, for whatever reason; there is nobody left to tell.
struct Gone;

#[derive(Debug)]
enum Topic {
    NewHeads,
    Logs(Box<Filter>),
    /// Transactions taken in; in full, or their hashes.
    Transactions {
        in_full: bool,
    },
}

#[derive(Debug)]
struct Subscription {
    topic: Topic,
    /// Notices up to this one are older than the subscription.
    seen: u64,
}

type Subscriptions = BTreeMap<u64, Subscription>;

async fn serve(node: Node, mut socket: WebSocket, _permit: OwnedSemaphorePermit) {
    let mut notices = node.notices();
    let mut session = Session {
        node,
        subscriptions: Subscriptions::new(),
        last_id: 0,
    };
    let mut ping = tokio::time::interval(Duration::from_millis(PING_PERIOD_MS));
    let closed = session.node.closed();
    loop {
        let step = tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(message)) => match session.receive(&mut socket, message).await {
                    Ok(next) => { session = next; Ok(()) }
                    Err(Gone) => return,
                },
                _ => return,
            },
            notice = notices.recv() => match notice {
                Ok(notice) => session.notify(&mut socket, &notice).await,
                Err(broadcast::error::RecvError::Lagged(notices)) => {
                    tracing::warn!(notices, "dropped a subscriber that fell behind");
                    return;
                }
                Err(broadcast::error::RecvError::Closed) => return,
            },
            _ = ping.tick() => send(&mut socket, Message::Ping(Default::default())).await,
            () = closed.cancelled() => return,
        };
        if step.is_err() {
            return;
        }
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Gone> {
    let limit = Duration::from_millis(SEND_TIMEOUT_MS);
    match tokio::time::timeout(limit, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}

struct Session {
    node: Node,
    subscriptions: Subscriptions,
    last_id: u64,
}

impl Session {
    /// Answers one message; takes and returns the session because requests run on another thread.
    async fn receive(mut self, socket: &mut WebSocket, message: Message) -> Result<Self, Gone> {
        let body = match message {
            Message::Text(text) => axum::body::Bytes::from(text),
            Message::Binary(bytes) => bytes,
            Message::Ping(_) | Message::Pong(_) => return Ok(self),
            Message::Close(_) => return Err(Gone),
        };
        let task = tokio::task::spawn_blocking(move || {
            let answer = rpc::answer(&body, &mut |method, params| self.call(method, params));
            (self, answer.map(|answer| answer.to_string()))
        });
        let (session, answer) = task.await.map_err(|_| Gone)?;
        if let Some(answer) = answer {
            send(socket, Message::Text(answer.into())).await?;
        }
        Ok(session)
    }

    fn call(&mut self, method: &str, params: Value) -> Result<Value, RpcError> {
        match method {
            "eth_subscribe" => self.subscribe(&mut Params::new(params)?),
            "eth_unsubscribe" => {
                let id = Params::new(params)?.number(0)?.unwrap_or_default();
                Ok(json!(self.subscriptions.remove(&id).is_some()))
            }
            method => self.node.request(method, params),
        }
    }

    fn subscribe(&mut self, params: &mut Params) -> Result<Value, RpcError> {
        if self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return Err(RpcError::limit("too many subscriptions"));
        }
        let topic = match params.get::<String>(0)?.as_str() {
            "newHeads" => Topic::NewHeads,
            "logs" => Topic::Logs(Box::new(rpc::wanted(params, 1)?)),
            "newPendingTransactions" => Topic::Transactions {
                in_full: params.opt(1)?.unwrap_or(false),
            },
            topic => return Err(RpcError::params(format!("no subscription `{topic}`"))),
        };
        let ledger = self.node.read();
        let seen = self.node.last_notice();
        drop(ledger);
        self.last_id += 1;
        self.subscriptions
            .insert(self.last_id, Subscription { topic, seen });
        Ok(json!(format!("{:#x}", self.last_id)))
    }

    async fn notify(&self, socket: &mut WebSocket, notice: &Notice) -> Result<(), Gone> {
        for (id, subscription) in &self.subscriptions {
            if notice.sequence <= subscription.seen {
                continue;
            }
            for result in subscription.results(&self.node, notice) {
                let params = json!({ "subscription": format!("{id:#x}"), "result": result });
                let message =
                    json!({ "jsonrpc": "2.0", "method": "eth_subscription", "params": params });
                send(socket, Message::Text(message.to_string().into())).await?;
            }
        }
        Ok(())
    }
}

impl Subscription {
    fn results(&self, node: &Node, notice: &Notice) -> Vec<Value> {
        match (&self.topic, &notice.what) {
            (Topic::NewHeads, What::Block { header, .. }) => {
                rpc::value(header).into_iter().collect()
            }
            (Topic::Logs(filter), What::Block { header, logs })
                if filter.matches_bloom(header.inner.logs_bloom) =>
            {
                let logs = logs.iter().filter(|log| filter.matches(&log.inner));
                logs.filter_map(|log| rpc::value(log).ok()).collect()
            }
            (Topic::Transactions { in_full: false }, What::Transaction(hash)) => vec![json!(hash)],
            (Topic::Transactions { in_full: true }, What::Transaction(hash)) => {
                let found = node.request("eth_getTransactionByHash", json!([hash]));
                found.into_iter().filter(|found| !found.is_null()).collect()
            }
            _ => Vec::new(),
        }
    }
}
