//! `iexec storage`.

mod check;
mod init;

use clap::Subcommand;

use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// The commands of the group.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set up where results go
    Init(init::Args),
    /// Check whether results can go there
    Check(check::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Init(args) => init::run(args, context).await,
        Command::Check(args) => check::run(args, context).await,
    }
}
