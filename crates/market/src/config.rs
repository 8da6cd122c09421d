//! What an operator can choose.

use std::net::IpAddr;

use serde::Deserialize;

/// Settings of one market: one chain, one database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `sqlite:///path/to/file` (made if missing), `sqlite::memory:` or `postgres://…`.
    pub database_url: String,
    /// The one chain id that is served.
    pub chain_id: u64,
    /// Open orders of one kind that a wallet may have.
    #[serde(default = "default_max_open_orders")]
    pub max_open_orders_per_wallet: u64,
    /// Requests that one address may make; `None` turns the limit off.
    #[serde(default = "default_rate_limit")]
    pub rate_limit: Option<RateLimit>,
    /// Proxies whose `X-Real-IP` and `X-Forwarded-For` are believed; nobody else's are.
    #[serde(default)]
    pub trusted_proxies: Vec<IpAddr>,
    /// Clients that are never limited, as the socket or a trusted proxy tells them.
    #[serde(default)]
    pub unlimited_clients: Vec<IpAddr>,
    /// The block at which an empty database starts to follow the hub.
    #[serde(default)]
    pub start_block: u64,
}

/// A fixed window per client address (spec/market-explorer.md §2). Loopback is never limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Requests in a window.
    pub max: u64,
    /// Length of the window in milliseconds.
    pub period_ms: u64,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            max: 100,
            period_ms: 60_000,
        }
    }
}

/// Upstream's default.
const MAX_OPEN_ORDERS_PER_WALLET: u64 = 50;

fn default_max_open_orders() -> u64 {
    MAX_OPEN_ORDERS_PER_WALLET
}

fn default_rate_limit() -> Option<RateLimit> {
    Some(RateLimit::default())
}

impl Config {
    /// The defaults: 50 open orders of a kind per wallet, upstream's rate limit, from block 0.
    pub fn new(database_url: impl Into<String>, chain_id: u64) -> Self {
        Self {
            database_url: database_url.into(),
            chain_id,
            max_open_orders_per_wallet: MAX_OPEN_ORDERS_PER_WALLET,
            rate_limit: default_rate_limit(),
            trusted_proxies: Vec::new(),
            unlimited_clients: Vec::new(),
            start_block: 0,
        }
    }
}
