//! `iexec task claim`.

use protocol::TaskId;
use sdk::deal;
use serde_json::json;

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec task claim 0x5c1e…77ab --chain local")]
pub(crate) struct Args {
    /// The task
    taskid: String,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    pub(crate) tx: TxArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let id: TaskId = args.taskid.parse().map_err(sdk::Error::from)?;
    let (client, actor) = wallets::actor(context, &args.wallet, &args.chain, &args.tx).await?;
    let receipt = deal::claim_task(&client, &actor, id).await?;
    Ok(Report::new(
        json!({ "txHash": receipt.tx }),
        "Task successfully claimed",
    ))
}
