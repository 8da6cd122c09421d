//! `iexec orderbook dataset`.

use protocol::order::DatasetOrder;
use serde_json::json;

use super::filter::{self, Columns, FilterArgs, ForApp, ForRequester, ForWorkerpool, party};
use crate::{
    cli::ChainArgs,
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec orderbook dataset any --app 0x2aD6…0F4c --chain local")]
pub(crate) struct Args {
    /// The dataset, or `any`
    address: String,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    app: ForApp,
    #[command(flatten)]
    workerpool: ForWorkerpool,
    #[command(flatten)]
    requester: ForRequester,
}

const COLUMNS: Columns<DatasetOrder> = Columns {
    key: "datasetOrders",
    price: |order| order.datasetprice,
    row: |record| {
        let order = &record.order.order;
        json!({
            "orderHash": record.order_hash,
            "price": filter::number(order.datasetprice),
            "remaining": filter::number(record.remaining),
            "dataset": order.dataset.to_checksum(None),
            "tag": order.tag,
            "apprestrict": order.apprestrict.to_checksum(None),
            "workerpoolrestrict": order.workerpoolrestrict.to_checksum(None),
            "requesterrestrict": order.requesterrestrict.to_checksum(None),
        })
    },
};

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let mut filter = args.filter.read()?;
    filter.subject = party("address", Some(&args.address))?;
    filter.app = args.app.read()?;
    filter.workerpool = args.workerpool.read()?;
    filter.requester = args.requester.read()?;
    let client = context.client(args.chain.name()).await?;
    filter::show(context, &client, &filter, &COLUMNS).await
}
