//! `iexec deal claim`.

use protocol::DealId;
use sdk::deal;
use serde_json::{Map, Value, json};

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec deal claim 0x7a3b…19cd --chain local")]
pub(crate) struct Args {
    /// The deal
    dealid: String,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tx: TxArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let id: DealId = args.dealid.parse().map_err(sdk::Error::from)?;
    let wallet = wallets::find(context, &args.wallet)?.unlock(&args.wallet)?;
    let client = context
        .client(args.chain.name())
        .await?
        .with_policy(args.tx.policy()?);
    let claimed = deal::claim(&client, &client.actor(wallet), id).await?;
    let tasks: Map<String, Value> = claimed
        .tasks
        .iter()
        .map(|(index, task)| (index.to_string(), json!(task)))
        .collect();
    let transactions: Vec<_> = claimed
        .transactions
        .iter()
        .map(|(kind, receipt)| json!({ "txHash": receipt.tx, "type": kind }))
        .collect();
    let message = format!("{} tasks successfully claimed", tasks.len());
    Ok(Report::new(
        json!({ "claimed": tasks, "transactions": transactions }),
        message,
    ))
}
