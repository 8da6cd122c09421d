//! From wishes to four signed orders: reads chain and market (spec/client.md §5.2).

use chain::{Actor, AppInfo};
use protocol::{
    Address, Tag, U256,
    order::{AppOrder, DatasetOrder, Order, RequestOrder, Signed, WorkerpoolOrder},
};

use crate::{
    Client, Error,
    app::{Offer, sign},
    run::{
        check::{self, Mismatch, Orders},
        request::Wishes,
        select::{self, Demand},
    },
    services::market::{self, Filter},
    view::tag_words,
};

/// Tasks of `app run`.
const VOLUME: U256 = U256::ONE;

/// Four orders that match and can be paid.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The orders, all signed.
    pub orders: Orders,
    /// nRLC the deal will cost.
    pub cost: U256,
}

/// Picks or signs the orders and checks them against the contract's rules.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NoOrder`], [`Error::Unmatchable`], [`Error::Insolvent`], and the
/// errors of chain and market.
pub async fn prepare(client: &Client, actor: &Actor, wishes: &Wishes) -> Result<Plan, Error> {
    let params = wishes.params_text()?;
    let app = async {
        let info = crate::app::show(client, wishes.app).await?;
        app_order(client, actor, wishes, &info).await
    };
    let (app, dataset) = tokio::try_join!(app, dataset_order(client, actor, wishes))?;
    let tag = app
        .order
        .tag
        .union(dataset.order.tag.without_framework())
        .union(wishes.tag);
    let pool = workerpool_order(client, actor, wishes, tag).await?;
    let request = request_order(
        actor,
        wishes,
        params,
        [
            &app.order.appprice,
            &dataset.order.datasetprice,
            &pool.order.workerpoolprice,
        ],
        pool.order.category,
    );
    let request = sign(actor, request)?;
    let orders = Orders {
        app,
        dataset,
        workerpool: pool,
        request,
    };
    check::matchable(&orders).map_err(Error::Unmatchable)?;
    let (account, left) = tokio::join!(
        crate::account::show(client, actor.address()),
        remaining("workerpool", client, &orders.workerpool)
    );
    left?;
    check::solvent(&orders, VOLUME, &account?, &client.chain().name).map_err(Error::Insolvent)?;
    let cost = check::cost_per_task(&orders).saturating_mul(VOLUME);
    Ok(Plan { orders, cost })
}

/// The market may lag behind the chain: a used-up order is better found out before paying gas.
async fn remaining<O: Order>(
    kind: &'static str,
    client: &Client,
    order: &Signed<O>,
) -> Result<(), Error> {
    let hash = order.hash(client.hub().domain());
    let used = client
        .hub()
        .consumed(hash)
        .await
        .map_err(Error::chain("read the order's use"))?;
    match used < order.order.volume() {
        true => Ok(()),
        false => Err(Error::Unmatchable(Mismatch::Consumed { kind })),
    }
}

async fn app_order(
    client: &Client,
    actor: &Actor,
    wishes: &Wishes,
    info: &AppInfo,
) -> Result<Signed<AppOrder>, Error> {
    if info.owner == actor.address() {
        let offer = Offer {
            volume: VOLUME,
            tag: wishes.tag,
            requester: actor.address(),
            ..Offer::free()
        };
        return sign(actor, offer.order(wishes.app, crate::salt()));
    }
    let filter = Filter {
        subject: Some(wishes.app),
        dataset: wishes.dataset,
        workerpool: wishes.workerpool,
        requester: Some(actor.address()),
        min_tag: wishes.tag.is_tee().then_some(wishes.tag),
        max_tag: Some(wishes.tag),
        ..Filter::default()
    };
    let book = market::app_orders(client, &filter).await?;
    let tag = tag_words(wishes.tag);
    select::cheapest(book.orders, |_| true).ok_or_else(|| Error::NoOrder {
        kind: "app",
        reason: format!("nothing published for app {} with tag {tag}", wishes.app),
        hint: match wishes.tag == Tag::NONE {
            true => format!(
                "its owner {} can publish one with `iexec app publish {}`; an app published with \
                 a tag needs the same --tag",
                info.owner, wishes.app
            ),
            false => format!(
                "its owner {} can publish one with `iexec app publish {} --tag {tag}`",
                info.owner, wishes.app
            ),
        },
    })
}

