//! A query of one book: conditions, order and page.

use std::cmp::Ordering;

use protocol::{Address, Tag, order::Kind};

use super::{Column, Filter, Lot};
use crate::{order::Terms, rules::publish::Need};

/// Which part of the matches is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Matches passed over.
    pub skip: u64,
    /// Matches answered at most.
    pub size: u64,
}

impl Page {
    /// Everything.
    pub const ALL: Self = Self {
        skip: 0,
        size: u64::MAX,
    };

    /// What `nextPage` says of a list of `count` matches: how many were seen, if there are more.
    pub fn next(self, count: u64) -> Option<u64> {
        let seen = self.skip.saturating_add(self.size);
        (seen < count).then_some(seen)
    }
}

/// What is wanted of the open orders of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Which book.
    pub kind: Kind,
    /// All of them hold.
    pub filters: Vec<Filter>,
    /// Which part.
    pub page: Page,
}

impl Query {
    /// The cheapest order that meets a `need` of `request`: same resource, open to the request's
    /// other roles, and for enclaves when the request is (spec/market-explorer.md §6.12–13).
    pub fn best(need: Need, request: &Terms) -> Self {
        let (subject, other, role) = match need.kind {
            Kind::Dataset => (Column::Dataset, Column::App, request.app),
            _ => (Column::App, Column::Dataset, request.dataset),
        };
        let mut filters = vec![
            Filter::Is(subject, need.resource),
            Filter::OpenTo(other, role),
            Filter::OpenTo(Column::Workerpool, request.workerpool),
            Filter::OpenTo(Column::Requester, request.requester),
        ];
        if need.tee {
            filters.push(Filter::Covers(Tag(protocol::B256::with_last_byte(1))));
        }
        let page = Page { skip: 0, size: 1 };
        Self {
            kind: need.kind,
            filters,
            page,
        }
    }

    /// Open requests that need `resource` of `kind`: candidates to die with an offer of it.
    pub fn dependents(kind: Kind, resource: Address) -> Self {
        let column = match kind {
            Kind::Dataset => Column::Dataset,
            _ => Column::App,
        };
        Self {
            kind: Kind::Request,
            filters: vec![Filter::Is(column, resource)],
            page: Page::ALL,
        }
    }

    /// The open orders of `kind` that `signer` signed for `resource`; of any when none is named.
    pub fn signed_by(kind: Kind, signer: Address, resource: Option<Address>) -> Self {
        let subject = match kind {
            Kind::App => Column::App,
            Kind::Dataset => Column::Dataset,
            Kind::Workerpool => Column::Workerpool,
            Kind::Request => Column::Requester,
        };
        let mut filters = vec![Filter::Is(Column::Signer, signer)];
        filters.extend(resource.map(|resource| Filter::Is(subject, resource)));
        Self {
            kind,
            filters,
            page: Page::ALL,
        }
    }

    /// Whether an open order of the kind is a match.
    pub fn admits(&self, lot: &Lot) -> bool {
        self.filters.iter().all(|filter| filter.admits(lot))
    }

    /// Which of two matches comes first: the cheapest offer, the request that pays most, then the
    /// oldest, then the smaller hash.
    pub fn compare(&self, a: &Lot, b: &Lot) -> Ordering {
        let by_price = a.terms.price.cmp(&b.terms.price);
        let by_price = match self.kind {
            Kind::Request => by_price.reverse(),
            _ => by_price,
        };
        by_price
            .then(a.published_ms.cmp(&b.published_ms))
            .then(a.hash.cmp(&b.hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_whether_more_follow() {
        let first = Page { skip: 0, size: 10 };
        assert_eq!(first.next(12), Some(10));
        assert_eq!(first.next(10), None, "a full last page has no next one");
        assert_eq!(Page { skip: 10, size: 10 }.next(12), None);
    }
}
