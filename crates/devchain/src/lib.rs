//! An embedded EVM node speaking JSON-RPC over HTTP and WebSocket.
//!
//! For development and for networks of one machine: blocks are mined on demand, gas is free, the
//! chain survives `kill -9` in an append-only log, and every client library that talks to an
//! Ethereum node talks to it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let node = devchain::Node::open(devchain::Config::default())?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8545").await?;
//! axum::serve(listener, node.router()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Inside, [`Node`] is a handle to a ledger behind a lock. The ledger is synchronous and made of
//! three parts: the chain (a sum of events), the pool (transactions waiting for a nonce gap to
//! close) and the log (the same events on disk).

mod block;
mod chain;
mod clock;
mod codec;
mod config;
mod error;
mod event;
mod execute;
mod http;
mod ledger;
mod log_file;
mod node;
mod pool;
mod rpc;
mod session;
mod simulate;
mod state;
mod terms;
mod trace;
mod websocket;

pub use chain::HISTORY_BLOCKS_MAX;
pub use clock::{Clock, ManualClock, SystemClock};
pub use config::{BLOCK_GAS_LIMIT, CHAIN_ID_DEFAULT, Config};
pub use error::Error;
pub use http::{BODY_BYTES_MAX, NONCE_HEADER, SEND_HOLD_MS, rpc_router};
pub use ledger::SNAPSHOTS_MAX;
pub use node::{Node, SUBSCRIBER_LAG_BLOCKS_MAX};
pub use pool::{POOL_BYTES_MAX, POOL_SENDER_TRANSACTIONS_MAX, POOL_TRANSACTIONS_MAX};
pub use rpc::{
    ARRIVALS_MAX, BATCH_REQUESTS_MAX, FILTER_IDLE_SECONDS, FILTER_TERMS_MAX, FILTERS_MAX,
    LOGS_RESULTS_MAX, RpcError,
};
pub use session::IMPERSONATED_MAX;
pub use websocket::{CONNECTIONS_MAX, SUBSCRIPTIONS_MAX};
