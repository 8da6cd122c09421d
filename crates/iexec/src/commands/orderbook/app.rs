//! `iexec orderbook app`.

use protocol::order::AppOrder;
use serde_json::json;

use super::filter::{self, Columns, FilterArgs, ForDataset, ForRequester, ForWorkerpool, party};
use crate::{
    cli::ChainArgs,
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec orderbook app 0x2aD6…0F4c --chain local")]
pub(crate) struct Args {
    /// The app, or `any`
    address: String,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    dataset: ForDataset,
    #[command(flatten)]
    workerpool: ForWorkerpool,
    #[command(flatten)]
    requester: ForRequester,
}

const COLUMNS: Columns<AppOrder> = Columns {
    key: "appOrders",
    price: |order| order.appprice,
    row: |record| {
        let order = &record.order.order;
        json!({
            "orderHash": record.order_hash,
            "price": filter::number(order.appprice),
            "remaining": filter::number(record.remaining),
            "app": order.app.to_checksum(None),
            "tag": order.tag,
            "datasetrestrict": order.datasetrestrict.to_checksum(None),
            "workerpoolrestrict": order.workerpoolrestrict.to_checksum(None),
            "requesterrestrict": order.requesterrestrict.to_checksum(None),
        })
    },
};

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let mut filter = args.filter.read()?;
    filter.subject = party("address", Some(&args.address))?;
    filter.dataset = args.dataset.read()?;
    filter.workerpool = args.workerpool.read()?;
    filter.requester = args.requester.read()?;
    let client = context.client(args.chain.name()).await?;
    filter::show(context, &client, &filter, &COLUMNS).await
}
