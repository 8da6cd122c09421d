//! Queries of the order book: what is asked, which orders it admits, and the same as SQL.

mod deal;
mod filter;
mod query;
mod request;
mod sql;

pub(crate) use deal::{category_body, deal_row, read_deals};
pub use filter::{Column, Filter};
pub use query::{Page, Query};
pub(crate) use request::{page, read};
pub(crate) use sql::{Bind, Where, words};
