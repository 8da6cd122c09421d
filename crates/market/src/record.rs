//! A published order and how it is shown.

use std::{fmt, str::FromStr};

use protocol::{Address, OrderHash, order::Kind};
use serde_json::{Map, Value, json};

use crate::{Error, clock::iso, order::Terms};

/// Where an order is in its life (spec/market-explorer.md §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Can be matched.
    Open,
    /// Its volume is used up.
    Filled,
    /// Cancelled on chain by its signer.
    Canceled,
    /// Cannot be matched now; publishing it again revives it.
    Dead,
}

impl Status {
    /// The official lower-case word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Filled => "filled",
            Self::Canceled => "canceled",
            Self::Dead => "dead",
        }
    }

    /// Whether the order is in the book.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Status {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Open, Self::Filled, Self::Canceled, Self::Dead]
            .into_iter()
            .find(|status| status.name() == text)
            .ok_or(Error::Damaged { what: "status" })
    }
}

/// A published order.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Which book it is in.
    pub kind: Kind,
    /// Its id.
    pub hash: OrderHash,
    /// The order as published, in its normal form, with `sign`.
    pub body: Map<String, Value>,
    /// What the body says.
    pub terms: Terms,
    /// Who signed it: the resource's owner when it was published, or the requester.
    pub signer: Address,
    /// Tasks it is still good for, at most the volume.
    pub remaining: u64,
    /// Where it is in its life.
    pub status: Status,
    /// When it was first published, milliseconds since 1970.
    pub published_ms: i64,
    /// The block whose state its publication was judged by.
    pub seen: u64,
}

impl Record {
    /// As events show it: without a chain id (spec/market-explorer.md §11).
    pub(crate) fn core(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        shown.insert("orderHash".into(), json!(self.hash));
        shown.insert("order".into(), Value::Object(self.body.clone()));
        shown.insert("publicationTimestamp".into(), iso(self.published_ms).into());
        shown.insert("signer".into(), self.signer.to_string().into());
        shown.insert("status".into(), self.status.name().into());
        shown.insert("remaining".into(), self.remaining.into());
        if self.kind == Kind::Dataset {
            shown.insert("bulk".into(), self.terms.is_bulk().into());
        }
        shown
    }

    /// As lists and `published` show it: the chain id is a number.
    pub(crate) fn listed(&self, chain_id: u64) -> Value {
        let mut shown = self.core();
        shown.insert("chainId".into(), chain_id.into());
        Value::Object(shown)
    }

    /// As the answer about this one order shows it: the chain id is text.
    pub(crate) fn single(&self, chain_id: u64) -> Map<String, Value> {
        let mut shown = self.core();
        shown.insert("chainId".into(), chain_id.to_string().into());
        shown
    }
}
