//! The order book (spec/client.md §3.2).
//!
//! [`book`] reads orders, [`publish()`] puts them there and takes them back, [`deals`] lists what
//! came of them, [`filter`] says which are wanted.

pub mod book;
pub mod deals;
pub mod filter;
mod login;
mod publish;

use protocol::order::Kind;

use crate::{Error, error::Api};

pub use book::{Book, Published, book, page, record};
pub use filter::{Filter, Party, Restriction};
pub(crate) use login::{TypedData, login_token};
pub use publish::{publish, unpublish, unpublish_order};

/// The route of a kind's book.
const fn route(kind: Kind) -> &'static str {
    match kind {
        Kind::App => "/apporders",
        Kind::Dataset => "/datasetorders",
        Kind::Workerpool => "/workerpoolorders",
        Kind::Request => "/requestorders",
    }
}

fn no_such_route() -> Error {
    Error::Api {
        api: Api::Market,
        message: "not found".to_owned(),
    }
}
