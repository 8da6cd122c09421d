//! `iexec category show`.

use sdk::parse;
use serde_json::json;

use crate::{
    cli::ChainArgs,
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec category show 0 --chain local")]
pub(crate) struct Args {
    /// Its number
    index: String,
    #[command(flatten)]
    chain: ChainArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let index = parse::small("index", &args.index)?;
    let client = context.client(args.chain.name()).await?;
    let category = sdk::category::show(&client, index).await?;
    let shown = json!({
        "name": category.name,
        "description": category.description,
        "workClockTimeRef": category.work_clock_time_ref.to_string(),
    });
    let raw = json!({ "index": args.index, "category": shown });
    Ok(Report::new(raw, format!("Category {index} details:")).with_data(&shown))
}
