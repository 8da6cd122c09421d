//! Every dependency's licence is one we can ship under.

use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// Licences whose terms are those of Apache-2.0 or weaker, and file-level copyleft (MPL) that
/// asks nothing of our own files. NOTICE lists who needs the unusual ones.
const ACCEPTED: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "CC0-1.0",
    "Unlicense",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "MPL-2.0",
    "CDLA-Permissive-2.0",
    "BSL-1.0",
    "MIT-0",
    "NCSA",
];

/// Crates that carry a licence file but no SPDX text; looked at by hand.
const BY_HAND: &[&str] = &["rust-criu"];

/// Fails with the list of crates whose licence nobody has accepted.
pub(crate) fn run() -> anyhow::Result<()> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .context("cannot run cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("odd metadata")?;
    let packages = metadata["packages"]
        .as_array()
        .context("metadata without packages")?;
    let bad: Vec<String> = packages
        .iter()
        .filter(|p| !is_accepted(p))
        .map(describe)
        .collect();
    if !bad.is_empty() {
        bail!("licences that nobody has accepted:\n{}", bad.join("\n"));
    }
    Ok(())
}

fn describe(package: &Value) -> String {
    format!(
        "  {} {}: {}",
        package["name"], package["version"], package["license"]
    )
}

fn is_accepted(package: &Value) -> bool {
    if BY_HAND.iter().any(|name| package["name"] == *name) {
        return true;
    }
    package["license"]
        .as_str()
        .is_some_and(is_expression_accepted)
}

/// `A OR B` needs one accepted side, `A AND B` both; nothing in the tree needs more grammar.
fn is_expression_accepted(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    plain.split(" AND ").all(|part| {
        part.split(" OR ").any(|name| {
            let name = name.trim();
            let name = name.split(" WITH ").next().unwrap_or(name);
            ACCEPTED.contains(&name)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_understood() {
        assert!(is_expression_accepted("MIT OR Apache-2.0"));
        assert!(is_expression_accepted("MIT/Apache-2.0"));
        assert!(is_expression_accepted("Apache-2.0 AND ISC"));
        assert!(is_expression_accepted("GPL-3.0 OR MIT"));
        assert!(!is_expression_accepted("GPL-3.0"));
        assert!(!is_expression_accepted("MIT AND GPL-3.0"));
    }
}
