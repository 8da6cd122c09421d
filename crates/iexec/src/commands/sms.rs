//! `iexec sms`: the secret manager alone.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use network::health::{self, Health};
use serde::Deserialize;
use serde_json::json;

use super::role::{ChainConfig, Common, Host, Place, Service, Standard, TemplateArgs, read};
use crate::{
    context::Context,
    outcome::{Failure, Report},
};

mod attestation;
mod operator;

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
    /// Give a service that started sealed its passphrase
    Unseal(operator::UnsealArgs),
    /// Put all secrets of a running service under a new key
    RotateKey(operator::RotateArgs),
    /// Write a backup of a running service, encrypted to a public key
    Backup(operator::BackupArgs),
    /// Make the pair of keys that backups are encrypted to and opened with
    BackupKey(operator::BackupKeyArgs),
    /// Fill an empty store with a backup, while no service runs on it
    Restore(operator::RestoreArgs),
    /// Look at the audit log
    #[command(subcommand)]
    Audit(operator::AuditCommand),
    /// Take over the secrets of an official service, while no service runs on this store
    Import(operator::ImportArgs),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Settings {
    listen: Option<SocketAddr>,
    data: Option<PathBuf>,
    database_url: Option<String>,
    framework: Option<secrets::Framework>,
    public_url: Option<String>,
    ipfs_gateway: Option<String>,
    key_provider: KeyProvider,
    passphrase_file: Option<PathBuf>,
    pipeline: secrets::Pipeline,
    attestation: attestation::Settings,
    chain: ChainConfig,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KeyProvider {
    #[default]
    File,
    Passphrase,
}

impl Settings {
    fn config(&self, data_dir: &Path) -> secrets::Config {
        let mut config = secrets::Config::new(data_dir);
        config.database = self.database_url.clone();
        config.framework = self.framework;
        config.ipfs_gateway = self.ipfs_gateway.clone();
        config.keys = match self.key_provider {
            KeyProvider::File => secrets::Keys::File,
            KeyProvider::Passphrase => secrets::Keys::Passphrase {
                file: self.passphrase_file.clone(),
            },
        };
        config.pipeline = self.pipeline.clone();
        config.mode = self.attestation.mode();
        config
    }
}

/// Runs until a signal.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    match &args.command {
        None => serve(args, context).await,
        Some(Command::Init(args)) => args.run(TEMPLATE, context),
        Some(Command::Unseal(args)) => args.run().await,
        Some(Command::RotateKey(args)) => args.run().await,
        Some(Command::Backup(args)) => args.run(context).await,
        Some(Command::BackupKey(args)) => args.run(context),
        Some(Command::Restore(args)) => args.run(context).await,
        Some(Command::Audit(operator::AuditCommand::Verify(args))) => args.run(),
        Some(Command::Import(args)) => args.run(context).await,
    }
}

async fn serve(args: &Args, context: &Context) -> Result<Report, Failure> {
    let settings: Settings = read(args.common.config.as_deref())?;
    let attestation = settings.attestation.clone();
    let attestation = attestation.resolve(args.insecure_simulation)?;
    let place = Place::find(context, &args.common, &settings.chain)?;
    let (listen, data) = (settings.listen, settings.data.clone());
    let host = Host::open(&STANDARD, &args.common.place, listen, data, context).await?;
    let hub = place.connect().await?;
    let mut config = settings.config(&host.data_dir);
    let known = place.known.as_ref().map(|chain| chain.ipfs_gateway.clone());
    config.ipfs_gateway = config.ipfs_gateway.or(known);
    config.attestation = attestation;
    config.public_url = settings.public_url.clone().unwrap_or_else(|| host.url());
    let service = secrets::Service::open(config, Arc::new(hub.clone())).await;
    let service = service.map_err(|error| Failure::with_sources(&error))?;
    if let Some(phrase) = operator::phrase_of_environment().filter(|_| service.is_sealed()) {
        let unsealed = service.unseal(&phrase).await;
        unsealed.map_err(|error| Failure::with_sources(&error))?;
    }
    let admin = secrets::admin::Admin::bind(&host.data_dir);
    let admin = admin.map_err(|error| Failure::with_sources(&error))?;
    let (operated, ending) = (service.clone(), host.shutdown.clone());
    host.spawn(async move {
        admin.run(operated, ending).await;
        Ok::<(), Failure>(())
    });
    let sealed = service.clone();
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
        .check("key", move || {
            let is_sealed = sealed.is_sealed();
            async move {
                match is_sealed {
                    true => Err("the store is sealed: `iexec sms unseal`".to_owned()),
                    false => Ok(()),
                }
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
        assert_eq!(told.key_provider, KeyProvider::Passphrase);
        assert!(told.passphrase_file.is_some());
        assert_eq!(told.attestation.mode(), secrets::Mode::Real);
        assert!(told.public_url.is_some() && told.database_url.is_some());
        assert!(told.ipfs_gateway.is_some());
        let (pre, post) = (told.pipeline.pre_compute, told.pipeline.post_compute);
        assert!(pre.image.contains("pre-compute") && post.image.contains("post-compute"));
        let attestation = told.attestation.resolve(false).unwrap();
        assert!(matches!(
            attestation,
            Some(secrets::Attestation::Intel {
                pccs_url: Some(_),
                ..
            })
        ));
    }
}
