//! `iexec category count`.

use serde_json::json;

use crate::{
    cli::ChainArgs,
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec category count --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    chain: ChainArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let client = context.client(args.chain.name()).await?;
    let count = sdk::category::count(&client).await?;
    let raw = json!({ "count": count.to_string() });
    Ok(Report::new(raw, format!("There are {count} categories")))
}
