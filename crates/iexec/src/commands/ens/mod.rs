//! `iexec ens`.

mod read;
mod register;

use clap::Subcommand;

use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// The commands of the group.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the address of a name
    #[command(after_help = "Example:\n  iexec ens resolve my-app.apps.iexec.eth --chain bellecour")]
    Resolve(read::NameArgs),
    /// Show the name of an address
    #[command(after_help = "Example:\n  iexec ens lookup 0xf39F…2266 --chain bellecour")]
    Lookup(read::AddressArgs),
    /// Show who owns a name
    #[command(
        after_help = "Example:\n  iexec ens get-owner my-app.apps.iexec.eth --chain bellecour"
    )]
    GetOwner(read::NameArgs),
    /// Register a name, and make it stand for an address
    Register(register::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Resolve(args) => read::resolve(args, context).await,
        Command::Lookup(args) => read::lookup(args, context).await,
        Command::GetOwner(args) => read::owner(args, context).await,
        Command::Register(args) => register::run(args, context).await,
    }
}
