//! A throwaway node for trying clients by hand: `node PORT [DATA_DIR]`.

use alloy::primitives::U256;
use alloy::signers::local::PrivateKeySigner;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().as_deref().unwrap_or("8545").parse()?;
    let signer = PrivateKeySigner::from_slice(&[1; 32])?;
    let node = devchain::Node::open(devchain::Config {
        data_dir: arguments.next().map(Into::into),
        alloc: vec![(signer.address(), U256::from(10).pow(U256::from(24)))],
        unlocked: vec![signer],
        ..devchain::Config::default()
    })?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, node.router()).await?;
    Ok(())
}
