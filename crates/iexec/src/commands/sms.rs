//! `iexec sms`: the secret manager alone.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use network::health::{self, Health};
use serde::Deserialize;
use serde_json::json;

use super::role::{ChainConfig, Common, Host, Place, Service, Standard, TemplateArgs, read};
use crate::{
    context::Context,
    outcome::{Failure, Report},
};

mod attestation;

const STANDARD: Standard = Standard {
    role: "sms",
    port: 13_300,
};
const TEMPLATE: &str = include_str!("templates/sms.toml");

/// Options of `iexec sms`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  iexec sms init --out sms.toml\n  iexec sms --config sms.toml\n  \
    iexec sms --chain-url wss://rpc.example.org --hub 0x… --listen 0.0.0.0:13300"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Take simulated enclaves, when the settings say so too: no secret is protected then
    #[arg(long)]
    insecure_simulation: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write a settings file in which every key is explained
    #[command(after_help = "Example:\n  iexec sms init --out sms.toml")]
    Init(TemplateArgs),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Settings {
    listen: Option<SocketAddr>,
    data: Option<PathBuf>,
    database_url: Option<String>,
    framework: Option<secrets::Framework>,
    public_url: Option<String>,
    attestation: attestation::Settings,
    chain: ChainConfig,
}

/// Runs until a signal.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    if let Some(Command::Init(args)) = &args.command {
        return args.run(TEMPLATE, context);
    }
    let settings: Settings = read(args.common.config.as_deref())?;
    let attestation = settings.attestation.clone();
    let attestation = attestation.resolve(args.insecure_simulation)?;
    let place = Place::find(context, &args.common, &settings.chain)?;
    let (listen, data) = (settings.listen, settings.data.clone());
    let host = Host::open(&STANDARD, &args.common.place, listen, data, context).await?;
    let hub = place.connect().await?;
    let mut config = secrets::Config::new(&host.data_dir);
    config.database = settings.database_url;
    config.framework = settings.framework;
    config.attestation = attestation;
    config.public_url = settings.public_url.unwrap_or_else(|| host.url());
    let service = secrets::Service::open(config, Arc::new(hub.clone())).await;
    let service = service.map_err(|error| Failure::with_sources(&error))?;
    let (data_dir, handle) = (host.data_dir.clone(), service.handle());
    let facts = json!({ "chainId": hub.chain_id() });
    let health = Health::default()
        .chain(hub)
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
    let router = network::open_to_browsers(service.router())
        .merge(service.operator_router())
        .merge(health.router());
    let shutdown = host.shutdown.clone();
    host.spawn(async move {
        service.run(shutdown).await;
        Ok::<(), Failure>(())
    });
    let drain = None;
    host.live(Service {
        router,
        facts,
        drain,
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::role::uncommented;

    #[test]
    fn the_template_explains_every_key() {
        let told: Settings = uncommented(TEMPLATE);
        assert_eq!(told.framework, Some(secrets::Framework::Tdx));
        assert_eq!(told.listen.unwrap().port(), STANDARD.port);
        assert!(told.public_url.is_some() && told.database_url.is_some());
        assert!(told.attestation.resolve(false).unwrap().is_some());
    }
}
