//! Queries of the order book: what is asked, which orders it admits, and how they are found.

mod deal;
mod filter;
mod query;
mod request;
mod shelf;

pub(crate) use deal::{category_body, deal_row, read_deals};
pub use filter::{Column, Filter};
pub use query::{Page, Query};
pub(crate) use request::{page, read};
pub use shelf::Lot;
pub(crate) use shelf::Shelves;
