//! The foreign Ethereum node, with keys, clients and a clock that can be moved.

use std::net::Ipv4Addr;

use alloy::{
    providers::{DynProvider, Provider as _, ProviderBuilder},
    signers::local::{MnemonicBuilder, PrivateKeySigner},
};
use anyhow::Result;
use tools::ANVIL_MNEMONIC;

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
    node: tools::Anvil,
    options: Options,
}

impl Anvil {
    /// Starts the node and returns once it accepts connections.
    ///
    /// Fails when the npm package cannot be had ([`fetch`](super::fetch) first) or it dies.
    pub fn start(options: Options) -> Result<Self> {
        // Its clients are made with whatever TLS the process has; another test may be first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut arguments = vec![
            ("--host", options.host.to_string()),
            ("--mnemonic", ANVIL_MNEMONIC.to_owned()),
            ("--chain-id", options.chain_id.to_string()),
            ("--accounts", options.accounts.to_string()),
        ];
        let block_time = options.block_time_s.map(|seconds| seconds.to_string());
        arguments.extend(block_time.map(|seconds| ("--block-time", seconds)));
        let words = arguments.iter().flat_map(|(name, value)| [*name, value]);
        let node = tools::Anvil::start(&words.collect::<Vec<_>>())?;
        Ok(Self { node, options })
    }

    /// `http://<host>:<port>`.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.node.address())
    }

    /// `ws://<host>:<port>`.
    pub fn ws_url(&self) -> String {
        self.node.ws_url()
    }

    /// What it was started with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The key of funded account `index` (10,000 coins each).
    pub fn key(&self, index: u32) -> Result<PrivateKeySigner> {
        Ok(MnemonicBuilder::from_phrase(ANVIL_MNEMONIC)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn node_answers_until_dropped() {
        tools::need!(tools::anvil_program());
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
        tools::need!(tools::anvil_program());
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
