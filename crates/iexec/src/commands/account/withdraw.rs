//! `iexec account withdraw`.

use protocol::rlc;
use sdk::account;
use serde_json::json;

use crate::{
    amount,
    cli::{ChainArgs, TxArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec account withdraw 10 RLC --chain local")]
pub(crate) struct Args {
    /// How much
    amount: String,
    /// `nRLC` (if left out) or `RLC`
    unit: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tx: TxArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let amount = amount::join(&args.amount, args.unit.as_deref());
    let amount = rlc::parse(&amount, "nRLC").map_err(sdk::Error::from)?;
    let (_, actor) = wallets::actor(context, &args.wallet, &args.chain, &args.tx).await?;
    let receipt = account::withdraw(&actor, amount).await?;
    let raw = json!({ "amount": amount.to_string(), "txHash": receipt.tx });
    Ok(Report::new(
        raw,
        format!("Withdrawn {} RLC", rlc::to_rlc(amount)),
    ))
}
