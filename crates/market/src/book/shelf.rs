//! All open orders in memory, in the order of the lists, so that any filter and any exact count
//! costs one pass over the orders of one kind, and usually over those of one resource or wallet.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use protocol::{Address, OrderHash, order::Kind};

use super::{Column, Filter, Query};
use crate::{order::Terms, record::Record};

/// What queries look at of an open order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// Which order.
    pub hash: OrderHash,
    /// What it says.
    pub terms: Terms,
    /// Who signed it.
    pub signer: Address,
    /// Tasks it is still good for.
    pub remaining: u64,
    /// When it was first published, milliseconds since 1970.
    pub published_ms: i64,
    /// The block whose state its publication was judged by.
    pub seen: u64,
}

impl From<&Record> for Lot {
    fn from(record: &Record) -> Self {
        Self {
            hash: record.hash,
            terms: record.terms.clone(),
            signer: record.signer,
            remaining: record.remaining,
            published_ms: record.published_ms,
            seen: record.seen,
        }
    }
}

/// Where an order stands in its list: cheapest offers first, requests that pay most first, then
/// the oldest, then the smaller hash (spec/market-explorer.md §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    price: u64,
    published_ms: i64,
    hash: OrderHash,
}

impl Place {
    fn of(kind: Kind, lot: &Lot) -> Self {
        let price = match kind {
            Kind::Request => u64::MAX - lot.terms.price,
            _ => lot.terms.price,
        };
        Self {
            price,
            published_ms: lot.published_ms,
            hash: lot.hash,
        }
    }
}

/// The open orders of all kinds.
#[derive(Debug)]
pub(crate) struct Shelves([Shelf; 4]);

impl Default for Shelves {
    fn default() -> Self {
        Self(Kind::ALL.map(Shelf::new))
    }
}

impl Shelves {
    /// Puts an open order where it belongs; an order that is not open is taken away.
    pub(crate) fn put(&mut self, record: &Record) {
        let shelf = self.of_mut(record.kind);
        shelf.take(record.hash);
        if record.status.is_open() {
            shelf.put(record.into());
        }
    }

    pub(crate) fn take(&mut self, kind: Kind, hash: OrderHash) {
        self.of_mut(kind).take(hash);
    }

    /// How many orders match, and the hashes of the page that is asked for.
    pub(crate) fn search(&self, query: &Query) -> (u64, Vec<OrderHash>) {
        let (first, end) = (
            query.page.skip,
            query.page.skip.saturating_add(query.page.size),
        );
        let (mut count, mut page) = (0, Vec::new());
        self.of(query.kind).visit(query, |lot| {
            if (first..end).contains(&count) {
                page.push(lot.hash);
            }
            count += 1;
            true
        });
        (count, page)
    }

    /// The first match.
    pub(crate) fn first(&self, query: &Query) -> Option<&Lot> {
        let mut found = None;
        self.of(query.kind).visit(query, |lot| {
            found = Some(lot);
            false
        });
        found
    }

    /// All matches, whatever page is asked for.
    pub(crate) fn all(&self, query: &Query) -> Vec<&Lot> {
        let mut found = Vec::new();
        self.of(query.kind).visit(query, |lot| {
            found.push(lot);
            true
        });
        found
    }

    /// How many open orders of a kind there are, or one signer has.
    pub(crate) fn count(&self, kind: Kind, signer: Option<Address>) -> u64 {
        let shelf = self.of(kind);
        let count = match signer {
            None => shelf.lots.len(),
            Some(signer) => shelf
                .roles
                .get(&(Column::Signer, signer))
                .map_or(0, BTreeSet::len),
        };
        count as u64
    }

    fn of(&self, kind: Kind) -> &Shelf {
        let [app, dataset, workerpool, request] = &self.0;
        match kind {
            Kind::App => app,
            Kind::Dataset => dataset,
            Kind::Workerpool => workerpool,
            Kind::Request => request,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut Shelf {
        let [app, dataset, workerpool, request] = &mut self.0;
        match kind {
            Kind::App => app,
            Kind::Dataset => dataset,
            Kind::Workerpool => workerpool,
            Kind::Request => request,
        }
    }
}

/// The open orders of one kind.
#[derive(Debug)]
struct Shelf {
    kind: Kind,
    lots: BTreeMap<Place, Lot>,
    places: HashMap<OrderHash, Place>,
    /// Places by the roles that narrow a search most.
    roles: HashMap<(Column, Address), BTreeSet<Place>>,
}

impl Shelf {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            lots: BTreeMap::new(),
            places: HashMap::new(),
            roles: HashMap::new(),
        }
    }

