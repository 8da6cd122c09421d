//! `iexec worker`: a worker of its own, for one pool or several.

mod config;
mod registry;
mod run;
mod status;

use clap::Subcommand;

use super::role::{Common, DrainArgs, KeyOptions, Standard, StatusArgs, TemplateArgs};
use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// Name and port, the official one.
const STANDARD: Standard = Standard {
    role: "worker",
    port: 13_100,
};

/// Options of `iexec worker`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "SIGTERM stops taking tasks and ends when those that run are done, at the latest \
    after `drain-seconds`; a second one ends at once.\n\nExamples:\n  \
    iexec worker init --out worker.toml\n  \
    iexec worker --config worker.toml\n  \
    iexec worker --chain-url wss://rpc.example.org --hub 0x… --workerpool 0x… \
    --pool-url https://pool.example.org --wallet key.json --password-file password"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    keys: KeyOptions,
    /// API of the pool to work for (or set IEXEC_POOL_URL)
    #[arg(long, value_name = "url")]
    pool_url: Option<String>,
    /// Its workerpool (or set IEXEC_WORKERPOOL)
    #[arg(long, value_name = "address")]
    workerpool: Option<String>,
    /// Tasks at once; by default one less than there are processors
    #[arg(long, value_name = "count")]
    slots: Option<u32>,
    /// Container engine; auto is Docker when it answers, else the built-in one
    #[arg(long, value_name = "engine", value_parser = ["auto", "docker", "builtin"])]
    engine: Option<String>,
}

/// What else can be done with a worker.
#[derive(Debug, Subcommand)]
enum Command {
    /// Write a settings file in which every key is explained
    Init(TemplateArgs),
    /// Show pools, slots and tasks of a worker that runs
    Status(StatusArgs),
    /// Take no more tasks, finish those that run, and end
    Drain(DrainArgs),
}

/// Runs the worker, or one of its commands.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    match &args.command {
        None => run::run(args, context).await,
        Some(Command::Init(args)) => args.run(config::TEMPLATE, context),
        Some(Command::Status(args)) => status::run(args, context).await,
        Some(Command::Drain(args)) => args.run(&STANDARD).await,
    }
}
