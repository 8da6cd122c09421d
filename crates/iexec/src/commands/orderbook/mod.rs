//! `iexec orderbook`.

mod app;
mod dataset;
mod filter;
mod requester;
mod workerpool;

use clap::Subcommand;

use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// The commands of the group.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the orders of an app
    App(app::Args),
    /// Show the orders of a dataset
    Dataset(dataset::Args),
    /// Show the orders of workerpools
    Workerpool(workerpool::Args),
    /// Show what requesters ask for
    Requester(requester::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::App(args) => app::run(args, context).await,
        Command::Dataset(args) => dataset::run(args, context).await,
        Command::Workerpool(args) => workerpool::run(args, context).await,
        Command::Requester(args) => requester::run(args, context).await,
    }
}
