//! `iexec account show`.

use sdk::{account, parse};
use serde_json::json;

use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec account show --chain local")]
pub(crate) struct Args {
    /// Another address than the wallet's
    address: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let address = match &args.address {
        Some(address) => parse::address("address", address)?,
        None => wallets::find(context, &args.wallet)?.address()?,
    };
    let client = context.client(args.chain.name()).await?;
    let account = account::show(&client, address).await?;
    let balance = json!({
        "stake": account.stake.to_string(),
        "locked": account.locked.to_string(),
    });
    let message = format!("Account of {address} in nRLC:");
    Ok(Report::new(json!({ "balance": balance }), message).with_data(&balance))
}
