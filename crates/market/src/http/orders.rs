//! The four books: list, look up, publish, unpublish.

use std::{future::Future, pin::Pin, sync::Arc};

use axum::{
    body::Bytes,
    extract::{Query, State, rejection::BytesRejection},
    http::{HeaderMap, header::AUTHORIZATION},
};
use protocol::{OrderHash, order::Kind};
use serde_json::{Value, json};

use super::{Answer, Params_, Shared, answer::Id};
use crate::{
    Error, book,
    challenge::Proof,
    input::{self, Params},
    refusal::Refusal,
    service::Market,
    unpublish::Target,
};

type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;
type Body = Result<Bytes, BytesRejection>;

/// `GET /{kind}orders/{hash}`: an order of any status.
pub(super) fn one(
    kind: Kind,
) -> impl Fn(Shared, Id, Params_) -> Answering + Clone + Send + Sync + 'static {
    move |State(market), Id(hash), Query(query)| {
        Box::pin(async move {
            let hash = input::bytes32("orderHash", &Value::String(hash))?;
            Params::from(query).expect_chain(market.config.chain_id)?;
            let found = market.database.order(OrderHash(hash)).await?;
            let found = found.filter(|record| record.kind == kind);
            let missing = || Refusal::NotFound(format!("{}order", kind.name()));
            let record = found.ok_or_else(missing)?;
            Ok(record.single(market.config.chain_id).into())
        })
    }
}

/// `GET /{kind}orders`: a page of the open orders that match.
pub(super) fn list(
    kind: Kind,
) -> impl Fn(Shared, Params_) -> Answering + Clone + Send + Sync + 'static {
    move |State(market), Query(query)| {
        Box::pin(async move {
            let params = Params::from(query);
            let query = book::read(kind, &params)?;
            params.expect_chain(market.config.chain_id)?;
            super::page_of(&market, &query).await
        })
    }
}

/// `POST /{kind}orders`: publishes an order.
pub(super) fn publish(
    kind: Kind,
) -> impl Fn(Shared, Params_, HeaderMap, Body) -> Answering + Clone + Send + Sync + 'static {
    move |State(market), Query(query), headers, body| {
        Box::pin(async move {
            let (body, proof) = admit(&market, query.into(), &headers, body).await?;
            let order = input::read_order(kind, &body)?;
            undisturbed(async move {
                let authorised = market.redeem(proof)?;
                let record = market.publish(kind, authorised, order).await?;
                let shown = record.listed(market.config.chain_id);
                Ok(json!({ "published": shown }).into())
            })
            .await
        })
    }
}

/// `PUT /{kind}orders`: takes orders out of the book.
pub(super) fn unpublish(
    kind: Kind,
) -> impl Fn(Shared, Params_, HeaderMap, Body) -> Answering + Clone + Send + Sync + 'static {
    move |State(market), Query(query), headers, body| {
        Box::pin(async move {
            let (body, proof) = admit(&market, query.into(), &headers, body).await?;
            let target = Target::read(kind, &body)?;
            undisturbed(async move {
                let signer = market.redeem(proof)?;
                let gone = market.unpublish(kind, signer, target).await?;
                Ok(json!({ "unpublished": gone }).into())
            })
            .await
        })
    }
}

/// Runs a change of the book to its end, even if the client hangs up: database and memory must not
/// part in the middle.
async fn undisturbed(change: impl Future<Output = Answer> + Send + 'static) -> Answer {
    tokio::spawn(change)
        .await
        .unwrap_or_else(|error| Err(Refusal::Failed(Error::Interrupted(error))))
}

/// The body, and who sent it.
async fn admit(
    market: &Arc<Market>,
    params: Params,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Value, Proof), Refusal> {
    params.expect_chain(market.config.chain_id)?;
    let body = body.map_err(|_| Refusal::TooLarge)?;
    let body = serde_json::from_slice(&body).map_err(|_| Refusal::Malformed)?;
    let header = headers.get(AUTHORIZATION).and_then(|h| h.to_str().ok());
    Ok((body, market.prove(header).await?))
}
