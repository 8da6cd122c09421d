//! `iexec category`.

mod count;
mod create;
mod init;
mod show;

use clap::Subcommand;

use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// The commands of the group.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a category to iexec.json
    Init(init::Args),
    /// Create the category of iexec.json; only the hub's owner may
    Create(create::Args),
    /// Show a category
    Show(show::Args),
    /// Count the categories
    Count(count::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Init(args) => init::run(args, context).await,
        Command::Create(args) => create::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::Count(args) => count::run(args, context).await,
    }
}
