//! One list of checks, run against this node and against anvil: what clients can observe must be
//! equal, but for a few differences that are meant.
//!
//! The checks are JavaScript, because the clients are: ethers, viem and web3.js, besides bare
//! JSON-RPC; `alloy` has a list of its own. `node main.mjs URL SETUP PART` runs those checks alone
//! whose name contains PART.
#![expect(
    clippy::print_stderr,
    reason = "the reader of the test's output is the audience"
)]

mod anvil;
mod deliberate;
mod library;
mod ours;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use deliberate::DELIBERATE;

const CHAIN_ID: u64 = 31337;
const ACCOUNTS: u32 = 10;
/// Fewer checks than this, and the list has been lost.
const CHECKS_MIN: usize = 400;
/// The whole list takes half a minute; a node that does not answer takes for ever.
const CHECKS_MAX: Duration = Duration::from_secs(600);

type Answers = BTreeMap<String, Value>;

/// Everything from outside that the checks need.
struct Kit {
    setup: Value,
    probe: Value,
    _folder: tempfile::TempDir,
}

fn fetch() -> Result<Kit> {
    tools::anvil_program()?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("probe.json");
    let probe = compile(&tools::npm_package("solc", "0.8.37")?)?;
    std::fs::write(&path, probe.to_string())?;
    Ok(Kit {
        setup: json!({
            "ethers": tools::npm_package("ethers", "6.17.0")?,
            "viem": tools::npm_package("viem", "2.57.20")?,
            "web3": tools::npm_package("web3", "4.16.0")?,
            "probe": path,
        }),
        probe,
        _folder: folder,
    })
}

fn script(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    folder.join(name)
}

fn run(command: &mut Command) -> Result<Value> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("start node")?;
    answer(&output)
}

fn answer(output: &Output) -> Result<Value> {
    ensure!(output.status.success(), "node: {}", output.status);
    serde_json::from_slice(&output.stdout).context("no JSON on stdout")
}

/// The contract all checks look at, as `{abi, bytecode}`.
fn compile(compiler: &Path) -> Result<Value> {
    let mut command = Command::new("node");
    run(command.arg(script("compile.mjs")).arg(compiler))
}

/// What all checks say about the node at `address`, `host:port`.
async fn examine(address: String, kit: &Kit) -> Result<Answers> {
    let mut answers = library::examine(&address, &kit.probe).await?;
    let mut command = tokio::process::Command::new("node");
    command.arg(script("main.mjs"));
    command.args([format!("http://{address}"), kit.setup.to_string()]);
    command.stderr(Stdio::inherit()).kill_on_drop(true);
    let output = tokio::time::timeout(CHECKS_MAX, command.output()).await;
    let output = output.with_context(|| format!("the checks of {address} do not end"))??;
    let found = answer(&output)?;
    answers.extend(serde_json::from_value::<Answers>(found)?);
    Ok(answers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_cannot_tell_the_nodes_apart() {
    let kit = tools::need!(fetch());
    // Only one test needs it, and a second installation would fail.
    rustls::crypto::ring::default_provider()
        .install_default()
        .unwrap();
    let anvil = anvil::start().unwrap();
    let ours = ours::serve().await.unwrap();
    let (theirs, ours) = tokio::join!(
        examine(anvil.address().to_string(), &kit),
        examine(ours, &kit)
    );
    let (theirs, ours) = (theirs.unwrap(), ours.unwrap());
    assert!(ours.len() >= CHECKS_MIN, "only {} checks", ours.len());
    let complaints = compare(&theirs, &ours);
    assert!(complaints.is_empty(), "{complaints}");
    eprintln!(
        "{} checks, {} deliberate differences",
        ours.len(),
        DELIBERATE.len()
    );
}

/// Everything that is not as it should be, in words.
fn compare(theirs: &Answers, ours: &Answers) -> String {
    let mut complaints = String::new();
    for (name, our) in ours {
        let their = theirs.get(name).unwrap_or(&Value::Null);
        let is_meant = DELIBERATE.iter().any(|(known, _)| known == name);
        let complaint = match (is_meant, their == our) {
            (false, false) => "differs",
            (true, true) => "is listed as a difference and is none",
            _ if our.get("threw").is_some() => "threw",
            _ => continue,
        };
        let _ = writeln!(
            complaints,
            "{name} {complaint}\n anvil: {their}\n ours:  {our}"
        );
    }
    for (name, _) in DELIBERATE {
        if !ours.contains_key(*name) {
            let _ = writeln!(complaints, "{name} is listed and does not exist");
        }
    }
    complaints
}
