//! `iexec account approve`.

use protocol::rlc;
use sdk::{account, ens};
use serde_json::json;

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec account approve 5 0x7099…79C8 RLC")]
pub(crate) struct Args {
    /// How much
    amount: String,
    /// Who may move it
    spender: String,
    /// `nRLC` or `RLC`
    #[arg(default_value = "nRLC")]
    unit: String,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tx: TxArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let amount = format!("{} {}", args.amount, args.unit);
    let amount = rlc::parse(&amount, "nRLC").map_err(sdk::Error::from)?;
    ens::check_address("spender", &args.spender)?;
    let (client, actor) = wallets::actor(context, &args.wallet, &args.chain, &args.tx).await?;
    let spender = ens::address(&client, "spender", &args.spender).await?;
    let receipt = account::approve(&actor, spender, amount).await?;
    let message = format!("{spender} may move {} RLC", rlc::to_rlc(amount));
    Ok(Report::new(json!({ "txHash": receipt.tx }), message))
}
