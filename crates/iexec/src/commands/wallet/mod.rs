//! `iexec wallet`.

mod create;
mod import;
mod payment;
mod send_ether;
mod send_rlc;
mod show;
mod sweep;

use clap::Subcommand;

use super::not_offered;
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
    /// Send the chain's coin
    #[command(alias = "sendETH")]
    SendEther(send_ether::Args),
    /// Send RLC
    #[command(name = "send-RLC")]
    SendRlc(send_rlc::Args),
    /// Send nRLC: the older name of send-RLC, with another unit if none is given
    #[command(name = "sendRLC", hide = true)]
    SendNrlc(send_rlc::Args),
    /// Send everything to another wallet
    Sweep(sweep::Args),
    /// Not offered
    #[command(hide = true, aliases = ["bridge-to-mainchain"])]
    BridgeToSidechain(not_offered::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Create(args) => create::run(args, context).await,
        Command::Import(args) => import::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::SendEther(args) => send_ether::run(args, context).await,
        Command::SendRlc(args) => send_rlc::run(args, context, "RLC").await,
        Command::SendNrlc(args) => send_rlc::run(args, context, "nRLC").await,
        Command::BridgeToSidechain(_) => Err(not_offered::bridge()),
        Command::Sweep(args) => sweep::run(args, context).await,
    }
}
