//! This node, with anvil's accounts and chain id.

use alloy::primitives::U256;
use alloy::signers::local::{MnemonicBuilder, PrivateKeySigner};
use anyhow::Result;
use devchain::{Config, Node};

use crate::{ACCOUNTS, CHAIN_ID};

/// The key of funded account `index`.
pub(crate) fn key(index: u32) -> Result<PrivateKeySigner> {
    Ok(MnemonicBuilder::from_phrase(tools::ANVIL_MNEMONIC)
        .index(index)?
        .build()?)
}

/// Serves a node in this process on a free port; returns `host:port`.
pub(crate) async fn serve() -> Result<String> {
    let unlocked = (0..ACCOUNTS).map(key).collect::<Result<Vec<_>>>()?;
    let balance = U256::from(10_000) * U256::from(10).pow(U256::from(18));
    let node = Node::open(Config {
        chain_id: CHAIN_ID,
        alloc: unlocked
            .iter()
            .map(|key| (key.address(), balance))
            .collect(),
        unlocked,
        ..Config::default()
    })?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move { axum::serve(listener, node.router()).await });
    Ok(address)
}
