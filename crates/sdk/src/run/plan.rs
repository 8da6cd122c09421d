//! From wishes to four orders: reads chain and market (spec/client.md §5.2).
//!
//! A [`Draft`] needs no key: everything that can be wrong is found out before anything is signed.

use chain::Actor;
use protocol::{
    Address, U256,
    order::{AppOrder, DatasetOrder, Kind, RequestOrder, Signed, WorkerpoolOrder},
};

use crate::{
    Client, Error,
    asset::sign,
    order::facts::{self, Trusted},
    run::{
        check::{self, Orders, pool_lock},
        choice::{self, Ask, Candidate, Known, Offer},
        request::Wishes,
    },
    services::market::{self, Filter, Party, Published},
    view::tag_words,
};

/// Orders looked at to tell why none fits, or to find one for a group: one page, cheapest first.
const CANDIDATES: usize = 100;
/// Orders asked for on chain before giving up: a book that lags further behind is broken.
const TRIES_MAX: usize = 10;
/// Group contracts asked for one book.
const GROUPS_MAX: usize = 50;

/// Four orders that will match and can be paid; our own are not signed yet.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The orders.
    pub orders: Orders,
    /// Which are our own.
    own: Trusted,
    /// Tasks.
    pub volume: U256,
    /// nRLC the deal will cost.
    pub cost: U256,
}

/// Four orders that match and can be paid, all signed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The orders.
    pub orders: Orders,
    /// nRLC the deal will cost.
    pub cost: U256,
}

impl Draft {
    /// Signs our own orders.
    ///
    /// # Errors
    /// [`Error::Chain`] when the wallet fails.
    pub fn sign(self, actor: &Actor) -> Result<Plan, Error> {
        let Orders {
            mut app,
            mut dataset,
            mut workerpool,
            request,
        } = self.orders;
        if self.own.app {
            app = sign(actor, app.order)?;
        }
        if self.own.dataset {
            dataset = sign(actor, dataset.order)?;
        }
        if self.own.workerpool {
            workerpool = sign(actor, workerpool.order)?;
        }
        let orders = Orders {
            app,
            dataset,
            workerpool,
            request: sign(actor, request.order)?,
        };
        let cost = self.cost;
        Ok(Plan { orders, cost })
    }
}

/// As [`draft`], and signs.
///
/// # Errors
/// As [`draft`].
pub async fn prepare(client: &Client, actor: &Actor, wishes: &Wishes) -> Result<Plan, Error> {
    draft(client, actor.address(), wishes).await?.sign(actor)
}

/// Picks or makes the orders and checks them against the contract's rules.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NoOrder`] with the reason for each order that does not fit,
/// [`Error::Unmatchable`], [`Error::Insolvent`], and the errors of chain and market.
pub async fn draft(client: &Client, requester: Address, wishes: &Wishes) -> Result<Draft, Error> {
    let params = wishes.params_text()?;
    let mut ask = wishes.ask(requester);
    let (app, dataset) = tokio::try_join!(app_order(client, &ask), dataset_order(client, &ask))?;
    let stripped = dataset.order.order.tag.without_framework();
    ask.machine = app.order.order.tag.union(stripped).union(wishes.tag);
    let pool = workerpool_order(client, &ask).await?;
    let own = Trusted {
        app: app.is_own,
        dataset: dataset.is_own,
        workerpool: pool.is_own,
        request: true,
    };
    let (app, dataset, workerpool) = (app.order, dataset.order, pool.order);
    let prices = [
        app.order.appprice,
        dataset.order.datasetprice,
        workerpool.order.workerpoolprice,
    ];
    let request = wishes.order(requester, params, prices, workerpool.order.category);
    let orders = Orders {
        app,
        dataset,
        workerpool,
        request: unsigned(request),
    };
    let facts = facts::gather(client, &orders, own).await?;
    let estimate = check::judge(&orders, &facts, &client.chain().name)?;
    Ok(Draft {
        orders,
        own,
        volume: estimate.volume,
        cost: estimate.total,
    })
}

/// An order for the run.
struct Leg<O> {
    order: Signed<O>,
    is_own: bool,
}

impl<O> Leg<O> {
    fn own(order: O) -> Self {
        let order = unsigned(order);
        Self {
            order,
            is_own: true,
        }
    }

    fn of(order: Signed<O>) -> Self {
        Self {
            order,
            is_own: false,
        }
    }
}

fn unsigned<O>(order: O) -> Signed<O> {
    Signed {
        order,
        sign: protocol::Bytes::new(),
    }
}

