//! `iexec category create`.

use serde_json::json;

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec category create --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tx: TxArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let category = context.project_file()?.category()?;
    let (_, actor) = wallets::actor(context, &args.wallet, &args.chain, &args.tx).await?;
    let (catid, receipt) = sdk::category::create(&actor, &category).await?;
    let raw = json!({ "catid": catid.to_string(), "txHash": receipt.tx });
    Ok(Report::new(raw, format!("Created category {catid}")))
}
