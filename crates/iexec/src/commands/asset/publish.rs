//! `publish` of an asset: an order signed and put on the market.

use chain::Asset;
use protocol::{Address, Tag, U256, rlc};
use sdk::{
    Client,
    asset::{self, Offer},
    order::tags,
    parse,
};
use serde_json::json;

use crate::{
    amount,
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    prompt, wallets,
};

/// Options of all kinds.
#[derive(Debug, clap::Args)]
pub(crate) struct OfferArgs {
    /// Its address; the one deployed last if left out
    address: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Do not ask
    #[arg(long)]
    force: bool,
    /// Price of one task, in nRLC unless a unit is given (default: 0)
    #[arg(long, value_name = "amount unit", num_args = 1..=2)]
    price: Vec<String>,
    /// How many tasks (default: 1000000 for apps and datasets, 1 for workerpools)
    #[arg(long)]
    volume: Option<String>,
    /// What the machine must have, or a workerpool has, e.g. `tee,tdx` (default: nothing)
    #[arg(long)]
    tag: Option<String>,
    /// Only for this requester
    #[arg(long, value_name = "address")]
    requester_restrict: Option<String>,
    /// Publish even what nobody could use
    #[arg(long)]
    skip_preflight_check: bool,
}

/// What the options say, of all kinds.
#[derive(Debug)]
pub(crate) struct Terms {
    /// As typed, also behind `--price`.
    address: Option<String>,
    /// nRLC a task.
    pub(crate) price: U256,
    /// Tasks.
    pub(crate) volume: U256,
    /// Bits.
    pub(crate) tag: Tag,
    /// Zero for anybody.
    pub(crate) requester: Address,
}

impl OfferArgs {
    /// Reads the options; `volume` is what is offered when nothing is said.
    pub(crate) fn terms(&self, asset: Asset, volume: u64) -> Result<Terms, sdk::Error> {
        let (price, address) = amount::split(&self.price, self.address.as_deref());
        let tag = self.tag.as_deref().unwrap_or_default();
        let given = self.volume.as_deref();
        let given = given.map(|text| parse::integer("--volume", text));
        Ok(Terms {
            address: address.map(str::to_owned),
            price: rlc::parse(&price, "nRLC")?,
            volume: given.transpose()?.unwrap_or(U256::from(volume)),
            tag: tags::read("--tag", asset::book(asset), tag)?,
            requester: restriction("--requester-restrict", self.requester_restrict.as_deref())?,
        })
    }
}

/// The address an order is restricted to; zero for no restriction.
pub(crate) fn restriction(option: &str, given: Option<&str>) -> Result<Address, sdk::Error> {
    given.map_or(Ok(Address::ZERO), |given| parse::address(option, given))
}

/// Publishes `offer`; `preflight` says whether anybody could use it.
pub(crate) async fn run<O: Offer>(
    args: &OfferArgs,
    context: &Context,
    terms: &Terms,
    offer: &O,
    preflight: impl AsyncFnOnce(&Client, Address) -> Result<(), sdk::Error>,
) -> Result<Report, Failure> {
    let kind = O::ASSET.name();
    let found = wallets::find(context, &args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    let chain_id = client.hub().chain_id();
    let address = context.address_or_deployed(terms.address.as_deref(), O::ASSET, chain_id)?;
    if !args.skip_preflight_check {
        preflight(&client, address).await?;
    }
    if !args.force && prompt::is_possible() {
        let (volume, price) = (terms.volume, rlc::to_rlc(terms.price));
        prompt::confirm(&format!(
            "Publish an order for {volume} uses of {kind} {address} at {price} RLC each?"
        ))?;
    }
    let actor = client.actor(found.unlock(&args.wallet)?);
    let hash = sdk::asset::publish(&client, &actor, address, offer).await?;
    let message = format!(
        "Successfully published {kind}order with orderHash {hash}\n\
         Run \"iexec orderbook {kind} {address}\" to show published {kind}orders"
    );
    Ok(Report::new(json!({ "orderHash": hash }), message))
}
