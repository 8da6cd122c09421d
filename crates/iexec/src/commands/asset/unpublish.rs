//! `unpublish` of an asset's orders.

use chain::Asset;
use protocol::OrderHash;
use sdk::asset;
use serde_json::{Value, json};

use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    prompt, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its address; the one deployed last if left out
    address: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Do not ask
    #[arg(long)]
    force: bool,
    /// All orders, not only the last one
    #[arg(long)]
    all: bool,
}

/// Runs it.
pub(crate) async fn run(kind: Asset, args: &Args, context: &Context) -> Result<Report, Failure> {
    let found = wallets::find(context, &args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    let chain_id = client.hub().chain_id();
    let address = context.address_or_deployed(args.address.as_deref(), kind, chain_id)?;
    if !args.force && prompt::is_possible() {
        let which = if args.all {
            "all orders"
        } else {
            "the last order"
        };
        let kind = kind.name();
        prompt::confirm(&format!("Unpublish {which} of {kind} {address}?"))?;
    }
    let actor = client.actor(found.unlock(&args.wallet)?);
    let hashes = asset::unpublish(&client, &actor, kind, address, args.all).await?;
    Ok(report(kind, &hashes, args.all))
}

fn report(kind: Asset, hashes: &[OrderHash], all: bool) -> Report {
    let unpublished = match (hashes, all) {
        ([], false) => Value::Null,
        (hashes, true) => json!(hashes),
        ([.., last], false) => json!(last),
    };
    let kind = kind.name();
    let message = match hashes {
        [hash] => format!("Successfully unpublished {kind}order {hash}"),
        _ => format!("Successfully unpublished {} {kind}orders", hashes.len()),
    };
    Report::new(json!({ "unpublished": unpublished }), message)
}
