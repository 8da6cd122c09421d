//! The market API over HTTP: routes, and everything between the socket and the rules.

mod answer;
mod cors;
mod deals;
mod events;
#[cfg(test)]
mod fuzz;
mod limit;
mod openapi;
mod orders;

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Query, State},
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    routing::{MethodRouter, get},
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
    let mut router = Router::new();
    for (path, route) in routes() {
        router = router.route(&path, route);
    }
    router
        .method_not_allowed_fallback(wrong_verb)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(limiter, limit::limit))
        .layer(from_fn(cors::cors))
        .with_state(market)
}

/// All paths and what answers there.
fn routes() -> Vec<(String, MethodRouter<Arc<Market>>)> {
    let mut routes = vec![
        ("/version".to_owned(), get(version)),
        ("/docs".to_owned(), get(openapi::page)),
        ("/openapi.json".to_owned(), get(openapi::document)),
        ("/metrics".to_owned(), get(metrics)),
        ("/challenge".to_owned(), get(challenge)),
        ("/events".to_owned(), get(events::events)),
        ("/deals".to_owned(), get(deals::list)),
        ("/deals/{id}".to_owned(), get(deals::one)),
        ("/ohlc".to_owned(), get(deals::ohlc)),
        ("/categories".to_owned(), get(deals::categories)),
        ("/categories/{id}".to_owned(), get(deals::category)),
    ];
    for kind in Kind::ALL {
        let book = format!("/{}orders", kind.name());
        routes.push((format!("{book}/{{hash}}"), get(orders::one(kind))));
        let changes = get(orders::list(kind))
            .post(orders::publish(kind))
            .put(orders::unpublish(kind));
        routes.push((book, changes));
    }
    routes
}

#[cfg(test)]
fn paths() -> Vec<String> {
    routes().into_iter().map(|(path, _)| path).collect()
}

pub(crate) async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "Not Found")
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
    Ok(json!({ "data": market.challenge(address) }).into())
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
