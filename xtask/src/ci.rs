//! `cargo xtask ci`: the same for a newcomer and for the machine that guards the main branch.

use std::{process::Command, time::Instant};

use anyhow::{Context as _, bail};

use crate::watch;

/// In this order: what fails fast comes first.
const STEPS: &[(&str, &[&str])] = &[
    ("formatting", &["fmt", "--all", "--check"]),
    ("tidy", &["xtask", "tidy"]),
    ("contracts", &["xtask", "contracts", "--check"]),
    ("analysis", &["xtask", "contracts", "analyse"]),
    ("gas", &["xtask", "contracts", "gas", "--check"]),
    (
        "lints",
        &[
            "clippy",
            "--workspace",
            // It needs a C++ compiler; its own step compiles it where there is one.
            "--exclude",
            "iexec-fuzz",
            "--all-targets",
            // The tests build it without: so both ways are seen, and nothing is built twice.
            "--features",
            "iexec/otlp",
            "--locked",
            "--",
            "--deny",
            "warnings",
        ],
    ),
    ("docs", &["xtask", "docs", "--check"]),
    ("fuzz", &["xtask", "fuzz"]),
    (
        "tests",
        &["test", "--workspace", "--locked", "--no-fail-fast"],
    ),
];

/// Runs all steps and stops at the first that fails.
pub(crate) fn run() -> anyhow::Result<()> {
    for (name, arguments) in STEPS {
        let start = Instant::now();
        say(&format!("== {name}: cargo {}", arguments.join(" ")));
        let mut cargo = Command::new(env!("CARGO"));
        let status = watch::run(cargo.args(*arguments))
            .with_context(|| format!("cannot run cargo for {name}"))?;
        if !status.success() {
            bail!("{name} failed");
        }
        say(&format!(
            "== {name}: good after {} s",
            start.elapsed().as_secs()
        ));
    }
    Ok(())
}

#[expect(
    clippy::print_stderr,
    reason = "a chore talks to the person who runs it"
)]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}
