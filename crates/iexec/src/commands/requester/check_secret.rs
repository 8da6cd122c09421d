//! `iexec requester check-secret`.

use sdk::{parse, services::sms};
use serde_json::json;

use crate::{
    cli::{ChainArgs, TeeArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec requester check-secret my-key")]
pub(crate) struct Args {
    /// Its name
    #[arg(value_name = "secretName")]
    name: String,
    /// Whose secret; the wallet's if left out
    #[arg(value_name = "requesterAddress")]
    requester: Option<String>,
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
    let requester = match &args.requester {
        Some(requester) => parse::address("requesterAddress", requester)?,
        None => wallets::find(context, &args.wallet)?.address()?,
    };
    let client = context.client(args.chain.name()).await?;
    let is_set = sms::has_requester_secret(&client, requester, &args.name).await?;
    let state = if is_set { "is" } else { "is not" };
    let raw = json!({ "isSet": is_set, "name": args.name });
    Ok(Report::new(
        raw,
        format!("Secret \"{}\" of {requester} {state} kept", args.name),
    ))
}
