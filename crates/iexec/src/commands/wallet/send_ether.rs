//! `iexec wallet send-ether`.

use protocol::ether;
use sdk::{ens, wallet};
use serde_json::json;

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    prompt, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec wallet send-ether 0.5 --to 0x7099…79C8")]
pub(crate) struct Args {
    /// How much
    amount: String,
    /// `wei`, `kwei`, `mwei`, `gwei`, `szabo`, `finney` or `ether` (if left out)
    unit: Option<String>,
    /// Who gets it
    #[arg(long, value_name = "address")]
    to: Option<String>,
    /// Do not ask
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tx: TxArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let amount = format!(
        "{} {}",
        args.amount,
        args.unit.as_deref().unwrap_or_default()
    );
    let amount = ether::parse(&amount, "ether").map_err(sdk::Error::from)?;
    let to = super::receiver(args.to.as_deref())?;
    let (client, actor) = wallets::actor(context, &args.wallet, &args.chain, &args.tx).await?;
    let to = ens::address(&client, "--to", to).await?;
    let shown = ether::to_ether(amount);
    if !args.force {
        let chain = &client.chain().name;
        prompt::confirm(&format!("Send {shown} ether to {to} on chain {chain}?"))?;
    }
    let receipt = wallet::send_ether(&actor, to, amount).await?;
    let raw = json!({
        "amount": amount.to_string(),
        "from": actor.address().to_checksum(None),
        "to": to.to_checksum(None),
        "txHash": receipt.tx,
    });
    Ok(Report::new(raw, format!("Sent {shown} ether to {to}")))
}
