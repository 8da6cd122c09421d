//! `iexec app publish`.

use protocol::{Address, Tag, U256, rlc};
use sdk::{
    app::{self, Offer},
    files::deployed_json::Kind,
    parse,
};
use serde_json::json;

use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    prompt, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec app publish --price 0.1 RLC --chain local")]
pub(crate) struct Args {
    /// The app; the one deployed last if left out
    address: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Do not ask
    #[arg(long)]
    force: bool,
    /// Price of a run (default: 0)
    #[arg(long, value_name = "amount unit", num_args = 1..=2)]
    price: Vec<String>,
    /// Runs sold (default: 1000000)
    #[arg(long)]
    volume: Option<String>,
    /// What the app needs of the machine, e.g. `tee,tdx`
    #[arg(long)]
    tag: Option<String>,
    /// Only with this dataset
    #[arg(long, value_name = "address")]
    dataset_restrict: Option<String>,
    /// Only on this workerpool
    #[arg(long, value_name = "address")]
    workerpool_restrict: Option<String>,
    /// Only for this requester
    #[arg(long, value_name = "address")]
    requester_restrict: Option<String>,
    /// Accepted for compatibility: nothing is checked that could fail wrongly
    #[arg(long, hide = true)]
    skip_preflight_check: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let offer = args.offer()?;
    let found = wallets::find(context, &args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    let chain_id = client.hub().chain_id();
    let app = context.address_or_deployed(args.address.as_deref(), Kind::App, chain_id)?;
    if !args.force && prompt::is_possible() {
        let price = rlc::to_rlc(offer.price);
        prompt::confirm(&format!(
            "Publish {} runs of app {app} at {price} RLC each?",
            offer.volume
        ))?;
    }
    let actor = client.actor(found.unlock(&args.wallet)?);
    let hash = app::publish(&client, &actor, app, &offer).await?;
    let raw = json!({ "orderHash": hash });
    Ok(Report::new(
        raw,
        format!("Successfully published apporder with orderHash {hash}"),
    ))
}

impl Args {
    fn offer(&self) -> Result<Offer, sdk::Error> {
        let restrict = |option: &Option<String>, name: &str| match option {
            Some(address) => parse::address(name, address),
            None => Ok(Address::ZERO),
        };
        let volume = self
            .volume
            .as_deref()
            .map(|text| parse::integer("--volume", text));
        Ok(Offer {
            price: rlc::parse(&self.price.join(" "), "nRLC")?,
            volume: volume.transpose()?.unwrap_or(U256::from(Offer::VOLUME)),
            tag: Tag::parse(self.tag.as_deref().unwrap_or_default())?,
            dataset: restrict(&self.dataset_restrict, "--dataset-restrict")?,
            workerpool: restrict(&self.workerpool_restrict, "--workerpool-restrict")?,
            requester: restrict(&self.requester_restrict, "--requester-restrict")?,
        })
    }
}
