//! `iexec pool`: a workerpool of its own.

mod config;
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
    role: "pool",
    port: 13_000,
};

/// Options of `iexec pool`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "SIGTERM ends it at once: its tasks go on at the next start. `iexec pool drain` \
    withdraws its orders, waits until no task is open, and ends it.\n\nExamples:\n  \
    iexec pool init --out pool.toml\n  \
    iexec pool --config pool.toml\n  \
    iexec pool --chain-url wss://rpc.example.org --hub 0x… --workerpool 0x… \
    --result-proxy https://results.example.org --wallet key.json --password-file password"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    keys: KeyOptions,
    /// The workerpool on chain (or set IEXEC_WORKERPOOL)
    #[arg(long, value_name = "address")]
    workerpool: Option<String>,
    /// Result store, told to workers
    #[arg(long, value_name = "url")]
    result_proxy: Option<String>,
    /// Market on which offers are kept
    #[arg(long, value_name = "url")]
    market: Option<String>,
    /// Secret manager; without one confidential deals are refused
    #[arg(long, value_name = "url")]
    sms: Option<String>,
}

/// What else can be done with a pool.
#[derive(Debug, Subcommand)]
enum Command {
    /// Write a settings file in which every key is explained
    #[command(after_help = "Example:\n  iexec pool init --out pool.toml")]
    Init(TemplateArgs),
    /// Show workers, queue and tasks of a pool that runs
    Status(StatusArgs),
    /// Withdraw its orders, serve what was bought, and end
    #[command(after_help = "Example:\n  iexec pool drain --data /var/lib/iexec/pool")]
    Drain(DrainArgs),
}

/// Runs the pool, or one of its commands.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    match &args.command {
        None => run::run(args, context).await,
        Some(Command::Init(args)) => args.run(config::TEMPLATE, context),
        Some(Command::Status(args)) => status::run(args).await,
        Some(Command::Drain(args)) => args.run(&STANDARD).await,
    }
}
