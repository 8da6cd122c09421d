//! `iexec account allowance`.

use protocol::rlc;
use sdk::{account, ens, parse};
use serde_json::json;

use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  iexec account allowance 0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
)]
pub(crate) struct Args {
    /// Who may move it
    spender: String,
    /// Whose account; the wallet's if left out
    #[arg(long, value_name = "address")]
    user: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
}

/// Runs it. The amount is decimal nRLC; upstream prints bare hexadecimal.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    ens::check_address("spender", &args.spender)?;
    let owner = match &args.user {
        Some(user) => parse::address("--user", user)?,
        None => wallets::find(context, &args.wallet)?.address()?,
    };
    let client = context.client(args.chain.name()).await?;
    let spender = ens::address(&client, "spender", &args.spender).await?;
    let amount = account::allowance(&client, owner, spender).await?;
    let message = format!("{spender} may move {} RLC of {owner}", rlc::to_rlc(amount));
    Ok(Report::new(
        json!({ "amount": amount.to_string() }),
        message,
    ))
}
