//! Which published order is taken, and why the others are not (spec/client.md §5.2). Pure: books
//! and chain are read elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use protocol::{
    Address, OrderHash, Tag, U256,
    order::{AppOrder, DatasetOrder, Order, WorkerpoolOrder},
    rlc,
};

use super::check::{Members, pool_lock};
use crate::{services::market::Published, view::tag_words};

/// Orders shown with the reason why they do not fit: enough to see what to change.
const SHOWN_MAX: usize = 5;
/// Characters of an order's hash that are shown: enough to find it in an order book.
const HASH_CHARS: usize = 10;

/// What the run needs of the orders it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The app to run.
    pub app: Address,
    /// The dataset; none without.
    pub dataset: Option<Address>,
    /// The workerpool; none for any.
    pub workerpool: Option<Address>,
    /// Who asks.
    pub requester: Address,
    /// What the request itself asks of the machine.
    pub tag: Tag,
    /// What request, app and dataset together ask of it.
    pub machine: Tag,
    /// At least this trust.
    pub trust: U256,
    /// Exactly this category; none for the smallest on offer.
    pub category: Option<u64>,
    /// Tasks.
    pub volume: U256,
}

impl Ask {
    /// Who stands where an order can be restricted.
    fn actual(&self, to: &str) -> Option<Address> {
        match to {
            "app" => Some(self.app),
            "dataset" => self.dataset,
            "workerpool" => self.workerpool,
            _ => Some(self.requester),
        }
    }
}

/// The first rule that an order breaks; Display completes "… nRLC: …".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing is left of it.
    Consumed,
    /// Less is left than wanted.
    TooSmall {
        /// Tasks left.
        left: U256,
        /// Tasks wanted.
        wanted: U256,
    },
    /// The app or dataset is sold for runs with a tag only.
    NeedsTag(Tag),
    /// The run has a tag that the app is not made for.
    LacksTag(Tag),
    /// The machine does not have what the run needs.
    OffersTag {
        /// By the order.
        offered: Tag,
        /// By the run.
        needed: Tag,
    },
    /// Another time limit.
    Category {
        /// By the order.
        offered: U256,
        /// By the run.
        wanted: u64,
    },
    /// Not so much trust.
    Trust {
        /// By the order.
        offered: U256,
        /// By the run.
        wanted: U256,
    },
    /// It is for somebody else.
    Restricted {
        /// `app`, `dataset`, `workerpool` or `requester`.
        to: &'static str,
        /// The only one, or a group contract.
        only: Address,
    },
    /// The workerpool's owner cannot lock its part.
    Stake {
        /// nRLC to lock.
        needed: U256,
        /// nRLC there are.
        present: U256,
    },
}

impl Reason {
    /// What to change in the wishes so that this order may fit, where that is possible.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::NeedsTag(tag) => Some(format!("run it with --tag {}", tag_words(*tag))),
            Self::Category { offered, .. } => Some(format!("take --category {offered}")),
            Self::Trust { offered, .. } => Some(format!("take --trust {offered} or less")),
            Self::TooSmall { left, .. } => Some(format!("take --volume {left} or less")),
            Self::Restricted { to, only } if matches!(*to, "workerpool" | "dataset") => {
                Some(format!("use it with --{to} {only}"))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consumed => f.write_str("fully consumed"),
            Self::TooSmall { left, wanted } => write!(f, "{left} tasks left, wanted {wanted}"),
            Self::NeedsTag(tag) => write!(f, "needs tag {}", tag_words(*tag)),
            Self::LacksTag(tag) => write!(f, "does not have tag {}", tag_words(*tag)),
            Self::OffersTag { offered, needed } => {
                let (offered, needed) = (tag_words(*offered), tag_words(*needed));
                write!(f, "offers tag {offered}, needs tag {needed}")
            }
            Self::Category { offered, wanted } => write!(f, "category {offered}, wanted {wanted}"),
            Self::Trust { offered, wanted } => write!(f, "trust {offered}, wanted {wanted}"),
            Self::Restricted { to, only } => write!(f, "restricted to {to} {only}"),
            Self::Stake { needed, present } => write!(
                f,
                "owner's stake too low: {needed} nRLC to lock, {present} nRLC there"
            ),
        }
    }
}

