//! The market API over HTTP: routes, and everything between the socket and the rules.

mod answer;
mod cors;
mod deals;
mod events;
#[cfg(test)]
mod fuzz;
mod limit;
mod orders;

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Query, State},
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    routing::get,
};
use protocol::order::Kind;
use serde_json::json;

use crate::{
    book::Query as BookQuery, database::Counter, input::Params, refusal::Refusal, service::Market,
};
use answer::Answer;
use limit::Limiter;

/// Longest request body: upstream's limit. An order takes about 1.5 kB.
const BODY_BYTES_MAX: usize = 1_000_000;

type Shared = State<Arc<Market>>;
type Params_ = Query<HashMap<String, String>>;

pub(crate) use events::LISTENERS_MAX;

pub(crate) fn router(market: Arc<Market>) -> Router {
    let limiter = Arc::new(Limiter::new(&market.config, market.clock.clone()));
    let mut router = Router::new()
        .route("/version", get(version))
        .route("/metrics", get(metrics))
        .route("/challenge", get(challenge))
        .route("/events", get(events::events))
        .route("/deals", get(deals::list))
        .route("/deals/{id}", get(deals::one))
        .route("/ohlc", get(deals::ohlc))
        .route("/categories", get(deals::categories))
        .route("/categories/{id}", get(deals::category));
    for kind in Kind::ALL {
        let book = format!("/{}orders", kind.name());
        router = router
            .route(&format!("{book}/{{hash}}"), get(orders::one(kind)))
            .route(
                &book,
                get(orders::list(kind))
                    .post(orders::publish(kind))
                    .put(orders::unpublish(kind)),
            );
    }
    router
        .method_not_allowed_fallback(wrong_verb)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(limiter, limit::limit))
        .layer(from_fn(cors::cors))
        .with_state(market)
}

async fn wrong_verb() -> (StatusCode, &'static str) {
    (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}

async fn version() -> Answer {
    Ok(json!({ "version": env!("CARGO_PKG_VERSION") }).into())
}

async fn challenge(State(market): Shared, Query(query): Params_) -> Answer {
    let params = Params::from(query);
    let address = params.address("address")?;
    let address = address.ok_or_else(|| crate::input::required("address"))?;
    params.expect_chain(market.config.chain_id)?;
    Ok(json!({ "data": market.challenge(address).await? }).into())
}

async fn metrics(State(market): Shared, Query(query): Params_) -> Answer {
    Params::from(query).expect_chain(market.config.chain_id)?;
    let last = market.database.counter(Counter::LastBlock).await?;
    let last = last.unwrap_or_default();
    let mut shown = json!({ "lastBlock": last, "checkpointBlock": last });
    for kind in Kind::ALL {
        let open = market.database.look(|shelves| shelves.count(kind, None));
        shown[format!("{}orders", kind.name())] = open.into();
    }
    Ok(shown.into())
}

/// A page of a book and how many orders match in all.
async fn page_of(market: &Market, query: &BookQuery) -> Result<answer::Body, Refusal> {
    let (count, orders) = market.database.search(query).await?;
    let chain_id = market.config.chain_id;
    let shown: Vec<_> = orders.iter().map(|order| order.listed(chain_id)).collect();
    Ok(answer::list("orders", shown, count, query.page))
}
