//! What workerpools offer, cheapest first.
//!
//! `cargo run -p iexec-sdk --example orderbook -- <network.json>`, with the file in the data
//! directory of `iexec up`.

mod common;

use protocol::{order::WorkerpoolOrder, rlc};
use sdk::{
    services::market::{self, Filter, Party},
    view,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let client = common::connect(&common::argument(1, "network.json")?).await?;
    let filter = Filter::everything(Party::Any);
    let book = market::book::<WorkerpoolOrder>(&client, &filter).await?;
    common::say(&format!("{} orders", book.count));
    for published in &book.orders {
        let offer = &published.order.order;
        common::say(&format!(
            "{} RLC  category {}  trust {}  {}  {} left",
            rlc::to_rlc(offer.workerpoolprice),
            offer.category,
            offer.trust,
            view::tag_words(offer.tag),
            published.remaining,
        ));
    }
    Ok(())
}
