//! Deals and categories.

use axum::extract::{Query, State};
use protocol::DealId;
use serde_json::{Value, json};

use super::{
    Answer, Params_, Shared,
    answer::{Id, list as page_of},
};
use crate::{
    book::{self, Page},
    database::DealFilter,
    input::{self, Params},
    refusal::Refusal,
};

/// Deals in an answer of `/ohlc`.
const OHLC_DEALS_MAX: u64 = 100;

/// `GET /deals`.
pub(super) async fn list(State(market): Shared, Query(query): Params_) -> Answer {
    let params = Params::from(query);
    let (filter, page) = book::read_deals(&params)?;
    params.expect_chain(market.config.chain_id)?;
    let (count, deals) = market.database.deals(&filter, page).await?;
    Ok(page_of("deals", deals, count, page))
}

/// `GET /deals/{id}`; the chain id is text here.
pub(super) async fn one(State(market): Shared, Id(id): Id, Query(query): Params_) -> Answer {
    let id = input::bytes32("dealid", &Value::String(id))?;
    Params::from(query).expect_chain(market.config.chain_id)?;
    let deal = market.database.deal(DealId(id)).await?;
    let mut deal = deal.ok_or_else(|| Refusal::NotFound("deal".to_owned()))?;
    deal["chainId"] = market.config.chain_id.to_string().into();
    Ok(deal.into())
}

/// `GET /ohlc`: what the newest deals of a category paid for the workerpool.
pub(super) async fn ohlc(State(market): Shared, Query(query): Params_) -> Answer {
    let params = Params::from(query);
    let category = params.integer("category", 0)?;
    let category = Some(category.ok_or_else(|| input::required("category"))?);
    params.expect_chain(market.config.chain_id)?;
    let filter = DealFilter {
        category,
        ..DealFilter::default()
    };
    let page = Page {
        skip: 0,
        size: OHLC_DEALS_MAX,
    };
    let (_, deals) = market.database.deals(&filter, page).await?;
    let point = |deal: &Value| {
        json!([
            deal["blockTimestamp"],
            deal["workerpool"]["price"],
            deal["volume"]
        ])
    };
    Ok(json!({ "ohlc": deals.iter().map(point).collect::<Vec<_>>() }).into())
}

/// `GET /categories`.
pub(super) async fn categories(State(market): Shared, Query(query): Params_) -> Answer {
    let params = Params::from(query);
    let page = book::page(&params)?;
    let most = params.integer("maxWorkClockTimeRef", 0)?;
    let least = params.integer("minWorkClockTimeRef", 0)?;
    params.expect_chain(market.config.chain_id)?;
    let bounds = (least.unwrap_or(0), most.unwrap_or(input::INTEGER_MAX));
    let (count, found) = market.database.categories(bounds, page).await?;
    Ok(page_of("categories", found, count, page))
}

/// `GET /categories/{id}`; the chain id is text here.
pub(super) async fn category(State(market): Shared, Id(id): Id, Query(query): Params_) -> Answer {
    let id = input::integer("catid", &Value::String(id), 0, input::INTEGER_MAX)?;
    Params::from(query).expect_chain(market.config.chain_id)?;
    let category = market.database.category(id).await?;
    let mut category = category.ok_or_else(|| Refusal::NotFound("category".to_owned()))?;
    category["chainId"] = market.config.chain_id.to_string().into();
    Ok(category.into())
}
