//! `iexec app`.

mod deploy;
mod init;
mod publish;
pub(super) mod ready;
mod request_execution;
mod run;
mod secret;
mod test;
mod wishes;

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
    /// Add an app to iexec.json
    Init(init::Args),
    /// Register the app of iexec.json on chain
    #[command(after_help = "Example:\n  iexec app deploy --chain local")]
    Deploy(asset_deploy::Args),
    /// Show a deployed app
    #[command(after_help = "Example:\n  iexec app show --chain local")]
    Show(show::Args),
    /// Count the apps of an owner
    #[command(after_help = "Example:\n  iexec app count --chain local")]
    Count(count::Args),
    /// Publish an order: others may run the app
    Publish(publish::Args),
    /// Take published orders of an app back
    #[command(after_help = "Example:\n  iexec app unpublish --all --chain local")]
    Unpublish(unpublish::Args),
    /// Give an app to another owner
    #[command(after_help = "Example:\n  iexec app transfer 0x2aD6…0F4c --to 0xf39F…2266")]
    Transfer(transfer::Args),
    /// Check whether an app has a secret of its developer
    #[command(after_help = "Example:\n  iexec app check-secret --chain local")]
    CheckSecret(asset_secret::CheckArgs),
    /// Give confidential runs of an app a secret of its developer, once and for all
    PushSecret(secret::Args),
    /// Run an app
    Run(Box<run::Args>),
    /// Ask on the market for a run: whoever offers it makes the deal
    RequestExecution(Box<request_execution::Args>),
    /// Run an app here, twice, in the worker's sandbox, and judge its result
    Test(test::Args),
}

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Init(args) => init::run(args, context).await,
        Command::Deploy(args) => deploy::run(args, context).await,
        Command::Show(args) => show::run(Asset::App, args, context).await,
        Command::Count(args) => count::run(Asset::App, args, context).await,
        Command::Publish(args) => publish::run(args, context).await,
        Command::Unpublish(args) => unpublish::run(Asset::App, args, context).await,
        Command::Transfer(args) => transfer::run(Asset::App, args, context).await,
        Command::CheckSecret(args) => {
            asset_secret::check(Asset::App, args, context, sdk::app::has_secret).await
        }
        Command::PushSecret(args) => secret::push(args, context).await,
        Command::Run(args) => run::run(args, context).await,
        Command::RequestExecution(args) => request_execution::run(args, context).await,
        Command::Test(args) => test::run(args, context).await,
    }
}
