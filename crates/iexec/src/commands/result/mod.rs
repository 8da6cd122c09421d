//! `iexec result`.

mod check;
mod decrypt;
mod generate;
mod import;
pub(super) mod keys;
mod push;

use clap::Subcommand;

use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// The commands of the group.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the key pair that results are encrypted for
    #[command(alias = "generate-keys")]
    GenerateEncryptionKeypair(generate::Args),
    /// Take a key pair that was made elsewhere
    ImportEncryptionKey(import::Args),
    /// Tell the SMS to encrypt results for the wallet
    #[command(alias = "push-secret")]
    PushEncryptionKey(push::Args),
    /// Check whether results can be encrypted for an address
    #[command(alias = "check-secret")]
    CheckEncryptionKey(check::Args),
    /// Open an encrypted result
    Decrypt(decrypt::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::GenerateEncryptionKeypair(args) => generate::run(args, context).await,
        Command::ImportEncryptionKey(args) => import::run(args, context).await,
        Command::PushEncryptionKey(args) => push::run(args, context).await,
        Command::CheckEncryptionKey(args) => check::run(args, context).await,
        Command::Decrypt(args) => decrypt::run(args, context).await,
    }
}
