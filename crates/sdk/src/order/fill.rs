//! Four orders into a deal.

use chain::Actor;
use protocol::{
    Address, Bytes,
    order::{AppOrder, DatasetOrder, RequestOrder, Signed, WorkerpoolOrder},
};

use super::facts::{self, Trusted};
use crate::{
    Client, Error,
    run::{
        self, Started,
        check::{self, Estimate, Orders},
        request::Wishes,
    },
};

/// What a match of these orders would be, judged as the contract will.
///
/// # Errors
/// [`Error::Unmatchable`], [`Error::Insolvent`], [`Error::Chain`].
pub async fn estimate(
    client: &Client,
    orders: &Orders,
    trusted: Trusted,
) -> Result<Estimate, Error> {
    let facts = facts::gather(client, orders, trusted).await?;
    check::judge(orders, &facts, &client.chain().name)
}

/// Matches four signed orders.
///
/// # Errors
/// As [`estimate`], before anything is sent; [`Error::Chain`].
pub async fn fill(client: &Client, actor: &Actor, orders: &Orders) -> Result<Started, Error> {
    estimate(client, orders, Trusted::default()).await?;
    run::match_orders(actor, orders).await
}

/// The request order that the three others call for: their prices, the workerpool's category, one
/// task; not signed yet.
pub fn request_for(
    app: &AppOrder,
    dataset: &DatasetOrder,
    pool: &WorkerpoolOrder,
    requester: Address,
    params: String,
) -> Signed<RequestOrder> {
    let mut wishes = Wishes::of(app.app);
    wishes.dataset = Some(dataset.dataset);
    wishes.workerpool = Some(pool.workerpool);
    wishes.tag = app.tag;
    let prices = [app.appprice, dataset.datasetprice, pool.workerpoolprice];
    Signed {
        order: wishes.order(requester, params, prices, pool.category),
        sign: Bytes::new(),
    }
}
