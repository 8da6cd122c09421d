//! A throwaway node for trying clients by hand: `node PORT [DATA_DIR]`.
//!
//! It has the chain id and the accounts of anvil and hardhat, so that whatever was written for
//! those can be pointed at it.

use alloy::primitives::U256;
use alloy::signers::local::{MnemonicBuilder, PrivateKeySigner};

const MNEMONIC: &str = "test test test test test test test test test test test junk";
const ACCOUNTS: u32 = 10;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().as_deref().unwrap_or("8545").parse()?;
    let unlocked = accounts()?;
    let balance = U256::from(10_000) * U256::from(10).pow(U256::from(18));
    let alloc = unlocked.iter().map(|signer| (signer.address(), balance));
    let node = devchain::Node::open(devchain::Config {
        data_dir: arguments.next().map(Into::into),
        chain_id: 31337,
        alloc: alloc.collect(),
        unlocked,
        ..devchain::Config::default()
    })?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, node.router()).await?;
    Ok(())
}

fn accounts() -> Result<Vec<PrivateKeySigner>, Box<dyn std::error::Error>> {
    let account = |index| -> Result<_, Box<dyn std::error::Error>> {
        let builder = MnemonicBuilder::from_phrase(MNEMONIC).index(index)?;
        Ok(builder.build()?)
    };
    (0..ACCOUNTS).map(account).collect()
}