async fn app_order(client: &Client, ask: &Ask) -> Result<Leg<AppOrder>, Error> {
    let owner = owner(client, Kind::App, ask.app).await?;
    if owner == ask.requester {
        return Ok(Leg::own(ask.own_app_order()));
    }
    let filter = Filter {
        subject: Party::Is(ask.app),
        dataset: ask.dataset.into(),
        workerpool: ask.workerpool.into(),
        requester: Some(ask.requester).into(),
        min_tag: ask.tag.is_tee().then_some(ask.tag),
        max_tag: Some(ask.tag),
        ..Filter::default()
    };
    let picked = pick(client, ask, &filter).await?;
    picked.map(Leg::of).map_err(|told| {
        let (app, tag) = (ask.app, tag_words(ask.tag));
        let reason = format!("nothing published for app {app} fits a run with tag {tag}");
        let hint = format!("its owner {owner} can publish one with `iexec app publish {app}`");
        no_order("app", reason, &told, hint)
    })
}

async fn dataset_order(client: &Client, ask: &Ask) -> Result<Leg<DatasetOrder>, Error> {
    let Some(dataset) = ask.dataset else {
        return Ok(Leg::of(Signed::none()));
    };
    let owner = owner(client, Kind::Dataset, dataset).await?;
    if owner == ask.requester {
        return Ok(Leg::own(ask.own_dataset_order(dataset)));
    }
    let filter = Filter {
        subject: Party::Is(dataset),
        app: Some(ask.app).into(),
        workerpool: ask.workerpool.into(),
        requester: Some(ask.requester).into(),
        max_tag: Some(ask.tag),
        ..Filter::default()
    };
    let picked = pick(client, ask, &filter).await?;
    picked.map(Leg::of).map_err(|told| {
        let reason = format!(
            "nothing published for dataset {dataset} fits app {}",
            ask.app
        );
        let hint = format!("ask its owner {owner} to publish a dataset order for this app");
        no_order("dataset", reason, &told, hint)
    })
}

async fn workerpool_order(client: &Client, ask: &Ask) -> Result<Leg<WorkerpoolOrder>, Error> {
    if let Some(pool) = ask.workerpool
        && owner(client, Kind::Workerpool, pool).await? == ask.requester
    {
        return Ok(Leg::own(ask.own_workerpool_order(pool)));
    }
    let filter = Filter {
        subject: ask.workerpool.map_or(Party::Unsaid, Party::Is),
        app: Some(ask.app).into(),
        dataset: ask.dataset.into(),
        requester: Some(ask.requester).into(),
        min_tag: Some(ask.machine),
        min_trust: Some(ask.trust),
        category: ask.category,
        ..Filter::default()
    };
    let picked = pick(client, ask, &filter).await?;
    picked
        .map(Leg::of)
        .map_err(|told| nothing_to_run_on(ask, &told))
}

fn nothing_to_run_on(ask: &Ask, told: &[Candidate]) -> Error {
    let place = ask.workerpool.map_or_else(
        || "no workerpool offers".to_owned(),
        |pool| format!("workerpool {pool} does not offer"),
    );
    let category = ask
        .category
        .map_or("any category".to_owned(), |c| format!("category {c}"));
    let reason = format!(
        "{place} {category} with trust {} and tag {}",
        ask.trust,
        tag_words(ask.machine)
    );
    let hint = "see what is offered with `iexec orderbook workerpool`, and choose with \
                --workerpool, --category, --trust or --tag";
    no_order("workerpool", reason, told, hint.to_owned())
}

/// The orders that come closest, each with its reason; the first remedy wins.
fn no_order(kind: &'static str, what: String, told: &[Candidate], otherwise: String) -> Error {
    let lines: String = told.iter().map(|order| format!("\n  {order}")).collect();
    let remedy = told.iter().find_map(|order| order.reason.remedy());
    Error::NoOrder {
        kind,
        reason: what + &lines,
        hint: remedy.unwrap_or(otherwise),
    }
}

async fn owner(client: &Client, kind: Kind, subject: Address) -> Result<Address, Error> {
    let owner = facts::signer(client, kind, subject).await?;
    owner.ok_or(Error::NotDeployed {
        kind: kind.name(),
        address: subject,
    })
}

