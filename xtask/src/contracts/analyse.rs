//! Runs Slither on `contracts/src` and accepts nothing that is not explained.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::{cache, has_node, install_compiler, skip, succeed};

/// Findings that stay, and why, beside the sources.
const ACCEPTED: &str = "contracts/slither.txt";

/// Runs the analyser and fails for findings without a reason, and for reasons without a finding.
pub(super) fn run() -> anyhow::Result<()> {
    if !has_node() || !has_python() {
        let reason = "the analyser needs Node, npm and Python 3.10 or later with pip";
        return skip("contracts analyse", reason);
    }
    let folder = crate::repository()?.join("contracts");
    let accepted = read_accepted(&crate::repository()?.join(ACCEPTED))?;
    let compiler = install_compiler(&folder)?;
    let report = report(&folder, &install(&folder)?, &compiler)?;
    let complaints = judge(&findings(&report)?, &accepted);
    ensure!(
        complaints.is_empty(),
        "{}\n{ACCEPTED} is the place for reasons",
        complaints.join("\n")
    );
    Ok(())
}

fn has_python() -> bool {
    let check = "import sys, pip; sys.exit(sys.version_info < (3, 10))";
    let status = Command::new("python3").args(["-c", check]).output();
    status.is_ok_and(|output| output.status.success())
}

/// Puts the pinned packages into a folder of the user's cache. The list is kept beside them:
/// another list means another installation.
fn install(folder: &Path) -> anyhow::Result<PathBuf> {
    let wanted = folder.join("requirements.txt");
    let home = cache()?.join("slither");
    let kept = home.join("requirements.txt");
    if fs::read(&kept).is_ok_and(|kept| fs::read(&wanted).is_ok_and(|wanted| kept == wanted)) {
        return Ok(home);
    }
    if home.exists() {
        fs::remove_dir_all(&home).context("remove the former analyser")?;
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args([
            "--disable-pip-version-check",
            "--root-user-action",
            "ignore",
            "--target",
        ])
        .args([&home, Path::new("--requirement"), &wanted]);
    succeed(&mut pip)?;
    fs::copy(&wanted, kept).context("keep the list of packages")?;
    Ok(home)
}

/// What Slither says, as JSON. It compiles by a program that takes the place of a native compiler
/// and knows the sources itself, so the input it is given is empty.
fn report(folder: &Path, home: &Path, compiler: &Path) -> anyhow::Result<Value> {
    let input = home.join("input.json");
    fs::write(&input, "{}").context("write the input")?;
    let output = Command::new("python3")
        .args(["-m", "slither", "--fail-none", "--json", "-"])
        .args(["--compile-force-framework", "Solc-json", "--solc"])
        .args([&folder.join("solc.mjs"), &input])
        .current_dir(folder.join("src"))
        .env("PYTHONPATH", home)
        .env("SOLC_HOME", compiler)
        .output()
        .context("start slither")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&text)
        .with_context(|| format!("no report: {}", String::from_utf8_lossy(&output.stderr)))?;
    ensure!(
        report["success"] == true,
        "slither failed: {}",
        report["error"]
    );
    Ok(report)
}

struct Finding {
    detector: String,
    /// `Contract.function`, `Contract.variable` or `Contract.function.variable`.
    place: String,
    text: String,
}

fn findings(report: &Value) -> anyhow::Result<Vec<Finding>> {
    let Some(found) = report["results"].get("detectors") else {
        return Ok(Vec::new());
    };
    let found = found.as_array().context("odd detectors")?;
    Ok(found.iter().map(finding).collect())
}

fn finding(found: &Value) -> Finding {
    let text = |key: &str| found[key].as_str().unwrap_or_default().trim().to_owned();
    Finding {
        detector: text("check"),
        place: place(&found["elements"][0]),
        text: text("description"),
    }
}

/// The names from the contract down to the element; files are not part of it.
fn place(element: &Value) -> String {
    let name = element["name"].as_str().unwrap_or_default();
    let parent = &element["type_specific_fields"]["parent"];
    match parent["type"].as_str() {
        None | Some("file") => name.to_owned(),
        Some(_) if element["type"] == "node" => place(parent),
        Some(_) => format!("{}.{name}", place(parent)),
    }
}

#[derive(Debug)]
struct Accepted {
    detector: String,
    /// `*` at the end stands for anything.
    place: String,
}

impl Accepted {
    fn covers(&self, finding: &Finding) -> bool {
        let place = match self.place.strip_suffix('*') {
            Some(start) => finding.place.starts_with(start),
            None => finding.place == self.place,
        };
        place && finding.detector == self.detector
    }
}

fn read_accepted(path: &Path) -> anyhow::Result<Vec<Accepted>> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter(|line| !line.trim().is_empty())
        .map(parse)
        .collect()
}

fn parse(line: &str) -> anyhow::Result<Accepted> {
    let mut words = line.split_whitespace();
    let (Some(detector), Some(place), Some(_)) = (words.next(), words.next(), words.next()) else {
        bail!("{ACCEPTED}: `{line}` is not `detector place reason`");
    };
    Ok(Accepted {
        detector: detector.to_owned(),
        place: place.to_owned(),
    })
}

fn judge(findings: &[Finding], accepted: &[Accepted]) -> Vec<String> {
    let is_covered = |finding: &&Finding| accepted.iter().any(|entry| entry.covers(finding));
    let new = findings.iter().filter(|finding| !is_covered(finding));
    let is_used = |entry: &&Accepted| findings.iter().any(|finding| entry.covers(finding));
    let unused = accepted.iter().filter(|entry| !is_used(entry));
    let new = new.map(|found| format!("{} {}\n  {}", found.detector, found.place, found.text));
    let unused = unused.map(|entry| {
        format!(
            "{ACCEPTED}: `{} {}` is not needed",
            entry.detector, entry.place
        )
    });
    new.chain(unused).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(detector: &str, place: &str) -> Finding {
        Finding {
            detector: detector.to_owned(),
            place: place.to_owned(),
            text: String::new(),
        }
    }

    #[test]
    fn places_are_named_from_the_contract_down() {
        let file = json!({"type": "file", "name": "a.sol"});
        let contract = json!({"type": "contract", "name": "Hub",
            "type_specific_fields": {"parent": file}});
        let function = json!({"type": "function", "name": "_pay",
            "type_specific_fields": {"parent": contract}});
        let variable = json!({"type": "variable", "name": "sum",
            "type_specific_fields": {"parent": function}});
        let node = json!({"type": "node", "name": "sum = 1",
            "type_specific_fields": {"parent": function}});
        assert_eq!(place(&contract), "Hub");
        assert_eq!(place(&variable), "Hub._pay.sum");
        assert_eq!(place(&node), "Hub._pay");
    }

    #[test]
    fn every_finding_needs_a_reason_and_every_reason_a_finding() {
        let accepted =
            ["assembly * we do", "timestamp Hub.claim deadlines"].map(|line| parse(line).unwrap());
        let known = [found("assembly", "A.b"), found("timestamp", "Hub.claim")];
        assert!(judge(&known, &accepted).is_empty());
        assert_eq!(judge(&known[..1], &accepted).len(), 1);
        let other = [found("timestamp", "Hub.claimed")];
        assert_eq!(judge(&other, &accepted[1..]).len(), 2);
        assert!(parse("assembly *").is_err(), "a reason is missing");
    }
}
