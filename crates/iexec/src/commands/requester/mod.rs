//! `iexec requester`.

mod check_secret;
mod push_secret;

use clap::Subcommand;

use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// The commands of the group.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Keep a secret in the SMS, once and for all
    PushSecret(push_secret::Args),
    /// Check whether a secret is kept
    CheckSecret(check_secret::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::PushSecret(args) => push_secret::run(args, context).await,
        Command::CheckSecret(args) => check_secret::run(args, context).await,
    }
}
