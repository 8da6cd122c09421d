//! `iexec workerpool set-api-url`.

use chain::Asset;
use sdk::ens;
use serde_json::json;

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  iexec workerpool set-api-url https://pool.example --chain bellecour"
)]
pub(crate) struct Args {
    /// Where the API is
    #[arg(value_name = "apiUrl")]
    url: String,
    /// The workerpool; the one deployed last if left out
    #[arg(value_name = "workerpoolAddress")]
    address: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tx: TxArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let (client, actor) = wallets::actor(context, &args.wallet, &args.chain, &args.tx).await?;
    let (given, chain_id) = (args.address.as_deref(), client.hub().chain_id());
    let pool = context.address_or_deployed(given, Asset::Workerpool, chain_id)?;
    let tx = ens::set_pool_url(&client, &actor, pool, &args.url).await?;
    let address = pool.to_checksum(None);
    let message = format!("The API of workerpool {address} is at {}", args.url);
    let raw = json!({ "address": address, "url": args.url, "txHash": tx });
    Ok(Report::new(raw, message))
}