/// The best order: of those that the market lists for us, else of all, which are asked for groups
/// that we may be in. Without one, why the best do not fit.
async fn pick<O: Offer>(
    client: &Client,
    ask: &Ask,
    filter: &Filter,
) -> Result<Result<Signed<O>, Vec<Candidate>>, Error> {
    let mut known = Known::default();
    let book = market::book::<O>(client, filter).await?.orders;
    if let Some(order) = settle(client, &book, ask, &mut known).await? {
        return Ok(Ok(order));
    }
    let subject = match filter.subject {
        Party::Unsaid => Party::Any,
        subject => subject,
    };
    let everything = Filter::everything(subject);
    let book = market::page::<O>(client, &everything, 0, CANDIDATES)
        .await?
        .orders;
    let groups = choice::undecided(&book, ask);
    known.members = facts::members(client, groups.into_iter().take(GROUPS_MAX)).await?;
    Ok(match settle(client, &book, ask, &mut known).await? {
        Some(order) => Ok(order),
        None => Err(choice::explain(&book, ask, &known)),
    })
}

/// The best order that the chain confirms.
async fn settle<O: Offer>(
    client: &Client,
    book: &[Published<O>],
    ask: &Ask,
    known: &mut Known,
) -> Result<Option<Signed<O>>, Error> {
    for _ in 0..TRIES_MAX {
        let Some(offer) = choice::best(book, ask, known) else {
            return Ok(None);
        };
        learn(client, &offer, ask, known).await?;
        if choice::judge(&offer, ask, known).is_ok() {
            return Ok(Some(offer.order));
        }
    }
    Ok(None)
}

/// The market may lag behind the chain: what is used up is better found out before paying gas.
async fn learn<O: Offer>(
    client: &Client,
    offer: &Published<O>,
    ask: &Ask,
    known: &mut Known,
) -> Result<(), Error> {
    let left = facts::remaining(client, &offer.order).await?;
    known.left.insert(offer.order_hash, left);
    let order = &offer.order.order;
    if O::KIND != Kind::Workerpool || pool_lock(order.price(), ask.volume).is_zero() {
        return Ok(());
    }
    let owner = owner(client, O::KIND, order.subject()).await?;
    let stake = crate::account::show(client, owner).await?.stake;
    known.stakes.insert(offer.order_hash, stake);
    Ok(())
}

impl Ask {
    fn own_app_order(&self) -> AppOrder {
        AppOrder {
            app: self.app,
            appprice: U256::ZERO,
            volume: self.volume,
            tag: self.tag,
            datasetrestrict: Address::ZERO,
            workerpoolrestrict: Address::ZERO,
            requesterrestrict: self.requester,
            salt: crate::salt(),
        }
    }

    fn own_dataset_order(&self, dataset: Address) -> DatasetOrder {
        DatasetOrder {
            dataset,
            datasetprice: U256::ZERO,
            volume: self.volume,
            tag: self.tag,
            apprestrict: self.app,
            workerpoolrestrict: Address::ZERO,
            requesterrestrict: self.requester,
            salt: crate::salt(),
        }
    }

    fn own_workerpool_order(&self, workerpool: Address) -> WorkerpoolOrder {
        WorkerpoolOrder {
            workerpool,
            workerpoolprice: U256::ZERO,
            volume: self.volume,
            tag: self.machine,
            category: U256::from(self.category.unwrap_or_default()),
            trust: self.trust,
            apprestrict: Address::ZERO,
            datasetrestrict: Address::ZERO,
            requesterrestrict: self.requester,
            salt: crate::salt(),
        }
    }
}

impl Wishes {
    fn ask(&self, requester: Address) -> Ask {
        Ask {
            app: self.app,
            dataset: self.dataset,
            workerpool: self.workerpool,
            requester,
            tag: self.tag,
            machine: self.tag,
            trust: self.trust,
            category: self.category,
            volume: self.volume,
        }
    }

    /// The request order; `prices` are the most that is paid for app, dataset and workerpool, in
    /// nRLC a task.
    pub fn order(
        &self,
        requester: Address,
        params: String,
        prices: [U256; 3],
        category: U256,
    ) -> RequestOrder {
        RequestOrder {
            app: self.app,
            appmaxprice: prices[0],
            dataset: self.dataset.unwrap_or_default(),
            datasetmaxprice: prices[1],
            workerpool: self.workerpool.unwrap_or_default(),
            workerpoolmaxprice: prices[2],
            requester,
            volume: self.volume,
            tag: self.tag,
            category,
            trust: self.trust,
            beneficiary: self.beneficiary.unwrap_or(requester),
            callback: self.callback,
            params,
            salt: crate::salt(),
        }
    }
}
