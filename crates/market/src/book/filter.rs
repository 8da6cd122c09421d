//! One condition on orders, as a value.

use protocol::{Address, Tag};

use super::Lot;

/// What a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of `Terms` and `Lot`")]
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

    /// Whether the condition holds for an open order.
    pub fn admits(&self, lot: &Lot) -> bool {
        match *self {
            Self::Is(column, address) => role(lot, column) == address,
            Self::OpenTo(column, address) => {
                let role = role(lot, column);
                role.is_zero() || role == address
            }
            Self::Equals(column, n) => number(lot, column) == n,
            Self::AtLeast(column, n) => number(lot, column) >= n,
            Self::AtMost(column, n) => number(lot, column) <= n,
            Self::Covers(tag) => lot.terms.tag.covers(tag),
            Self::Within(tag) => tag.covers(lot.terms.tag),
        }
    }
}

pub(super) fn role(lot: &Lot, column: Column) -> Address {
    match column {
        Column::App => lot.terms.app,
        Column::Dataset => lot.terms.dataset,
        Column::Workerpool => lot.terms.workerpool,
        Column::Requester => lot.terms.requester,
        Column::Beneficiary => lot.terms.beneficiary,
        Column::Signer => lot.signer,
        _ => Address::ZERO,
    }
}

fn number(lot: &Lot, column: Column) -> u64 {
    match column {
        Column::Price => lot.terms.price,
        Column::Volume => lot.terms.volume,
        Column::Remaining => lot.remaining,
        Column::Category => lot.terms.category,
        Column::Trust => lot.terms.trust,
        _ => 0,
    }
}
