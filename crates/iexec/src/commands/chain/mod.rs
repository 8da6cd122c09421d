//! `iexec chain`.

mod deploy;
mod faucet;
pub(crate) mod run;

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
    /// Run the embedded chain alone, for development
    Run(run::Args),
    /// Give RLC and gas of the local network to an account
    Faucet(faucet::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Deploy(args) => deploy::run(args, context).await,
        Command::Run(args) => run::run(args, context).await,
        Command::Faucet(args) => faucet::run(args, context).await,
    }
}
