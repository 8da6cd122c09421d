//! `iexec deal show`.

use protocol::DealId;
use sdk::{deal, view};
use serde_json::json;

use super::watch;
use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec deal show 0x7a3b…19cd --watch --chain local")]
pub(crate) struct Args {
    /// The deal
    dealid: String,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    _wallet: WalletArgs,
    /// Follow its tasks to their end
    #[arg(long)]
    watch: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let id: DealId = args.dealid.parse().map_err(sdk::Error::from)?;
    let client = context.client(args.chain.name()).await?;
    let deal = deal::show(&client, id).await?;
    let timeref = deal::timeref(&client, &deal).await?;
    if !args.watch {
        let shown = view::deal(&deal, timeref, client.now().await?);
        return Ok(Report::new(json!({ "deal": shown }), "Deal details:").with_data(&shown));
    }
    let watched = watch::follow(context, &client, &deal, None).await?;
    let shown = view::deal(&deal, timeref, client.now().await?);
    let failed = watched.failed.len();
    let raw = json!({
        "tasksCount": watched.tasks.len(),
        "completedTasksCount": watched.tasks.len() - failed,
        "failedTasksCount": failed,
        "deal": shown,
        "tasks": watched.tasks,
        "failedTasks": watched.failed,
    });
    match failed {
        0 => Ok(Report::new(raw, "All tasks completed").with_data(&shown)),
        _ => Err(Failure::new(format!("{failed} tasks did not complete")).partial(raw)),
    }
}
