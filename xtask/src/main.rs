//! The project's own chores: `cargo xtask <chore>`.

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};

mod ci;
mod contracts;
mod docs;
mod failures;
mod fuzz;
mod licences;
mod tidy;
mod watch;

const USAGE: &str = "usage: cargo xtask <chore>
  ci                    everything that has to pass before a change lands
  docs [--check]        write docs/reference; --check: compare with the committed pages
  fuzz [--seconds N] [--target NAME]   made-up input for what reads from strangers
  tidy                  sizes of files, functions and lines; licences of dependencies
  contracts [--check]   compile the contracts; --check: compare with the committed artifacts
  contracts gas [--check]   measure contracts/gas.md; --check: fail when a row costs more
  contracts fuzz [--minutes N] [--seed S]   random lives on ours and on the official ones, compared
  contracts analyse     run Slither; contracts/slither.txt says which findings stay, and why";

/// Without a way back to here, which would bury what failed.
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ci::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((chore, [])) if chore == "ci" => ci::run(),
        Some((chore, [])) if chore == "tidy" => {
            tidy::run()?;
            licences::run()
        }
        Some((chore, rest)) if chore == "docs" => docs::run(rest),
        Some((chore, rest)) if chore == "fuzz" => fuzz::run(rest),
        Some((chore, rest)) if chore == "contracts" => contracts::run(rest),
        _ => bail!("{USAGE}"),
    }
}

/// The root of the repository this chore was started in. Asked at run time: two clones that share a
/// build folder also share this program, and the path it was compiled in may be the other's.
fn repository() -> anyhow::Result<PathBuf> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").context("start this by `cargo xtask`")?;
    let folder = PathBuf::from(manifest);
    Ok(folder.parent().context("no workspace")?.to_path_buf())
}
