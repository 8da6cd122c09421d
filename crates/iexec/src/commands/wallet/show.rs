//! `iexec wallet show`.

use protocol::{ether, rlc};
use sdk::{account, ens, keystore};
use serde_json::{Value, json};

use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

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
        Some(address) => {
            ens::check_address("address", address)?;
            (None, Value::Null)
        }
        None => {
            let found = wallets::find(context, &args.wallet)?;
            let address = found.address()?;
            let shown = match args.show_private_key {
                true => keystore::unencrypted(&found.unlock(&args.wallet)?),
                false => json!({ "address": address.to_checksum(None) }),
            };
            (Some(address), shown)
        }
    };
    let client = context.client(args.chain.name()).await?;
    let given = args.address.as_deref().unwrap_or_default();
    let address = match address {
        Some(address) => address,
        None => ens::address(&client, "address", given).await?,
    };
    let balance = account::balance(&client, address).await?;
    // on a native chain the coin is RLC: there is one balance, and no ether
    let is_native = client.hub().is_native();
    let coin = |text: String| (!is_native).then_some(text);
    let shown = json!({
        "ether": coin(ether::to_ether(balance.wei)),
        "RLC": rlc::to_rlc(balance.nrlc),
        "nRLC": balance.nrlc.to_string(),
        "wei": coin(balance.wei.to_string()),
    });
    let raw = json!({ "balance": without_nulls(shown), "wallet": wallet });
    let message = format!("Wallet {address} on chain {}:", client.chain().name);
    Ok(Report::new(raw.clone(), message).with_data(&without_nulls(raw)))
}

fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.retain(|_, value| !value.is_null());
    }
    value
}
