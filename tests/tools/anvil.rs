//! A foreign Ethereum node as a child process: the chain we did not write.

use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::npm_package;

const PACKAGE: &str = "@foundry-rs/anvil";
const VERSION: &str = "1.7.1";
/// It takes some ten milliseconds; a machine that needs this long is stuck.
const READY_MAX: Duration = Duration::from_secs(60);
/// Runs a program until stdin is closed. The kernel closes it when we die, however that happens.
const KEEPER: &str = r#""$0" "$@" </dev/null & exec >/dev/null; read -r _; kill -9 $!; wait"#;

/// The words every anvil and hardhat derives its funded accounts from, unless told others.
pub const ANVIL_MNEMONIC: &str = "test test test test test test test test test test test junk";

/// Fetches the node unless this machine has it; npm has a package of its own for each platform.
pub fn anvil_program() -> Result<PathBuf> {
    let package = npm_package(PACKAGE, VERSION)?;
    for sibling in fs::read_dir(package.parent().context("no parent")?)? {
        let program = sibling?.path().join("bin/anvil");
        if program.is_file() {
            return Ok(program);
        }
    }
    bail!("`{PACKAGE}` has no anvil for this platform")
}

/// A running node on a free port; killed on drop and when we die.
#[derive(Debug)]
pub struct Anvil {
    keeper: Child,
    address: SocketAddr,
}

impl Anvil {
    /// Starts the node with more `arguments`, e.g. `--chain-id`, and returns once it listens: on
    /// the loopback interface unless `--host` is among them.
    ///
    /// Fails when the program cannot be had ([`anvil_program`] first) or dies.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER]).arg(anvil_program()?);
        command.args(["--port", "0"]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().context("start sh")?;
        let stdout = keeper.stdout.take().context("no stdout")?;
        match await_address(stdout) {
            Ok(address) => Ok(Self { keeper, address }),
            Err(error) => {
                end(&mut keeper);
                Err(error)
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `ws://<host>:<port>`.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        end(&mut self.keeper);
    }
}

fn end(keeper: &mut Child) {
    drop(keeper.stdin.take());
    let _ = keeper.wait();
}

/// Where the node says it listens. Its output is read to the end, so that it never blocks.
fn await_address(stdout: ChildStdout) -> Result<SocketAddr> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(stdout);
        // The receiver is gone only after its timeout.
        let _ = sender.send(read_address(&mut output));
        io::copy(&mut output, &mut io::sink())
    });
    receiver
        .recv_timeout(READY_MAX)
        .context("anvil does not become ready")?
}

fn read_address(output: &mut impl io::BufRead) -> Result<SocketAddr> {
    for line in output.lines() {
        if let Some(address) = line?.strip_prefix("Listening on ") {
            return Ok(address.trim().parse()?);
        }
    }
    bail!("anvil ended before it listened")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_is_read_from_the_readiness_line() {
        let output = "Chain ID\n====\n\nListening on 127.0.0.1:39145\n";
        let address = read_address(&mut output.as_bytes()).unwrap();
        assert_eq!(address.to_string(), "127.0.0.1:39145");
    }

    #[test]
    fn early_end_is_an_error() {
        assert!(read_address(&mut "oops\n".as_bytes()).is_err());
    }
}
