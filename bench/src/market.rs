//! The order book: pages of 100,000 open orders, and publications with real signatures.

mod book;
mod pages;
mod publish;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::serve::ListenerExt as _;
use chain::Hub;
use network::{Info, Network};
use tokio_util::sync::CancellationToken;

use crate::stats::say;

/// A page may take this long, 99 times in 100.
const PAGE_TARGET: Duration = Duration::from_millis(20);
/// Publications a second.
const PUBLISH_TARGET: f64 = 500.0;

/// A market of its own beside the local network, whose chain it reads.
struct Market {
    url: String,
    http: reqwest::Client,
    stop: CancellationToken,
}

/// Prints the times of every filter and the rate of publications, on both databases.
pub(crate) async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let network = Network::builder(folder.path().join("network"))
        .port(0)
        .workers(0);
    let network = network.start().await?;
    let sqlite = format!("sqlite://{}/market.db", folder.path().display());
    measure_on("SQLite", &sqlite, network.info()).await?;
    match tools::Postgres::start(&[]) {
        Ok(server) => measure_on("PostgreSQL", &server.database()?, network.info()).await?,
        Err(error) => say(&format!("PostgreSQL: not measured: {error:#}")),
    }
    network.stop().await;
    Ok(())
}

async fn measure_on(name: &str, database: &str, info: &Info) -> anyhow::Result<()> {
    Market::start(database, info).await?.stop().await;
    book::fill(database).await?;
    let market = Market::start(database, info).await?;
    pages::measure(name, &market, info.chain_id).await?;
    publish::measure(name, &market, info).await?;
    market.stop().await;
    Ok(())
}

impl Market {
    async fn start(database: &str, info: &Info) -> anyhow::Result<Self> {
        let hub = Hub::connect(&info.ws_url, info.hub).await?;
        let mut config = market::Config::new(database, info.chain_id);
        config.rate_limit = None;
        config.max_open_orders_per_wallet = u64::MAX;
        let service = market::Service::open(config, Arc::new(hub.clone())).await?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
        let router = service.router();
        let serve = router.into_make_service_with_connect_info::<SocketAddr>();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            axum::serve(listener, serve)
                .with_graceful_shutdown(stopped)
                .await
        });
        tokio::spawn(service.run(hub, stop.clone()));
        Ok(Self {
            url,
            http: reqwest::Client::new(),
            stop,
        })
    }

    async fn stop(self) {
        self.stop.cancel();
        // The database is closed when the loop has noticed.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    async fn get(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await?;
        let text = answer.text().await?;
        let answer: serde_json::Value = serde_json::from_str(&text).context(text)?;
        anyhow::ensure!(answer["ok"] == true, "{path}: {answer}");
        Ok(answer)
    }
}
