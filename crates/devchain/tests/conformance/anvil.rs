//! The node to compare with, as a child process.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail};

use crate::{ACCOUNTS, CHAIN_ID, MNEMONIC};

const PACKAGE: &str = "@foundry-rs/anvil";
const VERSION: &str = "1.7.1";
/// Runs a program until stdin is closed. The kernel closes it when we die, however that happens.
const KEEPER: &str = r#""$0" "$@" </dev/null & exec >/dev/null; read -r _; kill -9 $!; wait"#;

/// The real program; npm puts it in a package of its own for each platform.
pub(crate) fn binary() -> Result<PathBuf> {
    let package = tools::npm_package(PACKAGE, VERSION)?;
    for sibling in fs::read_dir(package.parent().context("no parent")?)? {
        let program = sibling?.path().join("bin/anvil");
        if program.is_file() {
            return Ok(program);
        }
    }
    bail!("`{PACKAGE}` has no anvil for this platform")
}

/// A running node on a free port; ended on drop and when we die.
pub(crate) struct Anvil {
    keeper: Child,
    port: u16,
}

impl Anvil {
    /// Starts the node with our rules: gas is free, blocks hold as much, no extra contract.
    pub(crate) fn start(binary: &Path) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER]).arg(binary);
        command.args(["--host", "127.0.0.1", "--port", "0", "--mnemonic", MNEMONIC]);
        command.args(["--chain-id", &CHAIN_ID.to_string()]);
        command.args(["--accounts", &ACCOUNTS.to_string()]);
        command.args(["--hardfork", "prague", "--gas-limit"]);
        command.arg(devchain::BLOCK_GAS_LIMIT.to_string());
        command.args(["--gas-price", "0", "--block-base-fee-per-gas", "0"]);
        command.args([
            "--disable-min-priority-fee",
            "--disable-default-create2-deployer",
        ]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().context("start sh")?;
        let mut output = BufReader::new(keeper.stdout.take().context("no stdout")?);
        let mut anvil = Self { keeper, port: 0 };
        anvil.port = read_port(&mut output)?;
        // Read to the end, so that it never blocks.
        thread::spawn(move || io::copy(&mut output, &mut io::sink()));
        Ok(anvil)
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn read_port(output: &mut impl io::BufRead) -> Result<u16> {
    for line in output.lines() {
        if let Some(address) = line?.strip_prefix("Listening on 127.0.0.1:") {
            return Ok(address.trim().parse()?);
        }
    }
    bail!("anvil ended before it listened")
}
