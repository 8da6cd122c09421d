//! `iexec storage init`.

use sdk::storage::{self, Provider};
use serde_json::json;

use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    prompt,
    secret::Secret,
    tee, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec storage init dropbox --token sl.Ab12…")]
pub(crate) struct Args {
    /// `ipfs` (default; needs nothing) or `dropbox`
    provider: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Replace the token that is stored already
    #[arg(long)]
    force_update: bool,
    /// The provider's token; asked for if left out
    #[arg(long)]
    token: Option<Secret>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    if Provider::parse(args.provider.as_deref())? == Provider::Ipfs {
        let raw = json!({ "isInitialized": true, "isUpdated": false });
        return Ok(Report::new(raw, "ipfs storage needs no set-up"));
    }
    let found = wallets::find(context, &args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    // before the token is typed
    tee::at_push(context, &client).await;
    let token = match &args.token {
        Some(token) => token.text().to_owned(),
        None => prompt::secret("your dropbox token", "--token")?,
    };
    let wallet = found.unlock(&args.wallet)?;
    let is_updated = storage::push_token(&client, &wallet, &token, args.force_update).await?;
    let raw = json!({ "isInitialized": true, "isUpdated": is_updated });
    Ok(Report::new(raw, "dropbox storage is initialized"))
}
