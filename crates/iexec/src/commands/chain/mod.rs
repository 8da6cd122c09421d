//! `iexec chain`.

mod deploy;
mod faucet;

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
    /// Give RLC and gas of the local network to an account
    Faucet(faucet::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Deploy(args) => deploy::run(args, context).await,
        Command::Faucet(args) => faucet::run(args, context).await,
    }
}
