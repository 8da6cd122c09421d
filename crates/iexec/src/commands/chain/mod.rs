//! `iexec chain`.

mod deploy;

use clap::Subcommand;

use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// The commands of the group.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Deploy hub and registries to any EVM chain
    Deploy(deploy::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Deploy(args) => deploy::run(args, context).await,
    }
}
