//! `iexec order`.

mod cancel;
mod change;
mod fill;
mod init;
mod kinds;
mod parts;
mod publish;
mod show;
mod sign;
mod unpublish;

use clap::Subcommand;

use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// The commands of the group.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add orders to iexec.json, to be edited
    Init(init::Args),
    /// Sign the orders of iexec.json into orders.json
    Sign(sign::Args),
    /// Make a deal of four orders
    Fill(Box<fill::Args>),
    /// Put signed orders on the market
    Publish(publish::Args),
    /// Take orders off the market; they stay valid
    Unpublish(unpublish::Args),
    /// Close orders on chain, for good
    Cancel(cancel::Args),
    /// Show published orders and the deals made of them
    Show(show::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Init(args) => init::run(args, context),
        Command::Sign(args) => sign::run(args, context).await,
        Command::Fill(args) => fill::run(args, context).await,
        Command::Publish(args) => publish::run(args, context).await,
        Command::Unpublish(args) => unpublish::run(args, context).await,
        Command::Cancel(args) => cancel::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
    }
}
