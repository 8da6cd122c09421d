//! `transfer` of an asset to another owner.

use chain::Asset;
use sdk::{asset, parse};
use serde_json::json;

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    prompt, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to transfer
    address: String,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    pub(crate) tx: TxArgs,
    /// Do not ask
    #[arg(long)]
    force: bool,
    /// The new owner
    #[arg(long, value_name = "address")]
    to: String,
}

/// Runs it.
pub(crate) async fn run(kind: Asset, args: &Args, context: &Context) -> Result<Report, Failure> {
    let address = parse::address(kind.name(), &args.address)?;
    let to = parse::address("--to", &args.to)?;
    let found = wallets::find(context, &args.wallet)?;
    let client = context
        .client(args.chain.name())
        .await?
        .with_policy(args.tx.policy()?);
    if !args.force {
        let (kind, chain) = (kind.name(), &client.chain().name);
        prompt::confirm(&format!(
            "Transfer {kind} {address} to {to} on chain {chain}? It cannot be undone."
        ))?;
    }
    let actor = client.actor(found.unlock(&args.wallet)?);
    let receipt = asset::transfer(&client, &actor, kind, address, to).await?;
    let message = format!(
        "Successfully transferred {} {address} ownership to {to}",
        kind.name()
    );
    let raw = json!({
        "address": address.to_checksum(None),
        "to": to.to_checksum(None),
        "txHash": receipt.tx,
    });
    Ok(Report::new(raw, message))
}
