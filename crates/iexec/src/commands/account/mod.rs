//! `iexec account`.

mod allowance;
mod approve;
mod deposit;
mod revoke;
mod show;
mod withdraw;

use clap::Subcommand;

use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// The commands of the group.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what an account has in the hub
    Show(show::Args),
    /// Move RLC from the wallet to the account
    Deposit(deposit::Args),
    /// Move RLC from the account to the wallet
    Withdraw(withdraw::Args),
    /// Let somebody move RLC of the account
    Approve(approve::Args),
    /// Show what somebody may move of an account
    Allowance(allowance::Args),
    /// Take an approval back
    Revoke(revoke::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Show(args) => show::run(args, context).await,
        Command::Deposit(args) => deposit::run(args, context).await,
        Command::Withdraw(args) => withdraw::run(args, context).await,
        Command::Approve(args) => approve::run(args, context).await,
        Command::Allowance(args) => allowance::run(args, context).await,
        Command::Revoke(args) => revoke::run(args, context).await,
    }
}
