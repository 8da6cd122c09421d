//! `iexec wallet show`.

use protocol::rlc;
use sdk::{account, keystore, parse};
use serde_json::{Value, json};

use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Decimals of the chain's coin.
const ETHER_DECIMALS: usize = 18;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec wallet show --chain local")]
pub(crate) struct Args {
    /// Another address than the wallet's
    address: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Unlock the wallet and show its key
    #[arg(long)]
    show_private_key: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let (address, wallet) = match &args.address {
        Some(address) => (parse::address("address", address)?, Value::Null),
        None => {
            let found = wallets::find(context, &args.wallet)?;
            let address = found.address()?;
            let shown = match args.show_private_key {
                true => keystore::unencrypted(&found.unlock(&args.wallet)?),
                false => json!({ "address": address.to_checksum(None) }),
            };
            (address, shown)
        }
    };
    let client = context.client(args.chain.name()).await?;
    let balance = account::balance(&client, address).await?;
    let raw = json!({
        "balance": {
            "ether": rlc::to_unit(balance.wei, ETHER_DECIMALS),
            "RLC": rlc::to_rlc(balance.nrlc),
            "nRLC": balance.nrlc.to_string(),
            "wei": balance.wei.to_string(),
        },
        "wallet": wallet,
    });
    let message = format!("Wallet {address} on chain {}:", client.chain().name);
    Ok(Report::new(raw.clone(), message).with_data(&without_nulls(raw)))
}

fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.retain(|_, value| !value.is_null());
    }
    value
}
