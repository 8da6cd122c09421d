//! `iexec app publish`.

use chain::Asset;
use sdk::{Client, app::Offer, run::preflight};

use crate::{
    commands::asset::publish::{self, restriction},
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec app publish --price 0.1 RLC --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    common: publish::OfferArgs,
    /// Only with this dataset
    #[arg(long, value_name = "address")]
    dataset_restrict: Option<String>,
    /// Only on this workerpool
    #[arg(long, value_name = "address")]
    workerpool_restrict: Option<String>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let terms = args.common.terms(Asset::App, Offer::VOLUME)?;
    let dataset = args.dataset_restrict.as_deref();
    let workerpool = args.workerpool_restrict.as_deref();
    let offer = Offer {
        price: terms.price,
        volume: terms.volume,
        tag: terms.tag,
        dataset: restriction("--dataset-restrict", dataset)?,
        workerpool: restriction("--workerpool-restrict", workerpool)?,
        requester: terms.requester,
    };
    if !terms.tag.is_tee() {
        context.note(
            "Without --tag tee,tdx only standard tasks can use this order: \
             the official client 9.0.1 asks for confidential ones",
        );
    }
    let preflight = async |client: &Client, app| preflight::app(client, app).await.map(drop);
    publish::run(&args.common, context, &terms, &offer, preflight).await
}
