//! `iexec app`.

mod count;
mod deploy;
mod init;
mod publish;
mod request_execution;
mod run;
mod show;
mod test;
mod unpublish;
mod wishes;

use clap::Subcommand;

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
    Deploy(deploy::Args),
    /// Show a deployed app
    Show(show::Args),
    /// Count the apps of an owner
    Count(count::Args),
    /// Publish an order: others may run the app
    Publish(publish::Args),
    /// Take published orders of an app back
    Unpublish(unpublish::Args),
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
        Command::Show(args) => show::run(args, context).await,
        Command::Count(args) => count::run(args, context).await,
        Command::Publish(args) => publish::run(args, context).await,
        Command::Unpublish(args) => unpublish::run(args, context).await,
        Command::Run(args) => run::run(args, context).await,
        Command::RequestExecution(args) => request_execution::run(args, context).await,
        Command::Test(args) => test::run(args, context).await,
    }
}
