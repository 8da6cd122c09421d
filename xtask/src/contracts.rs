//! Compiles `contracts/src` with the pinned compiler and keeps the committed artifacts honest.
//! Below it: what the contracts cost, and what an analyser thinks of them.
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

mod analyse;
mod fuzz;
mod gas;

/// Runs `contracts` (writes the artifacts), `contracts --check` (fails when they are stale) or one
/// of the chores below it.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => artifacts(false),
        ["--check"] => artifacts(true),
        ["gas"] => gas::run(false),
        ["gas", "--check"] => gas::run(true),
        ["analyse"] => analyse::run(),
        ["fuzz", ref wish @ ..] => fuzz::run(wish),
        _ => bail!("usage: cargo xtask contracts [--check | gas [--check] | analyse | fuzz …]"),
    }
}

fn artifacts(is_check: bool) -> anyhow::Result<()> {
    if !has_node() {
        let reason = "the compiler needs Node and npm (Debian: apt-get install nodejs npm)";
        return skip("contracts", reason);
    }
    let folder = crate::repository()?.join("contracts");
    let committed = folder.join("artifacts");
    let compiler = install_compiler(&folder)?;
    match is_check {
        true => check(&folder, &compiler, &committed),
        false => compile(&folder, &compiler, &committed),
    }
}

fn has_node() -> bool {
    has("node") && has("npm")
}

fn has(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// A newcomer need not have every tool to run the tests; the machine that guards the main branch
/// must.
#[expect(
    clippy::print_stderr,
    reason = "a chore talks to the person who runs it"
)]
fn skip(name: &str, reason: &str) -> anyhow::Result<()> {
    if env::var_os("CI").is_some() {
        bail!("{name}: {reason}");
    }
    eprintln!("skipped: {name}: {reason}");
    Ok(())
}

fn check(folder: &Path, compiler: &Path, committed: &Path) -> anyhow::Result<()> {
    let fresh = env::temp_dir().join(format!("iexec-contracts-{}", std::process::id()));
    compile(folder, compiler, &fresh)?;
    let difference = compare(committed, &fresh);
    fs::remove_dir_all(&fresh).context("remove the temporary artifacts")?;
    difference
}

fn compare(committed: &Path, fresh: &Path) -> anyhow::Result<()> {
    let names = file_names(fresh)?;
    ensure!(
        names == file_names(committed)?,
        "contracts/artifacts has other files than a fresh build; run `cargo xtask contracts`"
    );
    for name in names {
        ensure!(
            fs::read(fresh.join(&name))? == fs::read(committed.join(&name))?,
            "contracts/artifacts/{name} is stale; run `cargo xtask contracts`"
        );
    }
    Ok(())
}

fn file_names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut names = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn compile(folder: &Path, compiler: &Path, output: &Path) -> anyhow::Result<()> {
    let mut node = Command::new("node");
    node.arg(folder.join("compile.mjs"))
        .arg(output)
        .env("SOLC_HOME", compiler);
    succeed(&mut node)
}

/// Puts the compiler of `package.json` into the user's cache and returns its folder. The lock
/// file is kept beside it: another lock means another installation.
fn install_compiler(folder: &Path) -> anyhow::Result<PathBuf> {
    let lock = fs::read(folder.join("package-lock.json")).context("read package-lock.json")?;
    let home = cache()?.join(format!("solc-{}", compiler_version(folder)?));
    let installed = home.join("node_modules/solc/package.json").exists()
        && fs::read(home.join("package-lock.json")).is_ok_and(|kept| kept == lock);
    if installed {
        return Ok(home);
    }
    fs::create_dir_all(&home).with_context(|| format!("create {}", home.display()))?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(folder.join(name), home.join(name)).with_context(|| format!("copy {name}"))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(&home);
    succeed(&mut npm)?;
    Ok(home)
}

fn compiler_version(folder: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(folder.join("package.json")).context("read package.json")?;
    let package: serde_json::Value = serde_json::from_str(&text).context("parse package.json")?;
    let version = package["dependencies"]["solc"].as_str();
    Ok(version.context("package.json pins no solc")?.to_owned())
}

fn cache() -> anyhow::Result<PathBuf> {
    let home = env::var_os("HOME").context("HOME is not set")?;
    Ok(PathBuf::from(home).join(".cache/iexec"))
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("start {name}"))?;
    ensure!(status.success(), "{name} failed: {status}");
    Ok(())
}
