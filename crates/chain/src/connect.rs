//! Opening a connection to a node.

use std::time::Duration;

use alloy::{
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::client::RpcClient,
    transports::{http::Http, ws::WsConnect},
};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::Error;

/// Tells the embedded chain that this client counts its nonces, so an answer to a transaction
/// need not be held back for the sake of clients that cache them.
pub const NONCE_HEADER: &str = "x-iexec-nonce";
/// The value of [`NONCE_HEADER`].
pub const NONCE_MANAGED: &str = "managed";

/// One question to a node may take this long.
const REQUEST_TIMEOUT_S: u64 = 30;
/// Attempts to come back after a lost WebSocket: about 20 minutes at [`WS_RETRY_MS`] with backoff.
const WS_RETRIES_MAX: u32 = 60;
/// First pause before dialling again; short, because the usual reason is a restart.
const WS_RETRY_MS: u64 = 500;

/// Connects to a node by `http(s)://` or `ws(s)://` URL. WebSocket is preferred for services:
/// new blocks are pushed.
///
/// # Errors
/// [`Error::Url`] for another scheme, [`Error::Unreachable`] when nobody answers.
pub async fn connect(url: &str) -> Result<DynProvider, Error> {
    // programs that use only this library have chosen no TLS provider, without which the HTTP
    // client panics; somebody else's choice stays
    let _ = rustls::crypto::ring::default_provider().install_default();
    let parsed = url::Url::parse(url).map_err(|_| Error::Url(url.to_owned()))?;
    match parsed.scheme() {
        "http" | "https" => http(parsed),
        "ws" | "wss" => ws(url).await,
        _ => Err(Error::Url(url.to_owned())),
    }
}

fn http(url: url::Url) -> Result<DynProvider, Error> {
    let name = HeaderName::from_static(NONCE_HEADER);
    let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(NONCE_MANAGED))]);
    let client = reqwest::Client::builder()
        .default_headers(headers)
        .timeout(Duration::from_secs(REQUEST_TIMEOUT_S))
        .build()
        .map_err(|e| Error::Url(format!("{url} ({e})")))?;
    let client = RpcClient::new(Http::with_client(client, url), true);
    Ok(ProviderBuilder::new()
        .disable_recommended_fillers()
        .connect_client(client)
        .erased())
}

async fn ws(url: &str) -> Result<DynProvider, Error> {
    let dial = WsConnect::new(url)
        .with_max_retries(WS_RETRIES_MAX)
        .with_retry_interval(Duration::from_millis(WS_RETRY_MS));
    ProviderBuilder::new()
        .disable_recommended_fillers()
        .connect_ws(dial)
        .await
        .map(Provider::erased)
        .map_err(|e| Error::from_transport("connect", e))
}
