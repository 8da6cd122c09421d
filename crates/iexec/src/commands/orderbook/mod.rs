//! `iexec orderbook`.

mod app;
mod filter;
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
    /// Show the orders of workerpools
    Workerpool(workerpool::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::App(args) => app::run(args, context).await,
        Command::Workerpool(args) => workerpool::run(args, context).await,
    }
}

/// One line about a book.
fn summary(count: u64, cheapest: Option<String>) -> String {
    match cheapest {
        Some(price) => format!("{count} orders found, the cheapest at {price} RLC"),
        None => "no order found".to_owned(),
    }
}
