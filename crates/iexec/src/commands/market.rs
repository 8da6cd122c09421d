//! `iexec market`: the order book alone.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use network::health::{self, Health};
use serde::Deserialize;
use serde_json::json;

use super::role::{
    ChainConfig, Common, Host, Place, Service, Standard, TemplateArgs, database_url, read,
};
use crate::{
    context::Context,
    outcome::{Failure, Report},
};

const STANDARD: Standard = Standard {
    role: "market",
    port: 3_000,
};
const TEMPLATE: &str = include_str!("templates/market.toml");

/// Options of `iexec market`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  iexec market init --out market.toml\n  \
    iexec market --config market.toml\n  \
    iexec market --chain-url wss://rpc.example.org --hub 0x… --listen 0.0.0.0:3000"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write a settings file in which every key is explained
    #[command(after_help = "Example:\n  iexec market init --out market.toml")]
    Init(TemplateArgs),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Settings {
    listen: Option<SocketAddr>,
    data: Option<PathBuf>,
    database_url: Option<String>,
    start_block: u64,
    max_open_orders_per_wallet: Option<u64>,
    requests_per_minute: Option<u64>,
    trusted_proxies: Vec<IpAddr>,
    unlimited_clients: Vec<IpAddr>,
    chain: ChainConfig,
}

/// Runs until a signal.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    if let Some(Command::Init(args)) = &args.command {
        return args.run(TEMPLATE, context);
    }
    let settings: Settings = read(args.common.config.as_deref())?;
    let place = Place::find(context, &args.common, &settings.chain)?;
    let (listen, data) = (settings.listen, settings.data.clone());
    let host = Host::open(&STANDARD, &args.common.place, listen, data, context).await?;
    let hub = place.connect().await?;
    let config = config(settings, &host, hub.chain_id());
    let service = market::Service::open(config, Arc::new(hub.clone())).await;
    let service = service.map_err(|error| Failure::with_sources(&error))?;
    let (data_dir, handle) = (host.data_dir.clone(), service.handle());
    let health = Health::default()
        .chain(hub.clone())
        .check("database", move || {
            let handle = handle.clone();
            async move {
                handle
                    .check()
                    .await
                    .map_err(health::told("it does not answer"))
            }
        })
        .check("disk", move || {
            let data_dir = data_dir.clone();
            async move { health::disk(&data_dir).await }
        });
    let router = health.router().merge(service.app());
    let facts = json!({ "chainId": hub.chain_id() });
    let shutdown = host.shutdown.clone();
    host.spawn(async move {
        let ended = service.run(hub, shutdown).await;
        ended.map_err(|error| Failure::with_sources(&error))
    });
    let drain = None;
    host.live(Service {
        router,
        facts,
        drain,
    })
    .await
}

fn config(settings: Settings, host: &Host, chain_id: u64) -> market::Config {
    let url = database_url(settings.database_url, host, "market");
    let mut config = market::Config::new(url, chain_id);
    config.start_block = settings.start_block;
    if let Some(max) = settings.max_open_orders_per_wallet {
        config.max_open_orders_per_wallet = max;
    }
    let limit = market::RateLimit::default();
    let max = settings.requests_per_minute.unwrap_or(limit.max);
    config.rate_limit = Some(market::RateLimit { max, ..limit });
    config.trusted_proxies = settings.trusted_proxies;
    config.unlimited_clients = settings.unlimited_clients;
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::role::uncommented;

    #[test]
    fn the_template_explains_every_key_with_its_default() {
        let told: Settings = uncommented(TEMPLATE);
        let default = market::Config::new("", 1);
        let max = default.max_open_orders_per_wallet;
        assert_eq!(told.max_open_orders_per_wallet, Some(max));
        let limit = default.rate_limit.unwrap();
        assert_eq!(
            (limit.max, limit.period_ms),
            (told.requests_per_minute.unwrap(), 60_000)
        );
        assert_eq!(told.listen.unwrap().port(), STANDARD.port);
        assert_eq!(told.trusted_proxies.len() + told.unlimited_clients.len(), 2);
    }
}