async fn dataset_order(
    client: &Client,
    actor: &Actor,
    wishes: &Wishes,
) -> Result<Signed<DatasetOrder>, Error> {
    let Some(dataset) = wishes.dataset else {
        return Ok(Signed::none());
    };
    let info = client
        .hub()
        .dataset(dataset)
        .await
        .map_err(Error::chain("read the dataset"))?;
    let info = info.ok_or_else(|| client.not_found("dataset", dataset))?;
    if info.owner == actor.address() {
        let order = DatasetOrder {
            dataset,
            datasetprice: U256::ZERO,
            volume: VOLUME,
            tag: wishes.tag,
            apprestrict: wishes.app,
            workerpoolrestrict: Address::ZERO,
            requesterrestrict: actor.address(),
            salt: crate::salt(),
        };
        return sign(actor, order);
    }
    let filter = Filter {
        subject: Some(dataset),
        app: Some(wishes.app),
        workerpool: wishes.workerpool,
        requester: Some(actor.address()),
        max_tag: Some(wishes.tag),
        ..Filter::default()
    };
    let book = market::dataset_orders(client, &filter).await?;
    select::cheapest(book.orders, |_| true).ok_or_else(|| Error::NoOrder {
        kind: "dataset",
        reason: format!(
            "nothing published for dataset {dataset} and app {}",
            wishes.app
        ),
        hint: format!(
            "ask its owner {} to publish a dataset order for this app",
            info.owner
        ),
    })
}

async fn workerpool_order(
    client: &Client,
    actor: &Actor,
    wishes: &Wishes,
    tag: Tag,
) -> Result<Signed<WorkerpoolOrder>, Error> {
    if let Some(pool) = wishes.workerpool {
        let info = client.hub().workerpool(pool).await;
        let info = info.map_err(Error::chain("read the workerpool"))?;
        let info = info.ok_or_else(|| client.not_found("workerpool", pool))?;
        if info.owner == actor.address() {
            return own_workerpool_order(actor, wishes, pool, tag);
        }
    }
    let demand = Demand {
        tag,
        trust: wishes.trust,
        category: wishes.category,
    };
    let filter = Filter {
        subject: wishes.workerpool,
        app: Some(wishes.app),
        dataset: wishes.dataset,
        requester: Some(actor.address()),
        min_tag: Some(tag),
        min_trust: Some(wishes.trust),
        category: wishes.category,
        ..Filter::default()
    };
    let book = market::workerpool_orders(client, &filter).await?;
    select::workerpool(book.orders, &demand).ok_or_else(|| nothing_to_run_on(wishes, tag))
}

fn own_workerpool_order(
    actor: &Actor,
    wishes: &Wishes,
    workerpool: Address,
    tag: Tag,
) -> Result<Signed<WorkerpoolOrder>, Error> {
    let order = WorkerpoolOrder {
        workerpool,
        workerpoolprice: U256::ZERO,
        volume: VOLUME,
        tag,
        category: U256::from(wishes.category.unwrap_or_default()),
        trust: wishes.trust,
        apprestrict: Address::ZERO,
        datasetrestrict: Address::ZERO,
        requesterrestrict: actor.address(),
        salt: crate::salt(),
    };
    sign(actor, order)
}

fn nothing_to_run_on(wishes: &Wishes, tag: Tag) -> Error {
    let place = wishes.workerpool.map_or_else(
        || "no workerpool offers".to_owned(),
        |pool| format!("workerpool {pool} does not offer"),
    );
    let category = wishes
        .category
        .map_or("any category".to_owned(), |c| format!("category {c}"));
    Error::NoOrder {
        kind: "workerpool",
        reason: format!(
            "{place} {category} with trust {} and tag {}",
            wishes.trust,
            tag_words(tag)
        ),
        hint: "see what is offered with `iexec orderbook workerpool`, and choose with \
               --workerpool, --category, --trust or --tag"
            .to_owned(),
    }
}

fn request_order(
    actor: &Actor,
    wishes: &Wishes,
    params: String,
    prices: [&U256; 3],
    category: U256,
) -> RequestOrder {
    RequestOrder {
        app: wishes.app,
        appmaxprice: *prices[0],
        dataset: wishes.dataset.unwrap_or_default(),
        datasetmaxprice: *prices[1],
        workerpool: wishes.workerpool.unwrap_or_default(),
        workerpoolmaxprice: *prices[2],
        requester: actor.address(),
        volume: VOLUME,
        tag: wishes.tag,
        category,
        trust: wishes.trust,
        beneficiary: wishes.beneficiary.unwrap_or_else(|| actor.address()),
        callback: wishes.callback,
        params,
        salt: crate::salt(),
    }
}
