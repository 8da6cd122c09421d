//! What the market tells those who listen, in process; a live feed is made of it.

use protocol::{OrderHash, order::Kind};
use serde_json::{Value, json};

use crate::record::Record;

/// Events kept for a slow listener before it misses some: two bursts of a full wallet of orders of
/// each kind.
pub(crate) const EVENTS_KEPT_MAX: usize = 512;

/// A change of the book (spec/market-explorer.md §11).
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Which book.
    pub kind: Kind,
    /// What happened in it.
    pub change: Change,
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
        let verb = match self.change {
            Change::Published(_) => "published",
            Change::Updated(_) => "updated",
            Change::Unpublished(_) => "unpublished",
        };
        format!("{}order_{verb}", self.kind.name())
    }

    /// The official payload: the record without its chain id, or the hash alone.
    pub fn payload(&self) -> Value {
        match &self.change {
            Change::Published(record) | Change::Updated(record) => Value::Object(record.core()),
            Change::Unpublished(hash) => json!(hash),
        }
    }

    /// What an order whose state was rewritten tells: open again or still, or gone.
    pub(crate) fn of(record: Record) -> Self {
        let kind = record.kind;
        let change = if record.status.is_open() {
            Change::Updated(Box::new(record))
        } else {
            Change::Unpublished(record.hash)
        };
        Self { kind, change }
    }

    pub(crate) fn gone(kind: Kind, hash: OrderHash) -> Self {
        Self {
            kind,
            change: Change::Unpublished(hash),
        }
    }
}
