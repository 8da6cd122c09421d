//! `iexec dataset push-secret`.

use std::path::PathBuf;

use chain::Asset;
use sdk::dataset::{self, Key};

use super::folders::{FolderArgs, Folders, LAST_KEY};
use crate::{
    cli::{ChainArgs, TeeArgs, WalletArgs},
    commands::asset::secret,
    context::{Context, read},
    outcome::{Failure, Report},
    tee, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  iexec dataset push-secret --secret-path .secrets/datasets/my-file.key"
)]
pub(crate) struct Args {
    /// The dataset; the one deployed last if left out
    address: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tee: TeeArgs,
    /// File of the key; the key made last if left out
    #[arg(long, value_name = "secretPath")]
    secret_path: Option<PathBuf>,
}

/// Runs it.
pub(crate) async fn push(args: &Args, context: &Context) -> Result<Report, Failure> {
    args.tee.warn(context);
    let key = args.key(context)?;
    let found = wallets::find(context, &args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    let chain_id = client.hub().chain_id();
    let address = args.address.as_deref();
    let dataset = context.address_or_deployed(address, Asset::Dataset, chain_id)?;
    context.note(format!("Dataset {dataset}"));
    tee::at_push(context, &client).await;
    let actor = client.actor(found.unlock(&args.wallet)?);
    dataset::push_key(&client, &actor, dataset, &key).await?;
    Ok(secret::pushed())
}

impl Args {
    fn key(&self, context: &Context) -> Result<Key, Failure> {
        let path = match &self.secret_path {
            Some(path) => context.project.join(path),
            None => {
                let folders = Folders::of(&FolderArgs::default(), context)?;
                let path = folders.keys.join(LAST_KEY);
                let shown = path.display();
                context.note(format!(
                    "No --secret-path <path> option, using default {shown}"
                ));
                path
            }
        };
        let text = read(&path)?.ok_or_else(|| {
            Failure::new(format!("there is no key in {}", path.display())).hint(
                "run `iexec dataset encrypt` first, or say where the key is with --secret-path",
            )
        })?;
        Ok(Key::parse(&text)?)
    }
}
