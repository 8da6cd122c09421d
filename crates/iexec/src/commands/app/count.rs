//! `iexec app count`.

use sdk::app;
use serde_json::json;

use super::show;
use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec app count --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Whose apps; the wallet's if left out
    #[arg(long, value_name = "address")]
    user: Option<String>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let owner = show::owner(args.user.as_deref(), context, &args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    let count = app::count(&client, owner).await?.to_string();
    let raw = json!({ "count": count });
    Ok(Report::new(raw, format!("User {owner} has a total of")).with_data(&json!(count)))
}
