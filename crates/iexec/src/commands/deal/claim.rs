//! `iexec deal claim`.

use protocol::DealId;
use sdk::deal::{self, Claimed};
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
    let (client, actor) = wallets::actor(context, &args.wallet, &args.chain, &args.tx).await?;
    let mut claimed = Claimed::default();
    let ended = deal::claim(&client, &actor, id, &mut claimed).await;
    let raw = shown(&claimed);
    match ended {
        Ok(()) => {
            let message = format!("{} tasks successfully claimed", claimed.tasks.len());
            Ok(Report::new(raw, message))
        }
        // what is paid for is told, though the rest failed
        Err(error) if !claimed.transactions.is_empty() => Err(Failure::from(error).partial(raw)),
        Err(error) => Err(error.into()),
    }
}

fn shown(claimed: &Claimed) -> Value {
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
    json!({ "claimed": tasks, "transactions": transactions })
}
