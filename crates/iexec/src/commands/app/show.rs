//! `iexec app show`.

use chain::Asset;
use protocol::Address;
use sdk::{Client, app, files::deployed_json::Kind, parse, view};
use serde_json::json;

use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec app show --chain local")]
pub(crate) struct Args {
    /// Address, or index in the owner's list; the app deployed last if left out
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
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let client = context.client(args.chain.name()).await?;
    let address = match &args.address_or_index {
        Some(index) if !index.starts_with("0x") => by_index(args, context, &client, index).await?,
        given => {
            let chain_id = client.hub().chain_id();
            context.address_or_deployed(given.as_deref(), Kind::App, chain_id)?
        }
    };
    let info = app::show(&client, address).await?;
    let shown = view::app(&info, client.hub().registry(Asset::App));
    let raw = json!({ "address": address.to_checksum(None), "app": shown });
    Ok(Report::new(raw, format!("App {address} details:")).with_data(&shown))
}

async fn by_index(
    args: &Args,
    context: &Context,
    client: &Client,
    index: &str,
) -> Result<Address, Failure> {
    let owner = owner(args.user.as_deref(), context, &args.wallet)?;
    Ok(app::at_index(client, owner, parse::small("index", index)?).await?)
}

/// `--user`, else the wallet's address.
pub(super) fn owner(
    user: Option<&str>,
    context: &Context,
    wallet: &WalletArgs,
) -> Result<Address, Failure> {
    match user {
        Some(user) => Ok(parse::address("--user", user)?),
        None => wallets::find(context, wallet)?.address(),
    }
}
