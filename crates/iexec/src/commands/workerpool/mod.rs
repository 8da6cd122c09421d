//! `iexec workerpool`.

mod deploy;
mod publish;
mod set_api_url;

use chain::Asset;
use clap::Subcommand;
use sdk::files::iexec_json::ProjectFile;

use super::asset::{count, deploy as asset_deploy, init, show, transfer, unpublish};
use crate::{
    cli::WalletArgs,
    context::Context,
    outcome::{Failure, Report},
};

/// The commands of the group.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a workerpool to iexec.json
    #[command(after_help = "Example:\n  iexec workerpool init")]
    Init(WalletArgs),
    /// Register the workerpool of iexec.json on chain
    #[command(after_help = "Example:\n  iexec workerpool deploy --chain local")]
    Deploy(asset_deploy::Args),
    /// Show a deployed workerpool and where its API is
    #[command(after_help = "Example:\n  iexec workerpool show --chain local")]
    Show(show::Args),
    /// Count the workerpools of an owner
    #[command(after_help = "Example:\n  iexec workerpool count --chain local")]
    Count(count::Args),
    /// Publish an order: others may run tasks on the workerpool
    Publish(publish::Args),
    /// Take published orders of a workerpool back
    #[command(after_help = "Example:\n  iexec workerpool unpublish --all --chain local")]
    Unpublish(unpublish::Args),
    /// Give a workerpool to another owner
    #[command(after_help = "Example:\n  iexec workerpool transfer 0x2956…123f --to 0xf39F…2266")]
    Transfer(transfer::Args),
    /// Say where the workerpool's API is, on chains with the name service
    SetApiUrl(set_api_url::Args),
}

const ADVICE: &str = "- description: how it is displayed";

/// Runs one of them.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Report, Failure> {
    const POOL: Asset = Asset::Workerpool;
    match command {
        Command::Init(wallet) => {
            init::run(POOL, wallet, context, ProjectFile::init_workerpool, ADVICE)
        }
        Command::Deploy(args) => deploy::run(args, context).await,
        Command::Show(args) => show::run(POOL, args, context).await,
        Command::Count(args) => count::run(POOL, args, context).await,
        Command::Publish(args) => publish::run(args, context).await,
        Command::Unpublish(args) => unpublish::run(POOL, args, context).await,
        Command::Transfer(args) => transfer::run(POOL, args, context).await,
        Command::SetApiUrl(args) => set_api_url::run(args, context).await,
    }
}