/// An order that a run can take.
pub trait Offer: Order {
    /// Smallest first is best.
    fn rank(&self) -> (U256, U256);
    /// nRLC a task.
    fn price(&self) -> U256;
    /// On what it is restricted, and to whom; zero for anybody.
    fn restrictions(&self) -> [(&'static str, Address); 3];
    /// What it sells is what the run needs.
    ///
    /// # Errors
    /// The first [`Reason`] against it.
    fn terms(&self, ask: &Ask) -> Result<(), Reason>;
}

impl Offer for AppOrder {
    fn rank(&self) -> (U256, U256) {
        (U256::ZERO, self.appprice)
    }

    fn price(&self) -> U256 {
        self.appprice
    }

    fn restrictions(&self) -> [(&'static str, Address); 3] {
        [
            ("dataset", self.datasetrestrict),
            ("workerpool", self.workerpoolrestrict),
            ("requester", self.requesterrestrict),
        ]
    }

    /// A tag is never added silently: it changes what a run needs and reveals.
    fn terms(&self, ask: &Ask) -> Result<(), Reason> {
        if !ask.tag.covers(self.tag) {
            return Err(Reason::NeedsTag(ask.tag.union(self.tag)));
        }
        match ask.tag.is_tee() && !self.tag.is_tee() {
            true => Err(Reason::LacksTag(ask.tag)),
            false => Ok(()),
        }
    }
}

impl Offer for DatasetOrder {
    fn rank(&self) -> (U256, U256) {
        (U256::ZERO, self.datasetprice)
    }

    fn price(&self) -> U256 {
        self.datasetprice
    }

    fn restrictions(&self) -> [(&'static str, Address); 3] {
        [
            ("app", self.apprestrict),
            ("workerpool", self.workerpoolrestrict),
            ("requester", self.requesterrestrict),
        ]
    }

    fn terms(&self, ask: &Ask) -> Result<(), Reason> {
        match ask.tag.covers(self.tag.without_framework()) {
            true => Ok(()),
            false => Err(Reason::NeedsTag(ask.tag.union(self.tag))),
        }
    }
}

impl Offer for WorkerpoolOrder {
    fn rank(&self) -> (U256, U256) {
        (self.category, self.workerpoolprice)
    }

    fn price(&self) -> U256 {
        self.workerpoolprice
    }

    fn restrictions(&self) -> [(&'static str, Address); 3] {
        [
            ("app", self.apprestrict),
            ("dataset", self.datasetrestrict),
            ("requester", self.requesterrestrict),
        ]
    }

    fn terms(&self, ask: &Ask) -> Result<(), Reason> {
        let offered = self.category;
        if let Some(wanted) = ask.category.filter(|wanted| U256::from(*wanted) != offered) {
            return Err(Reason::Category { offered, wanted });
        }
        if !self.tag.covers(ask.machine) {
            let (offered, needed) = (self.tag, ask.machine);
            return Err(Reason::OffersTag { offered, needed });
        }
        let (offered, wanted) = (self.trust, ask.trust);
        match offered >= wanted {
            true => Ok(()),
            false => Err(Reason::Trust { offered, wanted }),
        }
    }
}

/// What the chain says of the orders in a book, as far as it was asked.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Who is in which group.
    pub members: Members,
    /// What is left of an order: the book may lag behind the chain.
    pub left: BTreeMap<OrderHash, U256>,
    /// nRLC that the signer of a workerpool order can lock.
    pub stakes: BTreeMap<OrderHash, U256>,
}

/// Judges one order.
///
/// # Errors
/// The first [`Reason`] against it.
pub fn judge<O: Offer>(offer: &Published<O>, ask: &Ask, known: &Known) -> Result<(), Reason> {
    let hash = &offer.order_hash;
    let order = &offer.order.order;
    let left = known
        .left
        .get(hash)
        .map_or(offer.remaining, |left| offer.remaining.min(*left));
    if left.is_zero() {
        return Err(Reason::Consumed);
    }
    order.terms(ask)?;
    for (to, only) in order.restrictions() {
        let actual = ask.actual(to).unwrap_or_default();
        if !known.members.allow(only, actual) {
            return Err(Reason::Restricted { to, only });
        }
    }
    if left < ask.volume {
        let wanted = ask.volume;
        return Err(Reason::TooSmall { left, wanted });
    }
    let needed = pool_lock(order.price(), ask.volume);
    match known.stakes.get(hash) {
        Some(present) if *present < needed => Err(Reason::Stake {
            needed,
            present: *present,
        }),
        _ => Ok(()),
    }
}

/// The best order that nothing speaks against.
pub fn best<O: Offer>(book: &[Published<O>], ask: &Ask, known: &Known) -> Option<Published<O>> {
    let fitting = book.iter().filter(|offer| judge(offer, ask, known).is_ok());
    fitting
        .min_by_key(|offer| offer.order.order.rank())
        .cloned()
}

/// Pairs of a restriction and who must be allowed by it that only the chain can judge: the
/// restriction may be a group contract.
pub fn undecided<O: Offer>(book: &[Published<O>], ask: &Ask) -> BTreeSet<(Address, Address)> {
    let restricted = book
        .iter()
        .flat_map(|offer| offer.order.order.restrictions());
    restricted
        .filter_map(|(to, only)| Some((only, ask.actual(to)?)))
        .filter(|(only, actual)| !only.is_zero() && only != actual)
        .collect()
}

/// An order that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub hash: OrderHash,
    /// nRLC a task.
    pub price: U256,
    /// The first rule against it.
    pub reason: Reason,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash: String = self.hash.to_string().chars().take(HASH_CHARS).collect();
        let (price, reason) = (rlc::to_rlc(self.price), self.reason);
        write!(f, "{hash}… {price} RLC: {reason}")
    }
}

/// The best orders that do not fit, one for each reason.
pub fn explain<O: Offer>(book: &[Published<O>], ask: &Ask, known: &Known) -> Vec<Candidate> {
    let mut offers: Vec<_> = book.iter().collect();
    offers.sort_by_key(|offer| offer.order.order.rank());
    let mut told: Vec<Candidate> = Vec::new();
    for offer in offers {
        let Err(reason) = judge(offer, ask, known) else {
            continue;
        };
        if told.len() < SHOWN_MAX && !told.iter().any(|other| other.reason == reason) {
            told.push(Candidate {
                hash: offer.order_hash,
                price: offer.order.order.price(),
                reason,
            });
        }
    }
    told
}

#[cfg(test)]
pub(crate) mod tests;
