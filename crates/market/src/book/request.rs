//! Reading a query from a URL (spec/market-explorer.md §8).

use protocol::{Tag, order::Kind};

use super::{Column, Filter, Page, Query};
use crate::input::{INTEGER_MAX, Invalid, Params, Wanted};

/// Page size when none is asked for, and of the legacy `page` parameter.
const PAGE_SIZE: u64 = 20;
/// The smallest page one may ask for.
const PAGE_SIZE_MIN: u64 = 10;
/// The largest page one may ask for: bounds the answer to about a megabyte.
const PAGE_SIZE_MAX: u64 = 1000;

/// What the orders of `kind` are asked for by `params`.
///
/// # Errors
/// [`Invalid`] for the first parameter that is wrong.
pub(crate) fn read(kind: Kind, params: &Params) -> Result<Query, Invalid> {
    let mut filters = Vec::new();
    let page = page(params)?;
    match kind {
        Kind::App => {
            restrictions(&mut filters, params, &[DATASET, WORKERPOOL, REQUESTER])?;
            sold(&mut filters, params, APP, "appOwner")?;
            require(params, "app", "appOwner")?;
        }
        Kind::Dataset => {
            restrictions(&mut filters, params, &[APP, WORKERPOOL, REQUESTER])?;
            sold(&mut filters, params, DATASET, "datasetOwner")?;
            bulk(&mut filters, params)?;
            require(params, "dataset", "datasetOwner")?;
        }
        Kind::Workerpool => {
            restrictions(&mut filters, params, &[APP, DATASET, REQUESTER])?;
            sold(&mut filters, params, WORKERPOOL, "workerpoolOwner")?;
            number(&mut filters, params, "category", |n| {
                Filter::Equals(Column::Category, n)
            })?;
            let trust = params.integer("minTrust", 0)?.filter(|trust| *trust > 1);
            filters.extend(trust.map(|n| Filter::AtLeast(Column::Trust, n)));
        }
        Kind::Request => {
            restrictions(&mut filters, params, &[WORKERPOOL])?;
            for role in [APP, DATASET, REQUESTER, BENEFICIARY] {
                subject(&mut filters, params, role)?;
            }
            number(&mut filters, params, "category", |n| {
                Filter::Equals(Column::Category, n)
            })?;
            number(&mut filters, params, "maxTrust", |n| {
                Filter::AtMost(Column::Trust, n)
            })?;
        }
    }
    tags(&mut filters, params)?;
    let least = params.integer("minVolume", 1)?;
    filters.extend(least.map(|n| Filter::AtLeast(Column::Remaining, n)));
    Ok(Query {
        kind,
        filters,
        page,
    })
}

/// A role: its parameter, its strictness flag, its column.
type Role = (&'static str, &'static str, Column);

const APP: Role = ("app", "isAppStrict", Column::App);
const DATASET: Role = ("dataset", "isDatasetStrict", Column::Dataset);
const WORKERPOOL: Role = ("workerpool", "isWorkerpoolStrict", Column::Workerpool);
const REQUESTER: Role = ("requester", "isRequesterStrict", Column::Requester);
const BENEFICIARY: Role = ("beneficiary", "", Column::Beneficiary);

/// Restrictions: absent shows public orders only, `any` all of them.
fn restrictions(filters: &mut Vec<Filter>, params: &Params, roles: &[Role]) -> Result<(), Invalid> {
    for (field, flag, column) in roles {
        let strict = params.boolean(flag)?;
        filters.extend(match params.wanted(field)? {
            Wanted::Any => None,
            Wanted::Absent => Some(Filter::public(*column)),
            Wanted::One(address) if strict => Some(Filter::Is(*column, address)),
            Wanted::One(address) => Some(Filter::OpenTo(*column, address)),
        });
    }
    Ok(())
}

fn subject(filters: &mut Vec<Filter>, params: &Params, role: Role) -> Result<(), Invalid> {
    if let Wanted::One(address) = params.wanted(role.0)? {
        filters.push(Filter::Is(role.2, address));
    }
    Ok(())
}

/// The subject of an offer and the wallet that signed it.
fn sold(
    filters: &mut Vec<Filter>,
    params: &Params,
    role: Role,
    owner: &str,
) -> Result<(), Invalid> {
    let signer = params.address(owner)?;
    filters.extend(signer.map(|address| Filter::Is(Column::Signer, address)));
    subject(filters, params, role)
}

fn require(params: &Params, subject: &str, owner: &str) -> Result<(), Invalid> {
    let absent = params.wanted(subject)? == Wanted::Absent && params.address(owner)?.is_none();
    if absent {
        return Err(Invalid(format!("{subject} or {owner} is required")));
    }
    Ok(())
}

fn number(
    filters: &mut Vec<Filter>,
    params: &Params,
    field: &str,
    filter: impl FnOnce(u64) -> Filter,
) -> Result<(), Invalid> {
    filters.extend(params.integer(field, 0)?.map(filter));
    Ok(())
}

