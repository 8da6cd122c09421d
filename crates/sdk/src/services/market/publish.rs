//! Putting orders into the book and taking them back.

use chain::Wallet;
use protocol::{
    Address, OrderHash,
    order::{Kind, Order, Signed},
};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{login::login, no_such_route, route};
use crate::{
    Client, Error,
    error::Api,
    http::{Body, Call},
};

/// Publishes an order; its hash comes back.
///
/// # Errors
/// [`Error::Api`] with the market's reason.
pub async fn publish<O: Order>(
    client: &Client,
    wallet: &Wallet,
    order: &Signed<O>,
) -> Result<OrderHash, Error> {
    #[derive(Deserialize)]
    struct Answer {
        published: Hash,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Hash {
        order_hash: OrderHash,
    }
    let token = login(client, wallet).await?;
    let call = Call::new(
        Method::POST,
        Api::Market,
        client.chain().market()?,
        route(O::KIND),
    )
    .query("chainId", client.hub().chain_id())
    .token(token)
    .body(Body::Json(json!({ "order": order })));
    let answer: Answer = client.http().json(&call).await?.ok_or_else(no_such_route)?;
    Ok(answer.published.order_hash)
}

/// Takes orders of `subject` back: the last one, or all. The hashes come back, none when nothing
/// was published.
///
/// # Errors
/// [`Error::Api`] with the market's reason.
pub async fn unpublish(
    client: &Client,
    wallet: &Wallet,
    kind: Kind,
    subject: Address,
    all: bool,
) -> Result<Vec<OrderHash>, Error> {
    let target = if all {
        "unpublish_all"
    } else {
        "unpublish_last"
    };
    let subject_key = if kind == Kind::Request {
        "requester"
    } else {
        kind.name()
    };
    let body = json!({ "target": target, subject_key: subject.to_checksum(None) });
    take_back(client, wallet, kind, body).await
}

/// Takes one order back; its hash comes back.
///
/// # Errors
/// [`Error::Api`] with the market's reason, e.g. that it is not published.
pub async fn unpublish_order(
    client: &Client,
    wallet: &Wallet,
    kind: Kind,
    hash: OrderHash,
) -> Result<OrderHash, Error> {
    let body = json!({ "target": "unpublish_orderHash", "orderHash": hash });
    let unpublished = take_back(client, wallet, kind, body).await?;
    Ok(unpublished.first().copied().unwrap_or(hash))
}

async fn take_back(
    client: &Client,
    wallet: &Wallet,
    kind: Kind,
    body: Value,
) -> Result<Vec<OrderHash>, Error> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        unpublished: Vec<OrderHash>,
    }
    let token = login(client, wallet).await?;
    let call = Call::new(
        Method::PUT,
        Api::Market,
        client.chain().market()?,
        route(kind),
    )
    .query("chainId", client.hub().chain_id())
    .token(token)
    .body(Body::Json(body));
    // 404: there was nothing to take back
    let answer: Option<Answer> = client.http().json(&call).await?;
    Ok(answer.map(|answer| answer.unpublished).unwrap_or_default())
}
