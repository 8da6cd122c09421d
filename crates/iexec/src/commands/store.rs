//! `iexec store`: the result store alone.

use std::{net::SocketAddr, path::PathBuf};

use network::health::{self, Health};
use serde::Deserialize;
use serde_json::json;

use super::role::{ChainConfig, Common, Host, Place, Service, Standard, TemplateArgs, read};
use crate::{
    context::Context,
    outcome::{Failure, Report},
};

const STANDARD: Standard = Standard {
    role: "store",
    port: 13_200,
};
const TEMPLATE: &str = include_str!("templates/store.toml");
const MIB: u64 = 1 << 20;

/// Options of `iexec store`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  iexec store init --out store.toml\n  \
    iexec store --config store.toml\n  \
    iexec store --chain-url wss://rpc.example.org --hub 0x… --listen 0.0.0.0:13200"
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
    #[command(after_help = "Example:\n  iexec store init --out store.toml")]
    Init(TemplateArgs),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Settings {
    listen: Option<SocketAddr>,
    data: Option<PathBuf>,
    public_add: bool,
    result_mib: Option<u64>,
    capacity_mib: Option<u64>,
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
    let gate = std::sync::Arc::new(store::ChainGate::new(hub.clone()));
    let service = store::Service::open(config(&settings, &host), gate).await;
    let service = service.map_err(|error| Failure::with_sources(&error))?;
    let facts = json!({ "chainId": hub.chain_id() });
    let data_dir = host.data_dir.clone();
    let health = Health::default().chain(hub).check("disk", move || {
        let data_dir = data_dir.clone();
        async move { health::disk(&data_dir).await }
    });
    let router = network::open_to_browsers(service.router()).merge(health.router());
    let drain = None;
    host.live(Service {
        router,
        facts,
        drain,
    })
    .await
}

fn config(settings: &Settings, host: &Host) -> store::Config {
    let mut config = store::Config::new(host.data_dir.join("results"));
    config.public_add = settings.public_add;
    let bytes = |mib: Option<u64>, default| mib.map_or(default, |mib| mib.saturating_mul(MIB));
    config.result_bytes_max = bytes(settings.result_mib, config.result_bytes_max);
    config.capacity_bytes = bytes(settings.capacity_mib, config.capacity_bytes);
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::role::uncommented;

    #[test]
    fn the_template_explains_every_key_with_its_default() {
        let told: Settings = uncommented(TEMPLATE);
        assert_eq!(told.result_mib.unwrap() * MIB, store::RESULT_BYTES_MAX);
        assert_eq!(told.capacity_mib.unwrap() * MIB, store::CAPACITY_BYTES);
        assert_eq!(told.listen.unwrap().port(), STANDARD.port);
        assert!(!told.public_add && told.data.is_some());
    }
}
