//! `iexec orderbook workerpool`.

use protocol::order::WorkerpoolOrder;
use serde_json::json;

use super::filter::{self, Columns, FilterArgs, ForApp, ForDataset, ForRequester, party};
use crate::{
    cli::ChainArgs,
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec orderbook workerpool --category 0 --chain local")]
pub(crate) struct Args {
    /// The workerpool, or `any`; all if left out
    address: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Only this category
    #[arg(long, value_name = "id")]
    category: Option<String>,
    /// Only with at least this trust
    #[arg(long, value_name = "integer")]
    min_trust: Option<String>,
    #[command(flatten)]
    app: ForApp,
    #[command(flatten)]
    dataset: ForDataset,
    #[command(flatten)]
    requester: ForRequester,
}

const COLUMNS: Columns<WorkerpoolOrder> = Columns {
    key: "workerpoolOrders",
    price: |order| order.workerpoolprice,
    row: |record| {
        let order = &record.order.order;
        json!({
            "orderHash": record.order_hash,
            "price": filter::number(order.workerpoolprice),
            "remaining": filter::number(record.remaining),
            "category": filter::number(order.category),
            "tag": order.tag,
            "trust": filter::number(order.trust),
            "workerpool": order.workerpool.to_checksum(None),
            "apprestrict": order.apprestrict.to_checksum(None),
            "datasetrestrict": order.datasetrestrict.to_checksum(None),
            "requesterrestrict": order.requesterrestrict.to_checksum(None),
        })
    },
};

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let mut filter = args.filter.read()?;
    filter.subject = party("address", args.address.as_deref())?;
    filter.category = filter::category(args.category.as_deref())?;
    filter.min_trust = filter::integer("--min-trust", args.min_trust.as_deref())?;
    filter.app = args.app.read()?;
    filter.dataset = args.dataset.read()?;
    filter.requester = args.requester.read()?;
    let client = context.client(args.chain.name()).await?;
    filter::show(context, &client, &filter, &COLUMNS).await
}