    fn put(&mut self, lot: Lot) {
        let place = Place::of(self.kind, &lot);
        for role in roles(self.kind, &lot) {
            self.roles.entry(role).or_default().insert(place);
        }
        self.places.insert(lot.hash, place);
        self.lots.insert(place, lot);
    }

    fn take(&mut self, hash: OrderHash) {
        let place = self.places.remove(&hash);
        let Some((place, lot)) = place.and_then(|place| self.lots.remove_entry(&place)) else {
            return;
        };
        for role in roles(self.kind, &lot) {
            if let Some(places) = self.roles.get_mut(&role) {
                places.remove(&place);
                if places.is_empty() {
                    self.roles.remove(&role);
                }
            }
        }
    }

    /// Shows the matches in order until `show` says no.
    fn visit<'a>(&'a self, query: &Query, mut show: impl FnMut(&'a Lot) -> bool) {
        let admitted = |lot: &&Lot| query.admits(lot);
        match self.narrowest(query) {
            None => {
                let _ = self.lots.values().filter(admitted).all(&mut show);
            }
            Some(places) => {
                let lots = places
                    .into_iter()
                    .flatten()
                    .filter_map(|place| self.lots.get(place));
                let _ = lots.filter(admitted).all(&mut show);
            }
        }
    }

    /// The fewest places that hold all matches, if a role of the query tells; the inner `None`
    /// holds none.
    fn narrowest(&self, query: &Query) -> Option<Option<&BTreeSet<Place>>> {
        let indexed = indexed(self.kind);
        let asked = query.filters.iter().filter_map(|filter| match filter {
            Filter::Is(column, address) if indexed.contains(column) => Some((*column, *address)),
            _ => None,
        });
        let places = asked
            .filter(|(_, address)| !address.is_zero())
            .map(|role| self.roles.get(&role));
        places.min_by_key(|places| places.map_or(0, BTreeSet::len))
    }
}

/// The roles by which orders of a kind are found at once.
const fn indexed(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::App => &[Column::Signer, Column::App],
        Kind::Dataset => &[Column::Signer, Column::Dataset],
        Kind::Workerpool => &[Column::Signer, Column::Workerpool],
        Kind::Request => &[
            Column::Signer,
            Column::App,
            Column::Dataset,
            Column::Requester,
            Column::Beneficiary,
        ],
    }
}

fn roles(kind: Kind, lot: &Lot) -> impl Iterator<Item = (Column, Address)> {
    indexed(kind)
        .iter()
        .map(|column| (*column, super::filter::role(lot, *column)))
        .filter(|(_, address)| !address.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        book::Page,
        testing::{random_filter, random_record},
    };
    use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

    /// The index and the rule are two statements of one thing.
    #[test]
    fn shelves_show_what_the_rules_admit() {
        for seed in 0..20 {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut shelves = Shelves::default();
            let mut records: Vec<_> = (0..120).map(|_| random_record(&mut rng)).collect();
            records.iter().for_each(|record| shelves.put(record));
            for _ in 0..20 {
                let gone = records.swap_remove(rng.gen_range(0..records.len()));
                shelves.take(gone.kind, gone.hash);
            }
            for _ in 0..40 {
                let kind = *Kind::ALL.choose(&mut rng).unwrap();
                let filters = (0..rng.gen_range(0..3))
                    .map(|_| random_filter(&mut rng))
                    .collect();
                let page = Page {
                    skip: rng.gen_range(0..3),
                    size: 10,
                };
                let query = Query {
                    kind,
                    filters,
                    page,
                };
                let mut expected: Vec<Lot> = records
                    .iter()
                    .filter(|record| record.kind == kind && record.status.is_open())
                    .map(Lot::from)
                    .filter(|lot| query.admits(lot))
                    .collect();
                expected.sort_by(|a, b| query.compare(a, b));
                let all: Vec<Lot> = shelves.all(&query).into_iter().cloned().collect();
                assert_eq!(all, expected, "seed {seed}: {query:?}");
                assert_eq!(shelves.first(&query), expected.first());
                let hashes = expected.iter().map(|lot| lot.hash).skip(page.skip as usize);
                let page: Vec<_> = hashes.take(10).collect();
                assert_eq!(shelves.search(&query), (expected.len() as u64, page));
            }
        }
    }
}
