//! `count` of assets.

use chain::Asset;
use sdk::asset;
use serde_json::json;

use super::owner;
use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Whose; the wallet's if left out
    #[arg(long, value_name = "address")]
    user: Option<String>,
}

/// Runs it.
pub(crate) async fn run(kind: Asset, args: &Args, context: &Context) -> Result<Report, Failure> {
    let owner = owner(args.user.as_deref(), context, &args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    let count = asset::count(&client, kind, owner).await?.to_string();
    let raw = json!({ "count": count });
    let message = format!("User {owner} has a total of {count} {}", kind.name());
    Ok(Report::new(raw, message).with_data(&json!(count)))
}
