//! What can be done with one order.

use chain::{Actor, Receipt};
use protocol::{OrderHash, order::Kind};
use serde_json::{Map, Value, json};

use super::{AnyOrder, facts, name, tags};
use crate::{
    Client, Error,
    run::preflight,
    services::market::{self, deals},
};

/// Signs an order, when the wallet may: the subject's owner on chain, or the requester.
///
/// # Errors
/// [`Error::NotFound`] for a subject that is not deployed, [`Error::NotOwner`],
/// [`Error::Invalid`] for a tag that cannot be served, [`Error::Chain`].
pub async fn sign(client: &Client, actor: &Actor, order: AnyOrder) -> Result<AnyOrder, Error> {
    tags::check("tag", order.kind(), order.tag())?;
    authorized(client, actor, &order, "sign this order").await?;
    order.signed(actor)
}

/// Asks whether what the order needs is there: an app that workers can run, secrets of a
/// confidential order (spec/client.md §5.1). What could not be looked at comes back, for people.
///
/// # Errors
/// As [`preflight`].
pub async fn check_needs(client: &Client, order: &AnyOrder) -> Result<Vec<String>, Error> {
    match order {
        AnyOrder::App(order) => preflight::app(client, order.order.app)
            .await
            .map(|_| vec![]),
        AnyOrder::Dataset(order) if order.order.tag.is_tee() => {
            preflight::dataset(client, order.order.dataset).await
        }
        AnyOrder::Request(order) => {
            preflight::app(client, order.order.app).await?;
            preflight::request(client, &order.order, order.order.tag).await
        }
        _ => Ok(vec![]),
    }
}

/// Puts a signed order on the market; its hash comes back.
///
/// # Errors
/// [`Error::Api`] with the market's reason.
pub async fn publish(client: &Client, actor: &Actor, order: &AnyOrder) -> Result<OrderHash, Error> {
    order.post(client, actor).await
}

/// Takes an order off the market; it stays valid until it is cancelled.
///
/// # Errors
/// [`Error::Api`] with the market's reason.
pub async fn unpublish(
    client: &Client,
    actor: &Actor,
    kind: Kind,
    hash: OrderHash,
) -> Result<OrderHash, Error> {
    market::unpublish_order(client, actor.wallet(), kind, hash).await
}

/// Closes an order on chain for good, whoever has a copy of it.
///
/// # Errors
/// [`Error::Closed`] when nothing is left of it, before anything is sent; [`Error::NotFound`],
/// [`Error::NotOwner`], [`Error::Chain`].
pub async fn cancel(client: &Client, actor: &Actor, order: &AnyOrder) -> Result<Receipt, Error> {
    authorized(client, actor, order, "cancel this order").await?;
    if order.remaining(client).await?.is_zero() {
        let order = name(order.kind());
        return Err(Error::Closed { order });
    }
    order.close(actor).await
}

/// The market's record of an order, with the deals made of it when `with_deals`.
///
/// # Errors
/// [`Error::NotFound`] when the market does not know the order, [`Error::Api`].
pub async fn show(
    client: &Client,
    kind: Kind,
    hash: OrderHash,
    with_deals: bool,
) -> Result<Map<String, Value>, Error> {
    let record = market::record(client, kind, hash).await?;
    let mut record = record.ok_or_else(|| client.not_found(name(kind), hash))?;
    if with_deals {
        let made = deals::deals(client, deals::Of::Order(kind, hash)).await?;
        let deals = json!({ "count": made.count, "lastDeals": made.deals });
        record.insert("deals".to_owned(), deals);
    }
    Ok(record)
}

/// The order itself from the market.
///
/// # Errors
/// As [`show`]; [`Error::Api`] when the market's order is not one.
pub async fn fetch(client: &Client, kind: Kind, hash: OrderHash) -> Result<AnyOrder, Error> {
    let mut record = show(client, kind, hash, false).await?;
    let order = record.remove("order").unwrap_or_default();
    let broken = |message: String| Error::Api {
        api: crate::Api::Market,
        message,
    };
    let order = AnyOrder::read(kind, order)
        .map_err(|error| broken(format!("its {} is not one: {error}", name(kind))))?;
    match order.hash(client) == hash {
        true => Ok(order),
        false => Err(broken(format!("its {} has another hash", name(kind)))),
    }
}

async fn authorized(
    client: &Client,
    actor: &Actor,
    order: &AnyOrder,
    action: &'static str,
) -> Result<(), Error> {
    let (kind, address) = (order.kind(), order.subject());
    let signer = facts::signer(client, kind, address).await?;
    let owner = signer.ok_or(Error::NotDeployed {
        kind: kind.name(),
        address,
    })?;
    match owner == actor.address() {
        true => Ok(()),
        false => Err(Error::NotOwner {
            kind: kind.name(),
            address,
            owner,
            action,
        }),
    }
}
