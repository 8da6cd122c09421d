//! Reading what clients send, with the official messages (spec/market-explorer.md §5).

mod number;
mod params;
mod schema;
mod value;

pub(crate) use number::integer;
pub(crate) use params::{Params, Wanted};
pub(crate) use schema::read_order;
pub(crate) use value::{address, bytes32};

use protocol::order::Kind;

/// The first thing wrong with a request, in the official words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Invalid(pub(crate) String);

/// The largest integer that JSON numbers carry exactly: 2^53 − 1, the limit of every number here.
pub(crate) const INTEGER_MAX: u64 = (1 << 53) - 1;

pub(crate) fn required(field: &str) -> Invalid {
    Invalid(format!("{field} is a required field"))
}

/// The member of an order, and of an unpublish request, that names its subject.
pub(crate) fn subject_field(kind: Kind) -> &'static str {
    match kind {
        Kind::App => "app",
        Kind::Dataset => "dataset",
        Kind::Workerpool => "workerpool",
        Kind::Request => "requester",
    }
}
