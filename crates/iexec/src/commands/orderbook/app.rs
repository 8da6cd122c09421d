//! `iexec orderbook app`.

use protocol::rlc;
use sdk::{parse, services::market};
use serde_json::{Value, json};

use super::filter::FilterArgs;
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
    /// Also orders restricted to this dataset
    #[arg(long, value_name = "address")]
    dataset: Option<String>,
    /// Also orders restricted to this workerpool
    #[arg(long, value_name = "address")]
    workerpool: Option<String>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let mut filter = args.filter.read()?;
    filter.subject = parse::address_or_any("address", Some(&args.address))?;
    filter.dataset = parse::address_or_any("--dataset", args.dataset.as_deref())?;
    filter.workerpool = parse::address_or_any("--workerpool", args.workerpool.as_deref())?;
    let client = context.client(args.chain.name()).await?;
    let book = market::app_orders(&client, &filter).await?;
    let orders: Vec<Value> = book
        .orders
        .iter()
        .map(|record| {
            let order = &record.order.order;
            json!({
                "orderHash": record.order_hash,
                "price": order.appprice.to_string(),
                "remaining": record.remaining.to_string(),
                "app": order.app.to_checksum(None),
                "tag": order.tag,
                "datasetrestrict": order.datasetrestrict.to_checksum(None),
                "workerpoolrestrict": order.workerpoolrestrict.to_checksum(None),
                "requesterrestrict": order.requesterrestrict.to_checksum(None),
            })
        })
        .collect();
    let cheapest = book
        .orders
        .first()
        .map(|record| rlc::to_rlc(record.order.order.appprice));
    let message = super::summary(book.count, cheapest);
    let raw = json!({ "count": book.count, "appOrders": orders });
    Ok(Report::new(raw, message).with_data(&json!(orders)))
}
