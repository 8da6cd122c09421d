//! `iexec account revoke`.

use protocol::U256;
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
#[command(
    after_help = "Example:\n  iexec account revoke 0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
)]
pub(crate) struct Args {
    /// Who may move nothing any more
    spender: String,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tx: TxArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    ens::check_address("spender", &args.spender)?;
    let (client, actor) = wallets::actor(context, &args.wallet, &args.chain, &args.tx).await?;
    let spender = ens::address(&client, "spender", &args.spender).await?;
    let receipt = account::approve(&actor, spender, U256::ZERO).await?;
    let message = format!("{spender} may move nothing any more");
    Ok(Report::new(json!({ "txHash": receipt.tx }), message))
}
