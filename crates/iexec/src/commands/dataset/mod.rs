//! `iexec dataset`.

mod deploy;
mod encrypt;
mod folders;
mod init;
mod publish;
mod secret;

use chain::Asset;
use clap::Subcommand;

use super::asset::{
    count, deploy as asset_deploy, secret as asset_secret, show, transfer, unpublish,
};
use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// The commands of the group.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a dataset to iexec.json, and make the folders for its encryption
    Init(init::Args),
    /// Encrypt the files of the original datasets' folder, each with a key of its own
    Encrypt(encrypt::Args),
    /// Register the dataset of iexec.json on chain
    #[command(after_help = "Example:\n  iexec dataset deploy --chain local")]
    Deploy(asset_deploy::Args),
    /// Show a deployed dataset
    #[command(after_help = "Example:\n  iexec dataset show --chain local")]
    Show(show::Args),
    /// Count the datasets of an owner
    #[command(after_help = "Example:\n  iexec dataset count --chain local")]
    Count(count::Args),
    /// Publish an order: others may use the dataset
    Publish(publish::Args),
    /// Take published orders of a dataset back
    #[command(after_help = "Example:\n  iexec dataset unpublish --all --chain local")]
    Unpublish(unpublish::Args),
    /// Give a dataset to another owner
    #[command(after_help = "Example:\n  iexec dataset transfer 0x0159…003a --to 0xf39F…2266")]
    Transfer(transfer::Args),
    /// Check whether confidential tasks can open a dataset
    #[command(after_help = "Example:\n  iexec dataset check-secret --chain local")]
    CheckSecret(asset_secret::CheckArgs),
    /// Give confidential tasks the key of a dataset, once and for all
    PushSecret(secret::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    const DATASET: Asset = Asset::Dataset;
    match command {
        Command::Init(args) => init::run(args, context),
        Command::Encrypt(args) => encrypt::run(args, context),
        Command::Deploy(args) => deploy::run(args, context).await,
        Command::Show(args) => show::run(DATASET, args, context).await,
        Command::Count(args) => count::run(DATASET, args, context).await,
        Command::Publish(args) => publish::run(args, context).await,
        Command::Unpublish(args) => unpublish::run(DATASET, args, context).await,
        Command::Transfer(args) => transfer::run(DATASET, args, context).await,
        Command::CheckSecret(args) => {
            asset_secret::check(DATASET, args, context, sdk::dataset::has_key).await
        }
        Command::PushSecret(args) => secret::push(args, context).await,
    }
}
