//! `iexec man`.

use std::{fs, io, path::PathBuf};

use clap::CommandFactory;
use serde_json::json;

use crate::{
    cli::Cli,
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  iexec man | man -l -\n  iexec man --out ~/.local/share/man/man1"
)]
pub(crate) struct Args {
    /// Write a page for each command into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    match &args.out {
        Some(dir) => write_all(&context.project.join(dir)),
        None => page(Cli::command())
            .map(Report::text)
            .map_err(|error| Failure::new(format!("failed to make the page: {error}"))),
    }
}

fn page(command: clap::Command) -> io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn write_all(dir: &std::path::Path) -> Result<Report, Failure> {
    fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
        .map_err(|error| Failure::new(format!("failed to write {}: {error}", dir.display())))?;
    let dir = dir.display().to_string();
    let message = format!("Manual pages written to {dir}");
    Ok(Report::new(json!({ "path": dir }), message))
}
