//! Whether four orders become a deal, and whether the requester can pay: the contract's rules
//! (spec/contracts.md §8.5, spec/client.md §5.3), before a transaction is paid for.

use std::collections::BTreeSet;

use protocol::{
    Address, Tag, U256,
    order::{AppOrder, DatasetOrder, RequestOrder, Signed, WorkerpoolOrder},
};

pub use super::{mismatch::Mismatch, shortfall::Shortfall};
use crate::Error;

/// Percent of a task's price that the workerpool's owner locks (spec/contracts.md §2).
const POOL_STAKE_PERCENT: u64 = 30;

/// The four orders of a deal; the dataset order is [`Signed::none`] without a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orders {
    /// Sells the app.
    pub app: Signed<AppOrder>,
    /// Sells the dataset.
    pub dataset: Signed<DatasetOrder>,
    /// Sells the computing.
    pub workerpool: Signed<WorkerpoolOrder>,
    /// Asks for the run.
    pub request: Signed<RequestOrder>,
}

impl Orders {
    /// What the deal will ask of the machine.
    pub fn tag(&self) -> Tag {
        let dataset = self.dataset.order.tag.without_framework();
        let request = self.request.order.tag;
        self.app.order.tag.union(dataset).union(request)
    }
}

/// Checks everything that the orders themselves say.
///
/// # Errors
/// The first [`Mismatch`] in the contract's order.
pub fn matchable(orders: &Orders, members: &Members) -> Result<(), Mismatch> {
    terms(orders)?;
    tags(orders)?;
    identities(orders, members)?;
    let broken = restrictions(orders);
    let broken = broken
        .into_iter()
        .find(|rule| !members.allow(rule.only, rule.actual));
    match broken {
        Some(Rule { kind, to, only, .. }) => Err(Mismatch::Restricted { kind, to, only }),
        None => Ok(()),
    }
}

/// Pairs of a restriction and who must be allowed by it that only the chain can judge: the
/// restriction may be a group contract.
pub fn undecided(orders: &Orders) -> Vec<(Address, Address)> {
    let pool = orders.workerpool.order.workerpool;
    let wanted = (orders.request.order.workerpool, pool);
    let rules = restrictions(orders);
    let pairs = rules.into_iter().map(|rule| (rule.only, rule.actual));
    pairs
        .chain([wanted])
        .filter(|(only, actual)| !only.is_zero() && only != actual)
        .collect()
}

fn terms(orders: &Orders) -> Result<(), Mismatch> {
    let (pool, request) = (&orders.workerpool.order, &orders.request.order);
    if request.category != pool.category {
        return Err(Mismatch::Category {
            wanted: request.category,
            offered: pool.category,
        });
    }
    if request.trust > pool.trust {
        return Err(Mismatch::Trust {
            wanted: request.trust,
            offered: pool.trust,
        });
    }
    let prices = [
        ("app", request.appmaxprice, orders.app.order.appprice),
        (
            "dataset",
            request.datasetmaxprice,
            orders.dataset.order.datasetprice,
        ),
        (
            "workerpool",
            request.workerpoolmaxprice,
            pool.workerpoolprice,
        ),
    ];
    match prices.into_iter().find(|(_, max, asked)| max < asked) {
        Some((kind, max, asked)) => Err(Mismatch::Price { kind, max, asked }),
        None => Ok(()),
    }
}

fn tags(orders: &Orders) -> Result<(), Mismatch> {
    let tag = orders.tag();
    if !orders.workerpool.order.tag.covers(tag) {
        return Err(Mismatch::Tag);
    }
    match tag.is_tee() == orders.app.order.tag.is_tee() {
        true => Ok(()),
        false => Err(Mismatch::AppNotConfidential),
    }
}

fn identities(orders: &Orders, members: &Members) -> Result<(), Mismatch> {
    let request = &orders.request.order;
    let kind = if request.app != orders.app.order.app {
        "app"
    } else if request.dataset != orders.dataset.order.dataset {
        "dataset"
    } else if !members.allow(request.workerpool, orders.workerpool.order.workerpool) {
        "workerpool"
    } else {
        return Ok(());
    };
    Err(Mismatch::Other { kind })
}

/// One restriction of an order and whom it is asked about.
struct Rule {
    kind: &'static str,
    to: &'static str,
    only: Address,
    actual: Address,
}

fn restrictions(orders: &Orders) -> [Rule; 9] {
    let (a, d) = (&orders.app.order, &orders.dataset.order);
    let (w, r) = (&orders.workerpool.order, &orders.request.order);
    let rule = |kind, to, only, actual| Rule {
        kind,
        to,
        only,
        actual,
    };
    [
        rule("app", "dataset", a.datasetrestrict, d.dataset),
        rule("app", "workerpool", a.workerpoolrestrict, w.workerpool),
        rule("app", "requester", a.requesterrestrict, r.requester),
        rule("dataset", "app", d.apprestrict, a.app),
        rule("dataset", "workerpool", d.workerpoolrestrict, w.workerpool),
        rule("dataset", "requester", d.requesterrestrict, r.requester),
        rule("workerpool", "app", w.apprestrict, a.app),
        rule("workerpool", "dataset", w.datasetrestrict, d.dataset),
        rule("workerpool", "requester", w.requesterrestrict, r.requester),
    ]
}

