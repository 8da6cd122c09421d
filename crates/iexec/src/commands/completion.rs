//! `iexec completion`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{cli::Cli, outcome::Report};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec completion bash > \
    ~/.local/share/bash-completion/completions/iexec")]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "iexec", &mut script);
    Report::text(String::from_utf8_lossy(&script).into_owned())
}
