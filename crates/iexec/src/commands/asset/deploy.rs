//! `deploy` of an asset: what comes before and after the transaction.

use chain::{Asset, Receipt};
use protocol::Address;
use sdk::{Client, files::deployed_json::DeployedFile};
use serde_json::json;

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    #[command(flatten)]
    pub(crate) wallet: WalletArgs,
    #[command(flatten)]
    pub(crate) tx: TxArgs,
}

/// Remembers the new asset in `deployed.json`, which was read before anything was sent.
pub(crate) fn finish(
    asset: Asset,
    context: &Context,
    client: &Client,
    mut deployed: DeployedFile,
    (address, receipt): (Address, Receipt),
) -> Result<Report, Failure> {
    let message = format!("Deployed new {} at address {address}", asset.name());
    let raw = json!({ "address": address.to_checksum(None), "txHash": receipt.tx });
    deployed.set(asset, client.hub().chain_id(), address);
    if let Err(failure) = context.save_deployed(&deployed) {
        context.note(&message);
        return Err(failure.partial(raw));
    }
    Ok(Report::new(raw, message))
}
