//! The pages of docs/reference, which the program writes of itself: this chore stores them, or
//! finds those that are out of date. It runs the program, so that xtask need not be built of it.

use std::{fs, process::Command};

use anyhow::{Context as _, bail, ensure};

/// Page names of the program's `__reference`; each is a file.
const PAGES: [&str; 3] = ["cli", "environment", "errors"];

/// Runs `docs` (writes the pages) or `docs --check` (fails when one is stale).
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let is_check = match arguments[..] {
        [] => false,
        ["--check"] => true,
        _ => bail!("usage: cargo xtask docs [--check]"),
    };
    let folder = crate::repository()?.join("docs/reference");
    for page in PAGES {
        let path = folder.join(format!("{page}.md"));
        let made = make(page)?;
        if !is_check {
            fs::create_dir_all(&folder)?;
            fs::write(&path, made)
                .with_context(|| format!("failed to write {}", path.display()))?;
            continue;
        }
        let stored = fs::read_to_string(&path).unwrap_or_default();
        ensure!(
            stored == made,
            "{} is not what the program says: run `cargo xtask docs`",
            path.display()
        );
    }
    Ok(())
}

fn make(page: &str) -> anyhow::Result<String> {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "iexec", "--"])
        .args(["__reference", page])
        .output()
        .context("failed to run cargo")?;
    ensure!(
        output.status.success(),
        "no page `{page}`: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
