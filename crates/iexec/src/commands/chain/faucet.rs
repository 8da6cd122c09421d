//! `iexec chain faucet`.

use chain::Wallet;
use protocol::{Address, U256, rlc};
use sdk::{parse, wallet};
use serde_json::json;

use crate::{
    cli::WalletArgs,
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// The account of the local network that gives.
const ROLE: &str = "faucet";
/// Wei in one coin of the chain.
const WEI_PER_COIN: u64 = 1_000_000_000_000_000_000;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  iexec chain faucet\n  \
    iexec chain faucet 0x0000000000000000000000000000000000000123 --rlc 5 --gas 0")]
pub(crate) struct Args {
    /// Who gets it, by default the wallet in use
    address: Option<String>,
    /// How many RLC
    #[arg(long, value_name = "amount", default_value = "100")]
    rlc: String,
    /// How many of the chain's coins
    #[arg(long, value_name = "amount", default_value_t = 1)]
    gas: u64,
    #[command(flatten)]
    wallet: WalletArgs,
}

/// Runs it. The key of the faucet is in `network.json`: nothing of a local network is worth
/// anything.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let nrlc = rlc::parse(&format!("{} RLC", args.rlc), "RLC").map_err(sdk::Error::from)?;
    let wei = U256::from(args.gas) * U256::from(WEI_PER_COIN);
    let to = receiver(args, context)?;
    let faucet = faucet(context)?;
    let client = context.client(Some("local")).await?;
    let gift = wallet::give(&client.actor(faucet), to, nrlc, wei).await?;
    let raw = json!({
        "address": to.to_checksum(None),
        "rlc": nrlc.to_string(),
        "gas": wei.to_string(),
        "txHashes": gift.map(|receipt| receipt.tx),
    });
    let text = format!("Gave {} RLC and {} coins to {to}", args.rlc, args.gas);
    Ok(Report::new(raw, text))
}

fn receiver(args: &Args, context: &Context) -> Result<Address, Failure> {
    match &args.address {
        Some(text) => Ok(parse::address("receiver", text)?),
        None => wallets::find(context, &args.wallet)?.address(),
    }
}

fn faucet(context: &Context) -> Result<Wallet, Failure> {
    let network = context.network()?.ok_or_else(|| {
        Failure::new("no local network").hint("start one with `iexec up --detach`")
    })?;
    let account = network
        .account(ROLE)
        .ok_or_else(|| Failure::new("the local network has no faucet"))?;
    Wallet::from_key(&account.private_key)
        .map_err(|error| Failure::new(format!("the key of the faucet: {error}")))
}
