//! `iexec demo`: what a visitor sees first.

use std::path::Path;

use anyhow::{Result, ensure};
use engine::Choice;
use iexec_tests::bench::Bench;

use crate::person::{Said, program};

pub(crate) async fn succeeds(bench: Bench) -> Result<()> {
    succeeds_with(bench, None).await
}

/// On a machine with Rust and nothing else: no `ip`, no `iptables`.
pub(crate) async fn succeeds_with_no_programs(bench: Bench) -> Result<()> {
    let nothing = tempfile::tempdir()?;
    succeeds_with(bench, Some(nothing.path())).await
}

async fn succeeds_with(bench: Bench, path: Option<&Path>) -> Result<()> {
    let engine = match bench.choice {
        Choice::Builtin => "builtin",
        _ => "docker",
    };
    let home = tempfile::tempdir()?;
    let mut command = program(home.path(), &home.path().join("unused"));
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let said = Said::by(command.args(["demo", "--engine", engine]))
        .await?
        .success()?;
    for text in [
        "--- result.txt",
        "Hello, iExec!",
        "Result verified against the chain",
        "is completed, its result verified",
    ] {
        said.expect(text)?;
    }
    ensure!(
        fs_is_empty(home.path())?,
        "it leaves files in the home directory"
    );
    Ok(())
}

fn fs_is_empty(dir: &Path) -> Result<bool> {
    Ok(std::fs::read_dir(dir)?.next().is_none())
}
