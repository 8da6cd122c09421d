//! Feeds made-up input to what reads from strangers, guided by the branches it takes (libFuzzer).

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, bail, ensure};

use crate::{ci::say, repository};

/// What is fed, and files to begin with: below the root, taken whole.
const TARGETS: &[(&str, &[&str])] = &[
    (
        "quote",
        &[
            "crates/attest/vectors/sim-dcap/session_quote.bin",
            "crates/attest/vectors/sim-dcap/sim_tdx_quote.bin",
        ],
    ),
    ("event_log", &["fuzz/seeds/event_log.json"]),
    ("redeem", &["fuzz/seeds/redeem.json"]),
    ("params", &["fuzz/seeds/params.json"]),
    ("signature", &["fuzz/seeds/signature.txt"]),
    (
        "archive",
        &[
            "crates/sdk/vectors/own_encryptor.encrypted.zip",
            "crates/sdk/vectors/legacy_aes128ecb.encrypted.zip",
            "crates/sdk/vectors/neg_oaep.encrypted.zip",
        ],
    ),
];
/// Marks in each branch, as libFuzzer reads them.
const MARKS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 --cfg fuzzing";
/// Marks are for what runs on the machine, not for build scripts: so the machine is named.
const MACHINE: &str = "x86_64-unknown-linux-gnu";
/// The largest input in bytes: quotes have five thousand.
const LENGTH_MAX: u32 = 16 * 1024;
/// One input may take so many seconds.
const INPUT_S_MAX: u32 = 10;
/// Megabytes of memory; what needs more was led to it by its input.
const MEMORY_MB_MAX: u32 = 1024;
/// At once; the machine that guards the main branch has two processors.
const TOGETHER: usize = 2;

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
struct Wish<'a> {
    seconds: u32,
    target: Option<&'a str>,
}

/// Runs it. A finding is kept, and the command that shows it again is said.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let wish = parse(&words)?;
    if !has_compiler() {
        ensure!(
            std::env::var_os("CI").is_none(),
            "libFuzzer needs a C++ compiler"
        );
        say("skipped: fuzz: libFuzzer needs a C++ compiler (Debian: apt install g++)");
        return Ok(());
    }
    let programs = build()?;
    let chosen: Vec<_> = TARGETS
        .iter()
        .filter(|(name, _)| wish.target.is_none_or(|target| target == *name))
        .collect();
    for some in chosen.chunks(TOGETHER) {
        thread::scope(|scope| {
            let running: Vec<_> = some
                .iter()
                .map(|(name, seeds)| scope.spawn(|| feed(&programs, name, seeds, wish.seconds)))
                .collect();
            running
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| bail!("it panicked")))
                .collect::<anyhow::Result<Vec<()>>>()
        })?;
    }
    Ok(())
}

fn parse<'a>(words: &[&'a str]) -> anyhow::Result<Wish<'a>> {
    let mut wish = Wish {
        seconds: 60,
        target: None,
    };
    for pair in words.chunks(2) {
        match *pair {
            ["--seconds", seconds] => {
                wish.seconds = seconds.parse().context("--seconds takes a whole number")?;
            }
            ["--target", target] => {
                let is_known = TARGETS.iter().any(|(name, _)| *name == target);
                ensure!(is_known, "there is no target {target}");
                wish.target = Some(target);
            }
            _ => bail!("usage: cargo xtask fuzz [--seconds N] [--target NAME]"),
        }
    }
    Ok(wish)
}

fn has_compiler() -> bool {
    let program = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let mut compiler = Command::new(program);
    compiler.arg("--version").stdout(Stdio::null());
    compiler.status().is_ok_and(|status| status.success())
}

/// Compiles all targets; where their programs are then.
fn build() -> anyhow::Result<PathBuf> {
    let folder = build_folder()?;
    let status = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--package", "iexec-fuzz", "--bins"])
        .args(["--profile", "fuzz", "--target", MACHINE])
        .env("CARGO_TARGET_DIR", &folder)
        .env("RUSTFLAGS", MARKS)
        .status()?;
    ensure!(status.success(), "the targets do not compile");
    Ok(folder.join(MACHINE).join("fuzz"))
}

/// Beside what the others are built into: the same crates are compiled otherwise here.
fn build_folder() -> anyhow::Result<PathBuf> {
    let folder = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => repository()?.join("target"),
    };
    Ok(folder.join("fuzz"))
}

/// What was found useful stays for the next time, below the build folder.
fn feed(programs: &Path, name: &str, seeds: &[&str], seconds: u32) -> anyhow::Result<()> {
    let kept = build_folder()?.join("kept").join(name);
    let found = build_folder()?.join("found").join(name);
    fs::create_dir_all(&kept)?;
    fs::create_dir_all(&found)?;
    for (number, seed) in seeds.iter().enumerate() {
        fs::copy(
            repository()?.join(seed),
            kept.join(format!("seed-{number}")),
        )?;
    }
    let output = Command::new(programs.join(name))
        .arg(&kept)
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={LENGTH_MAX}"))
        .arg(format!("-timeout={INPUT_S_MAX}"))
        .arg(format!("-rss_limit_mb={MEMORY_MB_MAX}"))
        .arg("-print_final_stats=1")
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{name} has a finding in {}:\n{said}", found.display());
    }
    let runs = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    say(&format!(
        "fuzz: {name}: {} inputs",
        runs.unwrap_or("?").trim()
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_understood() {
        let wish = |seconds, target| Wish { seconds, target };
        assert_eq!(parse(&[]).unwrap(), wish(60, None));
        let words = ["--target", "params", "--seconds", "5"];
        assert_eq!(parse(&words).unwrap(), wish(5, Some("params")));
        for bad in [
            &["--target", "nothing"][..],
            &["--seconds", "x"],
            &["--seconds"],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
