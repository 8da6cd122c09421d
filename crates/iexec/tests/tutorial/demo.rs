//! `iexec demo`: what a visitor sees first.

use anyhow::{Result, ensure};
use engine::Choice;
use iexec_tests::bench::Bench;

use crate::person::{Said, program};

pub(crate) async fn succeeds(bench: Bench) -> Result<()> {
    let engine = match bench.choice {
        Choice::Builtin => "builtin",
        _ => "docker",
    };
    let home = tempfile::tempdir()?;
    let mut command = program(home.path(), &home.path().join("unused"));
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

fn fs_is_empty(dir: &std::path::Path) -> Result<bool> {
    Ok(std::fs::read_dir(dir)?.next().is_none())
}