fn bulk(filters: &mut Vec<Filter>, params: &Params) -> Result<(), Invalid> {
    if params.boolean("bulkOnly")? {
        filters.push(Filter::AtLeast(Column::Volume, INTEGER_MAX - 1));
        filters.push(Filter::Equals(Column::Price, 0));
    }
    Ok(())
}

fn tags(filters: &mut Vec<Filter>, params: &Params) -> Result<(), Invalid> {
    let least = params.bytes32("minTag")?.map(Tag);
    let most = params.bytes32("maxTag")?.map(Tag);
    filters.extend(least.filter(|tag| *tag != Tag::NONE).map(Filter::Covers));
    filters.extend(most.map(Filter::Within));
    Ok(())
}

/// The page asked for; the legacy `page` is the number of orders to pass over.
///
/// # Errors
/// [`Invalid`] for a size out of bounds.
pub(crate) fn page(params: &Params) -> Result<Page, Invalid> {
    let size = params.bounded("pageSize", PAGE_SIZE_MIN, PAGE_SIZE_MAX)?;
    let index = params.integer("pageIndex", 0)?;
    let legacy = params.integer("page", 0)?;
    if let (Some(skip), None, None) = (legacy, index, size) {
        return Ok(Page {
            skip,
            size: PAGE_SIZE,
        });
    }
    let size = size.unwrap_or(PAGE_SIZE);
    let skip = index.unwrap_or_default().saturating_mul(size);
    Ok(Page { skip, size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Address;

    const ONE: &str = "0x00000000000000000000000000000000000000A1";

    fn one() -> Address {
        ONE.parse().unwrap()
    }

    fn filters(kind: Kind, pairs: &[(&str, &str)]) -> Vec<Filter> {
        read(kind, &Params::of(pairs)).unwrap().filters
    }

    fn message(kind: Kind, pairs: &[(&str, &str)]) -> String {
        read(kind, &Params::of(pairs)).unwrap_err().0
    }

    #[test]
    fn absent_restrictions_show_public_orders() {
        let found = filters(Kind::App, &[("app", ONE)]);
        let expected = [
            Filter::public(Column::Dataset),
            Filter::public(Column::Workerpool),
            Filter::public(Column::Requester),
            Filter::Is(Column::App, one()),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn restrictions_may_be_any_loose_or_strict() {
        let pool = ("workerpool", "any");
        let who = ("requester", ONE);
        let loose = filters(Kind::App, &[("app", "any"), ("dataset", "any"), pool, who]);
        assert_eq!(loose, [Filter::OpenTo(Column::Requester, one())]);
        let strict = ("isRequesterStrict", "true");
        let found = filters(
            Kind::App,
            &[("app", "any"), ("dataset", "any"), pool, who, strict],
        );
        assert_eq!(found, [Filter::Is(Column::Requester, one())]);
    }

    #[test]
    fn trust_and_category_read_zero_differently() {
        let pools = filters(Kind::Workerpool, &[("minTrust", "1"), ("category", "0")]);
        assert!(pools.contains(&Filter::Equals(Column::Category, 0)));
        assert!(
            !pools
                .iter()
                .any(|f| matches!(f, Filter::AtLeast(Column::Trust, _)))
        );
        let requests = filters(Kind::Request, &[("maxTrust", "0")]);
        assert!(requests.contains(&Filter::AtMost(Column::Trust, 0)));
    }

    #[test]
    fn lists_of_apps_and_datasets_need_a_subject() {
        assert_eq!(message(Kind::App, &[]), "app or appOwner is required");
        assert_eq!(
            message(Kind::Dataset, &[]),
            "dataset or datasetOwner is required"
        );
        assert!(read(Kind::Workerpool, &Params::default()).is_ok());
        assert!(read(Kind::App, &Params::of(&[("appOwner", ONE)])).is_ok());
    }

    #[test]
    fn pages_are_bounded() {
        let page = |pairs: &[(&str, &str)]| page(&Params::of(pairs)).map_err(|e| e.0);
        assert_eq!(page(&[]), Ok(Page { skip: 0, size: 20 }));
        assert_eq!(page(&[("page", "5")]), Ok(Page { skip: 5, size: 20 }));
        let both = [("pageIndex", "2"), ("pageSize", "10"), ("page", "5")];
        assert_eq!(page(&both), Ok(Page { skip: 20, size: 10 }));
        assert_eq!(
            page(&[("pageSize", "9")]).unwrap_err(),
            "pageSize must be greater than or equal to 10"
        );
        assert_eq!(
            page(&[("pageSize", "1001")]).unwrap_err(),
            "pageSize must be less than or equal to 1000"
        );
    }

    #[test]
    fn bad_values_are_named() {
        let bad = [("app", "any"), ("minTag", "0x1")];
        assert_eq!(
            message(Kind::App, &bad),
            "minTag must be a bytes32 hexstring"
        );
        let bad = [("minVolume", "0")];
        assert_eq!(
            message(Kind::Request, &bad),
            "minVolume must be greater than or equal to 1"
        );
    }
}
