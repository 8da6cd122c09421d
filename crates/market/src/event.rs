//! What the market tells those who listen, in process; a live feed is made of it.

use protocol::{DealId, OrderHash, order::Kind};
use serde_json::{Value, json};

use crate::record::Record;

/// Events kept for a slow listener before it misses some: two bursts of a full wallet of orders of
/// each kind.
pub(crate) const EVENTS_KEPT_MAX: usize = 512;

/// A change of the book (spec/market-explorer.md §11).
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Something happened to an order.
    Order {
        /// Which book.
        kind: Kind,
        /// What happened in it.
        change: Change,
    },
    /// There is a new deal: as `GET /deals` lists it.
    DealCreated(Box<Value>),
    /// A deal's block is not on the chain any more. Ours: the official market keeps such deals.
    DealOrphaned(DealId),
}

/// What happened to an order.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is open.
    Published(Box<Record>),
    /// It is still open with less remaining.
    Updated(Box<Record>),
    /// It is not open any more: taken back, cancelled, filled or dead.
    Unpublished(OrderHash),
}

impl Event {
    /// The official name, e.g. `apporder_published`.
    pub fn name(&self) -> String {
        let (kind, verb) = match self {
            Self::Order { kind, change } => (kind, change.verb()),
            Self::DealCreated(_) => return "deal_created".to_owned(),
            Self::DealOrphaned(_) => return "deal_orphaned".to_owned(),
        };
        format!("{}order_{verb}", kind.name())
    }

    /// The official payload: the record without its chain id, the hash alone, or the deal.
    pub fn payload(&self) -> Value {
        match self {
            Self::Order { change, .. } => match change {
                Change::Published(record) | Change::Updated(record) => Value::Object(record.core()),
                Change::Unpublished(hash) => json!(hash),
            },
            Self::DealCreated(deal) => (**deal).clone(),
            Self::DealOrphaned(id) => json!(id),
        }
    }

    /// What a rewritten order tells, if anything: that it is gone, is open again, or is good for
    /// another number of tasks.
    pub(crate) fn between(was: &Record, new: &Record) -> Option<Self> {
        let change = match (was.status.is_open(), new.status.is_open()) {
            (true, false) => Change::Unpublished(new.hash),
            (false, true) => Change::Published(Box::new(new.clone())),
            (true, true) if was.remaining != new.remaining => {
                Change::Updated(Box::new(new.clone()))
            }
            _ => return None,
        };
        Some(Self::Order {
            kind: new.kind,
            change,
        })
    }

    pub(crate) const fn gone(kind: Kind, hash: OrderHash) -> Self {
        Self::Order {
            kind,
            change: Change::Unpublished(hash),
        }
    }
}

impl Change {
    const fn verb(&self) -> &'static str {
        match self {
            Self::Published(_) => "published",
            Self::Updated(_) => "updated",
            Self::Unpublished(_) => "unpublished",
        }
    }
}
