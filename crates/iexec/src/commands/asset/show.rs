//! `show` of an asset.

use chain::Asset;
use protocol::Address;
use sdk::{Client, asset, parse, services::compass, view};
use serde_json::{Value, json};

use super::{owner, title};
use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Address, or index in the owner's list; the one deployed last if left out
    address_or_index: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Whose list an index is in
    #[arg(long, value_name = "address")]
    user: Option<String>,
}

/// Runs it.
pub(crate) async fn run(kind: Asset, args: &Args, context: &Context) -> Result<Report, Failure> {
    let client = context.client(args.chain.name()).await?;
    let address = match &args.address_or_index {
        Some(index) if !index.starts_with("0x") => {
            let owner = owner(args.user.as_deref(), context, &args.wallet)?;
            let index = parse::small("index", index)?;
            asset::at_index(&client, kind, owner, index).await?
        }
        given => {
            let chain_id = client.hub().chain_id();
            context.address_or_deployed(given.as_deref(), kind, chain_id)?
        }
    };
    let info = asset::show(&client, kind, address).await?;
    let shown = view::asset(&info, client.hub().registry(kind));
    let url = match kind {
        Asset::Workerpool => api_url(&client, address, context).await,
        _ => None,
    };
    let message = format!("{} {address} details:", title(kind));
    let mut data = shown.clone();
    if let Some(url) = &url {
        data["url"] = json!(url);
    }
    let raw = json!({
        "address": address.to_checksum(None),
        kind.name(): shown,
        "apiUrl": url.map_or(Value::Null, Value::String),
    });
    Ok(Report::new(raw, message).with_data(&data))
}

/// A directory that does not answer is no reason not to show what the chain says.
async fn api_url(client: &Client, workerpool: Address, context: &Context) -> Option<String> {
    match compass::listed(client, workerpool).await {
        Ok(url) => url,
        Err(error) => {
            context.note(error.to_string());
            None
        }
    }
}
