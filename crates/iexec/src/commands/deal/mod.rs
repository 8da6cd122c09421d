//! `iexec deal`.

mod claim;
mod show;
pub(crate) mod watch;

use clap::Subcommand;

use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// The commands of the group.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a deal
    Show(show::Args),
    /// Get the money of a deal's failed tasks back
    Claim(claim::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Show(args) => show::run(args, context).await,
        Command::Claim(args) => claim::run(args, context).await,
    }
}
