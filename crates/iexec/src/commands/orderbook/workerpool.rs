//! `iexec orderbook workerpool`.

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
#[command(after_help = "Example:\n  iexec orderbook workerpool --category 0 --chain local")]
pub(crate) struct Args {
    /// The workerpool; all if left out
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
    /// Also orders restricted to this app
    #[arg(long, value_name = "address")]
    app: Option<String>,
    /// Also orders restricted to this dataset
    #[arg(long, value_name = "address")]
    dataset: Option<String>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let mut filter = args.filter.read()?;
    filter.subject = parse::address_or_any("address", args.address.as_deref())?;
    filter.app = parse::address_or_any("--app", args.app.as_deref())?;
    filter.dataset = parse::address_or_any("--dataset", args.dataset.as_deref())?;
    let category = args
        .category
        .as_deref()
        .map(|text| parse::small("--category", text));
    filter.category = category.transpose()?;
    let trust = args
        .min_trust
        .as_deref()
        .map(|text| parse::integer("--min-trust", text));
    filter.min_trust = trust.transpose()?;
    let client = context.client(args.chain.name()).await?;
    let book = market::workerpool_orders(&client, &filter).await?;
    let orders: Vec<Value> = book
        .orders
        .iter()
        .map(|record| {
            let order = &record.order.order;
            json!({
                "orderHash": record.order_hash,
                "price": order.workerpoolprice.to_string(),
                "remaining": record.remaining.to_string(),
                "category": order.category.to_string(),
                "tag": order.tag,
                "trust": order.trust.to_string(),
                "workerpool": order.workerpool.to_checksum(None),
                "apprestrict": order.apprestrict.to_checksum(None),
                "datasetrestrict": order.datasetrestrict.to_checksum(None),
                "requesterrestrict": order.requesterrestrict.to_checksum(None),
            })
        })
        .collect();
    let cheapest = book
        .orders
        .first()
        .map(|r| rlc::to_rlc(r.order.order.workerpoolprice));
    let message = super::summary(book.count, cheapest);
    let raw = json!({ "count": book.count, "workerpoolOrders": orders });
    Ok(Report::new(raw, message).with_data(&json!(orders)))
}
