//! `iexec storage check`.

use sdk::{
    parse,
    storage::{self, Provider},
};
use serde_json::json;

use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec storage check dropbox")]
pub(crate) struct Args {
    /// `ipfs` (default) or `dropbox`
    provider: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Whose storage; the wallet's if left out
    #[arg(long, value_name = "address")]
    user: Option<String>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let provider = Provider::parse(args.provider.as_deref())?;
    let is_initialized = match provider {
        Provider::Ipfs => true,
        Provider::Dropbox => {
            let owner = match &args.user {
                Some(user) => parse::address("--user", user)?,
                None => wallets::find(context, &args.wallet)?.address()?,
            };
            let client = context.client(args.chain.name()).await?;
            storage::is_initialized(&client, owner, provider).await?
        }
    };
    let state = if is_initialized { "is" } else { "is not" };
    let raw = json!({ "isInitialized": is_initialized });
    Ok(Report::new(raw, format!("the storage {state} initialized")))
}
