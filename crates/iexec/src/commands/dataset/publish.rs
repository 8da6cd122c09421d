//! `iexec dataset publish`.

use chain::Asset;
use sdk::{Client, dataset::Offer, run::preflight};

use crate::{
    commands::asset::publish::{self, restriction},
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec dataset publish --price 0.1 RLC --tag tee,tdx")]
pub(crate) struct Args {
    #[command(flatten)]
    common: publish::OfferArgs,
    /// Only with this app
    #[arg(long, value_name = "address")]
    app_restrict: Option<String>,
    /// Only on this workerpool
    #[arg(long, value_name = "address")]
    workerpool_restrict: Option<String>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let terms = args.common.terms(Asset::Dataset, Offer::VOLUME)?;
    let workerpool = args.workerpool_restrict.as_deref();
    let offer = Offer {
        price: terms.price,
        volume: terms.volume,
        tag: terms.tag,
        app: restriction("--app-restrict", args.app_restrict.as_deref())?,
        workerpool: restriction("--workerpool-restrict", workerpool)?,
        requester: terms.requester,
    };
    let is_tee = terms.tag.is_tee();
    let preflight = async |client: &Client, address| {
        if is_tee {
            context.notes(preflight::dataset(client, address).await?);
        }
        Ok(())
    };
    publish::run(&args.common, context, &terms, &offer, preflight).await
}
