//! What a role needs that runs in a process of its own: a listener, and for the chain a set-up.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use axum::Router;
use protocol::Address;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tower_http::cors::CorsLayer;

use crate::{Account, Error, Role, front::Front, rejection, setup};

/// Serves `router` until `shutdown`; open WebSockets do not hold it up.
pub fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) -> JoinHandle<()> {
    let front = Front::default();
    front.set(router);
    front.serve(listener, shutdown)
}

/// For the routes of store, secret manager and pool: browsers of any origin may ask, and what the
/// framework refuses is told in the form of the services. The market has rules of its own.
pub fn open_to_browsers(router: Router) -> Router {
    router
        .layer(axum::middleware::map_response(rejection::as_json))
        .layer(CorsLayer::very_permissive())
}

/// The embedded chain without any other role: the contracts are deployed, everybody is funded, and
/// the workerpool is registered, as in `iexec up`.
#[derive(Debug)]
pub struct ChainNode {
    node: devchain::Node,
    serving: JoinHandle<()>,
    shutdown: CancellationToken,
    info: ChainInfo,
}

/// Where the chain is and what is on it; the names are those of `network.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainInfo {
    /// The chain.
    pub chain_id: u64,
    /// The hub.
    #[serde(with = "protocol::json::checksummed")]
    pub hub: Address,
    /// The workerpool of the account `poolOwner`.
    #[serde(with = "protocol::json::checksummed")]
    pub workerpool: Address,
    /// JSON-RPC over HTTP.
    pub rpc_url: String,
    /// JSON-RPC over WebSocket.
    pub ws_url: String,
    /// Funded accounts; their keys are public.
    pub accounts: Vec<Account>,
}

/// Accounts of workers that are told, of the many that are funded.
const WORKERS_TOLD: u32 = 8;

impl ChainNode {
    /// Opens the chain of `data_dir` or makes a new one, and serves it on `listener`, with `pages`
    /// where JSON-RPC is not. The caller holds the directory's lock ([`crate::lock`]).
    ///
    /// # Errors
    /// Whatever the set-up says.
    pub async fn start(
        data_dir: &Path,
        listener: TcpListener,
        pages: Router,
    ) -> Result<Self, Error> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        std::fs::create_dir_all(data_dir).map_err(Error::at(data_dir))?;
        let address = listener.local_addr().map_err(Error::at(data_dir))?;
        let (node, shutdown) = (setup::open_chain(data_dir)?, CancellationToken::new());
        let routes = devchain::rpc_router(node.clone(), pages);
        let serving = serve(listener, routes, shutdown.clone());
        let address = SocketAddr::new(reachable(address.ip()), address.port());
        let ws_url = format!("ws://{address}");
        let deployment = setup::prepare(data_dir, &ws_url).await?;
        let wallets = setup::wallets(WORKERS_TOLD);
        let account = |(role, wallet): &(Role, chain::Wallet)| Account::of(*role, wallet);
        Ok(Self {
            node,
            serving,
            shutdown,
            info: ChainInfo {
                chain_id: setup::CHAIN_ID,
                hub: deployment.hub,
                workerpool: deployment.workerpool,
                rpc_url: format!("http://{address}"),
                ws_url,
                accounts: wallets.iter().map(account).collect(),
            },
        })
    }

    /// Where it is and what is on it.
    pub fn info(&self) -> &ChainInfo {
        &self.info
    }

    /// Ends it; everything is on the disk.
    pub fn stop(self) {
        self.shutdown.cancel();
        self.serving.abort();
        if let Err(error) = self.node.close() {
            tracing::warn!(%error, "the chain did not close");
        }
    }
}

/// Loopback, when we listen on all addresses.
pub fn reachable(address: IpAddr) -> IpAddr {
    match address.is_unspecified() {
        true => IpAddr::V4(Ipv4Addr::LOCALHOST),
        false => address,
    }
}
