//! Registers an app and publishes an order for it, so that others can run it.
//!
//! `cargo run -p iexec-sdk --example publish_app -- <network.json> <image> <sha256> [nRLC]`, with
//! the file in the data directory of `iexec up`.

mod common;

use protocol::U256;
use sdk::{
    app::{self, Offer},
    files::iexec_json::ProjectFile,
    image::{Origin, Pinned},
};
use serde_json::json;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let network = common::argument(1, "network.json")?;
    let project = json!({ "app": {
        "name": "example", "type": "DOCKER",
        "multiaddr": common::argument(2, "image")?, "checksum": common::argument(3, "sha256")?,
    } });
    let price: u64 = common::argument(4, "nRLC").map_or(Ok(0), |text| text.parse())?;

    let client = common::connect(&network).await?;
    let developer = client.actor(common::wallet(&network, "developer")?);
    let section = ProjectFile::parse(&project.to_string())?.app()?;
    let image = Pinned {
        multiaddr: section.multiaddr.clone(),
        checksum: section.checksum.unwrap_or_default(),
        origin: Origin::Unconfirmed,
    };
    let (address, _) = app::deploy(&developer, &section, &image).await?;
    let offer = Offer {
        price: U256::from(price),
        ..Offer::free()
    };
    let order = app::publish(&client, &developer, address, &offer).await?;
    common::say(&format!("app {address} order {order}"));
    Ok(())
}
