//! `iexec task`.

mod claim;
mod debug;
mod show;

use clap::Subcommand;

use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// The commands of the group.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a task, download its result
    Show(show::Args),
    /// Show what happened to a task, and its logs
    Debug(debug::Args),
    /// Get the money of a failed task back
    Claim(claim::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Show(args) => show::run(args, context).await,
        Command::Debug(args) => debug::run(args, context).await,
        Command::Claim(args) => claim::run(args, context).await,
    }
}
