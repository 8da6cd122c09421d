//! `contracts/gas.md`: what every action costs, ours beside the official contracts.
//!
//! A test measures (`crates/contracts/tests/gas`); this prints, and compares with what is
//! committed. The committed table is a promise: `--check` fails for a row that costs more.
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use self::figures::Figures;
use super::{has_node, skip};

mod baseline;
mod figures;
mod table;

const TABLE: &str = "contracts/gas.md";

/// Rows that may miss their target, and why.
const PENDING: &[(&str, &str)] = &[];

/// Measures and writes the table, or with `check` compares it with the committed one.
pub(super) fn run(check: bool) -> anyhow::Result<()> {
    if !has_node() {
        let reason = "the official contracts come by npm (Debian: apt-get install nodejs npm)";
        return skip("contracts gas", reason);
    }
    let Some(figures) = measure()? else {
        return skip(
            "contracts gas",
            "the official contracts cannot be had from npm",
        );
    };
    let fresh = table::render(&figures, &sizes()?)?;
    let path = crate::repository()?.join(TABLE);
    let misses = table::misses(&figures);
    if check {
        let committed = fs::read_to_string(&path).with_context(|| format!("read {TABLE}"))?;
        compare(&committed, &fresh, &figures)?;
        return judge(misses, PENDING);
    }
    fs::write(&path, fresh).with_context(|| format!("write {TABLE}"))?;
    misses.iter().for_each(|miss| say(&miss.to_string()));
    Ok(())
}

/// What the measuring test prints; nothing when it was skipped.
fn measure() -> anyhow::Result<Option<Figures>> {
    let output = Command::new(env!("CARGO"))
        .args(["test", "--package", "iexec-contracts", "--test", "gas"])
        .args(["--locked", "--", "--ignored", "--nocapture"])
        .output()
        .context("start cargo test")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cannot measure:\n{text}\n{errors}");
    let figures = Figures::parse(&text)?;
    Ok((!figures.is_empty()).then_some(figures))
}

/// Bytes of code of each of our contracts.
fn sizes() -> anyhow::Result<Vec<(String, u64)>> {
    let folder = crate::repository()?.join("contracts/artifacts");
    let names = super::file_names(&folder)?;
    let size = |name: String| {
        let text = fs::read_to_string(folder.join(&name))?;
        let artifact: serde_json::Value = serde_json::from_str(&text)?;
        let bytes = artifact["deployedBytes"].as_u64();
        let bytes = bytes.with_context(|| format!("{name} has no size"))?;
        Ok((name.trim_end_matches(".json").to_owned(), bytes))
    };
    names.into_iter().map(size).collect()
}

/// A row may become cheaper, or dearer by less than a hundredth, before the table is written anew.
fn compare(committed: &str, fresh: &str, figures: &Figures) -> anyhow::Result<()> {
    let mut worse = Vec::new();
    for (name, promised) in table::promises(committed) {
        match figures.ours(&name) {
            None => worse.push(format!(
                "{name}: {promised} gas committed, not measured now"
            )),
            Some(gas) if gas * 100 > promised * 101 => {
                worse.push(format!("{name}: {promised} gas committed, {gas} now"));
            }
            Some(_) => {}
        }
    }
    if !worse.is_empty() {
        bail!("dearer than {TABLE} says:\n  {}", worse.join("\n  "));
    }
    if committed != fresh {
        say(&format!(
            "{TABLE} is stale; run `cargo xtask contracts gas`"
        ));
    }
    Ok(())
}

/// Fails for a missed target that is not pending, and tells of one that no longer is.
fn judge(misses: Vec<table::Miss>, pending: &[(&str, &str)]) -> anyhow::Result<()> {
    let missed: BTreeSet<_> = misses.iter().map(|miss| miss.row).collect();
    for (row, _) in pending.iter().filter(|(row, _)| !missed.contains(row)) {
        say(&format!("{row} meets its target: no longer pending"));
    }
    let is_pending = |row| pending.iter().any(|(name, _)| *name == row);
    let new = misses.iter().filter(|miss| !is_pending(miss.row));
    let new: Vec<String> = new.map(ToString::to_string).collect();
    ensure!(new.is_empty(), "targets missed:\n  {}", new.join("\n  "));
    Ok(())
}

#[expect(
    clippy::print_stderr,
    reason = "a chore talks to the person who runs it"
)]
fn say(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(gas: u64) -> Figures {
        Figures::parse(&format!("gas\tours\tinitialize (index 0)\t{gas}\n")).unwrap()
    }

    #[test]
    fn a_row_may_not_cost_more_than_it_did() {
        let committed = table::render(&figures(10_000), &[]).unwrap();
        let result = |gas| compare(&committed, "", &figures(gas));
        assert!(result(9_000).is_ok() && result(10_100).is_ok());
        let error = result(10_101).unwrap_err().to_string();
        assert!(error.contains("initialize (index 0): 10000 gas committed, 10101 now"));
        let gone = compare(&committed, "", &Figures::parse("").unwrap());
        assert!(gone.is_err(), "a row that is no longer measured");
    }

    #[test]
    fn a_missed_target_has_to_be_pending() {
        let misses = || table::misses(&figures(100_000));
        let missed: Vec<_> = misses().iter().map(|miss| (miss.row, "later")).collect();
        assert!(judge(misses(), &missed).is_ok());
        let error = judge(misses(), &[]).unwrap_err().to_string();
        assert!(
            error.contains("initialize (index 0): 100000 gas is 0.429"),
            "{error}"
        );
    }
}
