//! The `iexec` program: reads the command line, dispatches, maps the end to an exit code.

mod amount;
mod cli;
mod commands;
mod context;
mod early;
mod env_vars;
mod live;
mod logging;
mod outcome;
mod paths;
mod progress;
mod prompt;
mod resolver;
mod secret;
mod show;
mod spans;
mod tee;
mod wallets;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{Cli, Command},
    context::Context,
};

fn main() -> ExitCode {
    if let Some(code) = early::dispatch() {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return outcome::usage(&error),
    };
    let is_raw = cli.global.raw;
    let name = outcome::command_name(std::env::args().skip(1));
    let ended = run(cli);
    outcome::print(&name, is_raw, ended)
}

fn run(cli: Cli) -> Result<outcome::Report, outcome::Failure> {
    let role = cli.command.role_log();
    // Who has started a network looks into its log for what happened since.
    let is_silent = cli.global.raw && !matches!(cli.command, Command::Up(_));
    logging::start(role, is_silent);
    // HTTPS needs a provider for the whole process; a second call is harmless
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut runtime = match cli.command {
        _ if role.is_some() => tokio::runtime::Builder::new_multi_thread(),
        Command::Up(_) | Command::Demo(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|error| outcome::Failure::new(format!("cannot start: {error}")))?;
    let context = Context::new(cli.global)?;
    let ended = runtime.block_on(commands::run(cli.command, &context));
    spans::finish();
    let warning = context.warning();
    ended
        .map(|report| report.with_warning(warning))
        .map_err(|failure| failure.with_warning(warning))
}