/// Who is known to be in which group contract: the answers to [`undecided`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(BTreeSet<(Address, Address)>);

impl Members {
    /// Remembers that `group` has `account` as a member.
    pub fn insert(&mut self, group: Address, account: Address) {
        self.0.insert((group, account));
    }

    /// The contract's `isAuthorized` (spec/contracts.md §6).
    pub fn allow(&self, only: Address, actual: Address) -> bool {
        only.is_zero() || only == actual || self.0.contains(&(only, actual))
    }
}

/// nRLC one task costs.
pub fn cost_per_task(orders: &Orders) -> U256 {
    orders
        .app
        .order
        .appprice
        .saturating_add(orders.dataset.order.datasetprice)
        .saturating_add(orders.workerpool.order.workerpoolprice)
}

/// nRLC the workerpool's owner locks for `tasks` tasks: rounded down for each task.
pub fn pool_lock(price: U256, tasks: U256) -> U256 {
    let percent = price.saturating_mul(U256::from(POOL_STAKE_PERCENT));
    (percent / U256::from(100)).saturating_mul(tasks)
}

/// What the chain says of one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// `app`, `dataset`, `workerpool` or `request`.
    pub kind: &'static str,
    /// The app, dataset or workerpool; the requester.
    pub subject: Address,
    /// Whether the subject is one; requesters always are.
    pub is_registered: bool,
    /// Who must have signed: the subject's owner, the requester.
    pub signer: Address,
    /// Whether they did.
    pub is_signed: bool,
    /// Tasks it is still good for.
    pub remaining: U256,
}

/// What the chain says of four orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Who is in the groups that orders are restricted to.
    pub members: Members,
    /// Whether the category exists.
    pub is_category_known: bool,
    /// The orders used: without the dataset when there is none.
    pub legs: Vec<Leg>,
    /// Of the workerpool's owner.
    pub pool_owner: Address,
    /// What they have.
    pub pool_account: chain::Account,
    /// What the requester has.
    pub requester_account: chain::Account,
}

/// What a match will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Tasks.
    pub volume: U256,
    /// nRLC for all of them.
    pub total: U256,
}

/// Judges four orders as the contract will; `chain` is the chain's name, for hints.
///
/// # Errors
/// [`Error::Unmatchable`] with the first rule broken, [`Error::Insolvent`].
pub fn judge(orders: &Orders, facts: &Facts, chain: &str) -> Result<Estimate, Error> {
    let broken = |mismatch| Err(Error::Unmatchable(mismatch));
    matchable(orders, &facts.members).map_err(Error::Unmatchable)?;
    if !facts.is_category_known {
        return broken(Mismatch::UnknownCategory(orders.request.order.category));
    }
    facts.legs.iter().try_for_each(trustworthy)?;
    let volume = volume(&facts.legs).map_err(Error::Unmatchable)?;
    let total = cost_per_task(orders).saturating_mul(volume);
    let requester = orders.request.order.requester;
    Shortfall::check(requester, total, &facts.requester_account, chain)
        .map_err(Error::Insolvent)?;
    let needed = pool_lock(orders.workerpool.order.workerpoolprice, volume);
    // the contract locks one after the other, perhaps in the same account
    let spent = match facts.pool_owner == requester {
        true => total,
        false => U256::ZERO,
    };
    let present = facts.pool_account.stake.saturating_sub(spent);
    match needed <= present {
        true => Ok(Estimate { volume, total }),
        false => broken(Mismatch::PoolStake {
            owner: facts.pool_owner,
            needed,
            present,
        }),
    }
}

fn trustworthy(leg: &Leg) -> Result<(), Error> {
    let mismatch = match (leg.is_registered, leg.is_signed) {
        (false, _) => Mismatch::NotRegistered {
            kind: leg.kind,
            address: leg.subject,
        },
        (true, false) => Mismatch::Unsigned {
            kind: leg.kind,
            signer: leg.signer,
        },
        (true, true) => return Ok(()),
    };
    Err(Error::Unmatchable(mismatch))
}

/// The least that any order is still good for.
fn volume(legs: &[Leg]) -> Result<U256, Mismatch> {
    let least = legs.iter().min_by_key(|leg| leg.remaining);
    match least {
        Some(leg) if !leg.remaining.is_zero() => Ok(leg.remaining),
        used => Err(Mismatch::Consumed {
            kind: used.map_or("request", |leg| leg.kind),
        }),
    }
}

#[cfg(test)]
mod tests;
