//! `iexec wallet`.

mod create;
mod import;
mod show;

use clap::Subcommand;

use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// The commands of the group.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a new wallet
    Create(create::Args),
    /// Make a wallet of a private key
    Import(import::Args),
    /// Show the wallet and its balances
    Show(show::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Create(args) => create::run(args, context).await,
        Command::Import(args) => import::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
    }
}
