//! One condition on orders, as a value.

use protocol::{Address, Tag};

use crate::record::Record;

/// What a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of `Terms` and `Record`")]
pub enum Column {
    App,
    Dataset,
    Workerpool,
    Requester,
    Beneficiary,
    Signer,
    Price,
    Volume,
    Remaining,
    Category,
    Trust,
}

/// A condition; those of a query hold together (spec/market-explorer.md §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The role is this address.
    Is(Column, Address),
    /// The role is open to this address: unrestricted, or restricted to it.
    OpenTo(Column, Address),
    /// The number is this.
    Equals(Column, u64),
    /// The number is this or more.
    AtLeast(Column, u64),
    /// The number is this or less.
    AtMost(Column, u64),
    /// Every bit of this tag is present.
    Covers(Tag),
    /// No bit outside this tag is present.
    Within(Tag),
}

impl Filter {
    /// The role is unrestricted.
    pub const fn public(column: Column) -> Self {
        Self::Is(column, Address::ZERO)
    }

    /// Whether the condition holds for `record`.
    pub fn admits(&self, record: &Record) -> bool {
        match *self {
            Self::Is(column, address) => role(record, column) == address,
            Self::OpenTo(column, address) => {
                let role = role(record, column);
                role.is_zero() || role == address
            }
            Self::Equals(column, n) => number(record, column) == n,
            Self::AtLeast(column, n) => number(record, column) >= n,
            Self::AtMost(column, n) => number(record, column) <= n,
            Self::Covers(tag) => record.terms.tag.covers(tag),
            Self::Within(tag) => tag.covers(record.terms.tag),
        }
    }
}

fn role(record: &Record, column: Column) -> Address {
    match column {
        Column::App => record.terms.app,
        Column::Dataset => record.terms.dataset,
        Column::Workerpool => record.terms.workerpool,
        Column::Requester => record.terms.requester,
        Column::Beneficiary => record.terms.beneficiary,
        Column::Signer => record.signer,
        _ => Address::ZERO,
    }
}

fn number(record: &Record, column: Column) -> u64 {
    match column {
        Column::Price => record.terms.price,
        Column::Volume => record.terms.volume,
        Column::Remaining => record.remaining,
        Column::Category => record.terms.category,
        Column::Trust => record.terms.trust,
        _ => 0,
    }
}
