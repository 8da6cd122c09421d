//! The folder of fetched tools, shared by every test process of a user.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context as _, Result, ensure};

/// Where fetched tools are kept: `$IEXEC_TEST_CACHE`, or `$HOME/.cache/iexec/tools`.
///
/// Outside the repository, so that a fresh clone does not fetch them again.
pub(super) fn folder() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("IEXEC_TEST_CACHE") {
        return Ok(folder.into());
    }
    let home = env::var_os("HOME").context("neither IEXEC_TEST_CACHE nor HOME is set")?;
    Ok(Path::new(&home).join(".cache/iexec/tools"))
}

/// Holds the lock called `name` against every other process until the file is dropped.
pub(super) fn lock(name: &str) -> Result<File> {
    let folder = folder()?.join("locks");
    fs::create_dir_all(&folder).with_context(|| format!("create `{}`", folder.display()))?;
    let path = folder.join(name);
    let file = File::create(&path).with_context(|| format!("create `{}`", path.display()))?;
    file.lock()
        .with_context(|| format!("lock `{}`", path.display()))?;
    Ok(file)
}

/// The kept folder `name`, filled by `fill` the first time anybody asks.
///
/// `fill` works in a folder of another name that is renamed when it succeeds: what is kept is
/// always whole, even when a process is killed in the middle.
pub(super) fn filled(name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let kept = folder()?.join(name);
    if kept.is_dir() {
        return Ok(kept);
    }
    let _lock = lock(name)?;
    if !kept.is_dir() {
        let partial = folder()?.join(format!("{name}.partial"));
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        fs::create_dir_all(&partial)?;
        fill(&partial)?;
        fs::rename(&partial, &kept)?;
    }
    Ok(kept)
}

/// Runs `command` to its end; an exit code other than 0 is an error that carries its stderr.
pub(super) fn run(command: &mut Command) -> Result<Output> {
    let output = command
        .output()
        .with_context(|| format!("start {command:?}"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        stderr.trim()
    );
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_reports_what_the_command_said() {
        let error = run(Command::new("sh").args(["-c", "echo no such luck >&2; exit 3"]));
        assert!(error.unwrap_err().to_string().contains("no such luck"));
    }
}
