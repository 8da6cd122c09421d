//! A foreign Ethereum node as a child process: the chain we did not write.

use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use alloy::{
    providers::{DynProvider, Provider as _, ProviderBuilder},
    signers::local::{MnemonicBuilder, PrivateKeySigner},
};
use anyhow::{Context as _, Result, bail};

const PACKAGE: &str = "@foundry-rs/anvil";
const VERSION: &str = "1.7.1";
/// The words every anvil and hardhat derives its funded accounts from.
const MNEMONIC: &str = "test test test test test test test test test test test junk";
/// It takes some ten milliseconds; a machine that needs this long is stuck.
const READY_MAX: Duration = Duration::from_secs(60);
/// Runs `anvil` until stdin is closed. The kernel closes it when we die, however that happens.
const KEEPER: &str = r#""$0" "$@" </dev/null & exec >/dev/null; read -r _; kill -9 $!; wait"#;

/// How a node differs from the usual.
#[derive(Clone, Debug)]
pub struct Options {
    /// Chain id; 31337 unless told.
    pub chain_id: u64,
    /// Funded accounts, [`Anvil::key`] gives their keys; 10 unless told.
    pub accounts: u32,
    /// Seconds between blocks. `None`, the usual: each transaction is mined at once.
    /// [`deploy_official`](super::deploy_official) still mines at once.
    pub block_time_s: Option<u64>,
    /// The address it listens on; that of the loopback interface unless told.
    pub host: Ipv4Addr,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            chain_id: 31337,
            accounts: 10,
            block_time_s: None,
            host: Ipv4Addr::LOCALHOST,
        }
    }
}

/// A running node on a free port; killed on drop and when we die.
#[derive(Debug)]
pub struct Anvil {
    keeper: Child,
    port: u16,
    options: Options,
}

impl Anvil {
    /// Starts the node and returns once it accepts connections.
    ///
    /// Fails when the npm package cannot be had ([`fetch`](super::fetch) first) or it dies.
    pub fn start(options: Options) -> Result<Self> {
        // Its clients are made with whatever TLS the process has; another test may be first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut keeper = command(&binary()?, &options).spawn().context("start sh")?;
        let stdout = keeper.stdout.take().context("no stdout")?;
        let mut anvil = Self {
            keeper,
            port: 0,
            options,
        };
        anvil.port = await_port(stdout)?;
        Ok(anvil)
    }

    /// `http://<host>:<port>`.
    pub fn http_url(&self) -> String {
        format!("http://{}:{}", self.options.host, self.port)
    }

    /// `ws://<host>:<port>`.
    pub fn ws_url(&self) -> String {
        format!("ws://{}:{}", self.options.host, self.port)
    }

    /// What it was started with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The key of funded account `index` (10,000 coins each).
    pub fn key(&self, index: u32) -> Result<PrivateKeySigner> {
        Ok(MnemonicBuilder::from_phrase(MNEMONIC)
            .index(index)?
            .build()?)
    }

    /// A client that signs nothing.
    pub fn provider(&self) -> Result<DynProvider> {
        Ok(ProviderBuilder::new()
            .connect_http(self.http_url().parse()?)
            .erased())
    }

    /// Mines each transaction at once from now on.
    pub async fn mine_at_once(&self) -> Result<()> {
        self.call("evm_setIntervalMining", 0).await?;
        self.call("evm_setAutomine", true).await
    }

    /// Mines a block each `seconds` from now on.
    pub async fn mine_every(&self, seconds: u64) -> Result<()> {
        self.call("evm_setAutomine", false).await?;
        self.call("evm_setIntervalMining", seconds).await
    }

    /// Moves the chain's clock forward and mines a block there, to pass deadlines without waiting.
    pub async fn advance(&self, seconds: u64) -> Result<()> {
        self.call("evm_increaseTime", seconds).await?;
        self.call("evm_mine", ()).await
    }

    async fn call(&self, method: &'static str, value: impl serde::Serialize) -> Result<()> {
        let value = serde_json::to_value(value)?;
        let params = if value.is_null() { vec![] } else { vec![value] };
        let _: serde_json::Value = self.provider()?.raw_request(method.into(), params).await?;
        Ok(())
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// The real program; npm puts it in a package of its own for each platform.
pub(super) fn binary() -> Result<PathBuf> {
    let package = tools::npm_package(PACKAGE, VERSION)?;
    for sibling in fs::read_dir(package.parent().context("no parent")?)? {
        let program = sibling?.path().join("bin/anvil");
        if program.is_file() {
            return Ok(program);
        }
    }
    bail!("`{PACKAGE}` has no anvil for this platform")
}

fn command(binary: &Path, options: &Options) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", KEEPER]).arg(binary);
    command.args(["--host", &options.host.to_string(), "--port", "0"]);
    command.args(["--mnemonic", MNEMONIC]);
    command.args(["--chain-id", &options.chain_id.to_string()]);
    command.args(["--accounts", &options.accounts.to_string()]);
    if let Some(seconds) = options.block_time_s {
        command.args(["--block-time", &seconds.to_string()]);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    command
}

/// The port the node says it listens on. Its output is read to the end, so that it never blocks.
fn await_port(stdout: ChildStdout) -> Result<u16> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(stdout);
        // The receiver is gone only after its timeout.
        let _ = sender.send(read_port(&mut output));
        io::copy(&mut output, &mut io::sink())
    });
    receiver
        .recv_timeout(READY_MAX)
        .context("anvil does not become ready")?
}

fn read_port(output: &mut impl io::BufRead) -> Result<u16> {
    for line in output.lines() {
        if let Some(address) = line?.strip_prefix("Listening on ") {
            return Ok(address.trim().parse::<SocketAddr>()?.port());
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
        assert_eq!(read_port(&mut output.as_bytes()).unwrap(), 39145);
    }

    #[test]
    fn early_end_is_an_error() {
        assert!(read_port(&mut "oops\n".as_bytes()).is_err());
    }

    #[tokio::test]
    async fn node_answers_until_dropped() {
        tools::need!(binary());
        let anvil = Anvil::start(Options {
            chain_id: 65535,
            ..Options::default()
        })
        .unwrap();
        let provider = anvil.provider().unwrap();
        assert_eq!(provider.get_chain_id().await.unwrap(), 65535);
        let key = anvil.key(0).unwrap();
        assert_eq!(
            key.address().to_string(),
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
        );
        assert!(!provider.get_balance(key.address()).await.unwrap().is_zero());
        drop(anvil);
        assert!(provider.get_chain_id().await.is_err());
    }

    #[tokio::test]
    async fn clock_can_be_moved() {
        tools::need!(binary());
        let anvil = Anvil::start(Options::default()).unwrap();
        let provider = anvil.provider().unwrap();
        let before = provider
            .get_block(Default::default())
            .await
            .unwrap()
            .unwrap();
        anvil.advance(1_000_000).await.unwrap();
        let after = provider
            .get_block(Default::default())
            .await
            .unwrap()
            .unwrap();
        assert!(after.header.timestamp >= before.header.timestamp + 1_000_000);
    }
}
