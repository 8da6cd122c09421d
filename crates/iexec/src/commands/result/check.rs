//! `iexec result check-encryption-key`.

use sdk::{parse, result::keypair};
use serde_json::json;

use crate::{
    cli::{ChainArgs, TeeArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec result check-encryption-key --chain local")]
pub(crate) struct Args {
    /// Whose key; the wallet's if left out
    address: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tee: TeeArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    args.tee.warn(context);
    let beneficiary = match &args.address {
        Some(address) => parse::address("address", address)?,
        None => wallets::find(context, &args.wallet)?.address()?,
    };
    let client = context.client(args.chain.name()).await?;
    let is_set = keypair::is_pushed(&client, beneficiary).await?;
    let state = if is_set { "is" } else { "is not" };
    let message = format!("Encryption key of {beneficiary} {state} in the SMS");
    Ok(Report::new(
        json!({ "isEncryptionKeySet": is_set }),
        message,
    ))
}
