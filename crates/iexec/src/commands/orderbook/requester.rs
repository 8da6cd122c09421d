//! `iexec orderbook requester`.

use protocol::order::RequestOrder;
use serde_json::json;

use super::filter::{self, Columns, FilterArgs, ForWorkerpool, party, restriction};
use crate::{
    cli::ChainArgs,
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec orderbook requester any --app 0x2aD6…0F4c --chain local")]
pub(crate) struct Args {
    /// The requester, or `any`; all if left out
    address: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Only this category
    #[arg(long, value_name = "id")]
    category: Option<String>,
    /// Only those that ask for at most this trust
    #[arg(long, value_name = "integer")]
    max_trust: Option<String>,
    /// Only for this app
    #[arg(long, value_name = "address")]
    app: Option<String>,
    /// Only for this dataset
    #[arg(long, value_name = "address")]
    dataset: Option<String>,
    /// Only with results for this beneficiary
    #[arg(long, value_name = "address")]
    beneficiary: Option<String>,
    #[command(flatten)]
    workerpool: ForWorkerpool,
}

const COLUMNS: Columns<RequestOrder> = Columns {
    key: "requestOrders",
    price: |order| order.workerpoolmaxprice,
    row: |record| {
        let order = &record.order.order;
        json!({
            "orderHash": record.order_hash,
            "app": order.app.to_checksum(None),
            "dataset": order.dataset.to_checksum(None),
            "workerpool": order.workerpool.to_checksum(None),
            "requester": order.requester.to_checksum(None),
            "beneficiary": order.beneficiary.to_checksum(None),
            "category": filter::number(order.category),
            "tag": order.tag,
            "trust": filter::number(order.trust),
            "price": filter::number(order.workerpoolmaxprice),
            "remaining": filter::number(record.remaining),
        })
    },
};

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let mut filter = args.filter.read()?;
    filter.subject = party("address", args.address.as_deref())?;
    filter.category = filter::category(args.category.as_deref())?;
    filter.max_trust = filter::integer("--max-trust", args.max_trust.as_deref())?;
    filter.app = restriction("--app", args.app.as_deref(), false)?;
    filter.dataset = restriction("--dataset", args.dataset.as_deref(), false)?;
    filter.beneficiary = party("--beneficiary", args.beneficiary.as_deref())?;
    filter.workerpool = args.workerpool.read()?;
    let client = context.client(args.chain.name()).await?;
    filter::show(context, &client, &filter, &COLUMNS).await
}
