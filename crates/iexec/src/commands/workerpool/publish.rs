//! `iexec workerpool publish`.

use chain::Asset;
use protocol::U256;
use sdk::{
    parse,
    workerpool::{self, Offer},
};

use crate::{
    commands::asset::publish::{self, restriction},
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  iexec workerpool publish --category 2 --price 0.1 RLC --volume 10"
)]
pub(crate) struct Args {
    #[command(flatten)]
    common: publish::OfferArgs,
    /// How long a task may take (default: 0)
    #[arg(long, value_name = "id")]
    category: Option<String>,
    /// How sure a result is (default: 0)
    #[arg(long, value_name = "integer")]
    trust: Option<String>,
    /// Only for this app
    #[arg(long, value_name = "address")]
    app_restrict: Option<String>,
    /// Only with this dataset
    #[arg(long, value_name = "address")]
    dataset_restrict: Option<String>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let terms = args.common.terms(Asset::Workerpool, Offer::VOLUME)?;
    let offer = Offer {
        price: terms.price,
        volume: terms.volume,
        tag: terms.tag,
        category: number("--category", args.category.as_deref())?,
        trust: number("--trust", args.trust.as_deref())?,
        app: restriction("--app-restrict", args.app_restrict.as_deref())?,
        dataset: restriction("--dataset-restrict", args.dataset_restrict.as_deref())?,
        requester: terms.requester,
    };
    let preflight = async |client: &sdk::Client, _| workerpool::preflight(client, &offer).await;
    publish::run(&args.common, context, &terms, &offer, preflight).await
}

fn number(option: &str, given: Option<&str>) -> Result<U256, sdk::Error> {
    given.map_or(Ok(U256::ZERO), |given| parse::integer(option, given))
}
