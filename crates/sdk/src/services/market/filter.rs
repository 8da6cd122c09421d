//! Which orders of a book are wanted (spec/market-explorer.md §8). Pure.

use protocol::{Address, Tag, U256, order::Kind};

/// Whom a question is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Party {
    /// Not said: every subject, but only orders that are restricted to nobody.
    #[default]
    Unsaid,
    /// The word `any`: no condition at all.
    Any,
    /// Somebody.
    Is(Address),
}

impl Party {
    fn text(self) -> Option<String> {
        match self {
            Self::Unsaid => None,
            Self::Any => Some("any".to_owned()),
            Self::Is(address) => Some(address.to_checksum(None)),
        }
    }
}

impl From<Option<Address>> for Party {
    fn from(address: Option<Address>) -> Self {
        address.map_or(Self::Unsaid, Self::Is)
    }
}

/// Whom an order may be restricted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restriction {
    /// Orders for this party, beside those for everybody.
    pub party: Party,
    /// Without those for everybody.
    pub strict: bool,
}

impl Restriction {
    /// No condition at all.
    pub const ANY: Self = Self {
        party: Party::Any,
        strict: false,
    };
}

impl From<Option<Address>> for Restriction {
    fn from(address: Option<Address>) -> Self {
        Self {
            party: address.into(),
            strict: false,
        }
    }
}

/// Which orders are wanted; what a kind of order does not have is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The app, dataset or workerpool whose orders are wanted; for requests, the requester.
    pub subject: Party,
    /// Who signed them; not for requests.
    pub owner: Option<Address>,
    /// The app they are for; of requests, the app they want.
    pub app: Restriction,
    /// The dataset they are for; of requests, the dataset they want.
    pub dataset: Restriction,
    /// The workerpool they are for.
    pub workerpool: Restriction,
    /// The requester they are for; not for requests.
    pub requester: Restriction,
    /// Of requests, who will own the result.
    pub beneficiary: Party,
    /// Bits that must be there.
    pub min_tag: Option<Tag>,
    /// Bits that may be there.
    pub max_tag: Option<Tag>,
    /// Tasks that must be left.
    pub min_volume: Option<U256>,
    /// Trust that must be offered, of workerpool orders.
    pub min_trust: Option<U256>,
    /// Trust that may be asked, of requests.
    pub max_trust: Option<U256>,
    /// The category, of workerpool orders and requests.
    pub category: Option<u64>,
    /// Only dataset orders that fit a bulk.
    pub bulk_only: bool,
}

impl Filter {
    /// Every order of a subject, whomever it is restricted to.
    pub fn everything(subject: Party) -> Self {
        Self {
            subject,
            app: Restriction::ANY,
            dataset: Restriction::ANY,
            workerpool: Restriction::ANY,
            requester: Restriction::ANY,
            ..Self::default()
        }
    }

    /// The query, keys in alphabetical order as the official client sends them.
    pub fn query(&self, kind: Kind) -> Vec<(&'static str, String)> {
        let mut query = Query::default();
        match kind {
            Kind::App => {
                query.push("app", self.subject.text());
                query.owner("appOwner", self.owner);
                query.restriction("dataset", "isDatasetStrict", self.dataset);
            }
            Kind::Dataset => {
                query.push("dataset", self.subject.text());
                query.owner("datasetOwner", self.owner);
                query.restriction("app", "isAppStrict", self.app);
                query.push("bulkOnly", Some(self.bulk_only));
            }
            Kind::Workerpool => {
                query.push("workerpool", self.subject.text());
                query.owner("workerpoolOwner", self.owner);
                query.restriction("app", "isAppStrict", self.app);
                query.restriction("dataset", "isDatasetStrict", self.dataset);
                query.push("minTrust", self.min_trust.filter(|trust| !trust.is_zero()));
            }
            Kind::Request => {
                query.push("requester", self.subject.text());
                query.push("app", self.app.party.text());
                query.push("dataset", self.dataset.party.text());
                query.push("beneficiary", self.beneficiary.text());
                query.push("maxTrust", self.max_trust);
            }
        }
        if kind != Kind::Workerpool {
            query.restriction("workerpool", "isWorkerpoolStrict", self.workerpool);
        }
        if kind != Kind::Request {
            query.restriction("requester", "isRequesterStrict", self.requester);
        }
        if matches!(kind, Kind::Workerpool | Kind::Request) {
            query.push("category", self.category);
        }
        query.push("minTag", self.min_tag);
        query.push("maxTag", self.max_tag);
        query.push("minVolume", self.min_volume);
        query.0.sort();
        query.0
    }
}

#[derive(Default)]
struct Query(Vec<(&'static str, String)>);

impl Query {
    fn push(&mut self, key: &'static str, value: Option<impl ToString>) {
        self.0.extend(value.map(|value| (key, value.to_string())));
    }

    fn owner(&mut self, key: &'static str, owner: Option<Address>) {
        self.push(key, Party::from(owner).text());
    }

    fn restriction(&mut self, key: &'static str, strict: &'static str, wanted: Restriction) {
        self.push(key, wanted.party.text());
        self.push(strict, Some(wanted.strict));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(kind: Kind, filter: &Filter) -> String {
        let query = filter.query(kind);
        query
            .iter()
            .map(|(key, _)| *key)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// spec/client.md §3.2: what the official client sends to each book.
    #[test]
    fn each_book_has_its_keys() {
        let one = Address::repeat_byte(1);
        let filter = Filter {
            subject: Party::Is(one),
            owner: Some(one),
            min_tag: Some(Tag::NONE),
            max_tag: Some(Tag::NONE),
            min_volume: Some(U256::from(1)),
            min_trust: Some(U256::from(2)),
            max_trust: Some(U256::ZERO),
            category: Some(0),
            beneficiary: Party::Is(one),
            ..Filter::everything(Party::Any)
        };
        assert_eq!(
            keys(Kind::App, &filter),
            "app appOwner dataset isDatasetStrict isRequesterStrict isWorkerpoolStrict maxTag \
             minTag minVolume requester workerpool"
        );
        assert_eq!(
            keys(Kind::Dataset, &filter),
            "app bulkOnly dataset datasetOwner isAppStrict isRequesterStrict isWorkerpoolStrict \
             maxTag minTag minVolume requester workerpool"
        );
        assert_eq!(
            keys(Kind::Workerpool, &filter),
            "app category dataset isAppStrict isDatasetStrict isRequesterStrict maxTag minTag \
             minTrust minVolume requester workerpool workerpoolOwner"
        );
        assert_eq!(
            keys(Kind::Request, &filter),
            "app beneficiary category dataset isWorkerpoolStrict maxTag maxTrust minTag minVolume \
             requester workerpool"
        );
    }

    #[test]
    fn what_is_not_said_is_not_sent() {
        assert_eq!(
            keys(Kind::Request, &Filter::default()),
            "isWorkerpoolStrict"
        );
        let strict = Filter {
            dataset: Restriction {
                party: Party::Any,
                strict: true,
            },
            ..Filter::default()
        };
        let query = strict.query(Kind::App);
        assert!(query.contains(&("isDatasetStrict", "true".to_owned())));
        assert!(query.contains(&("dataset", "any".to_owned())));
    }
}
