//! The four orders, from a section of `iexec.json` to a deal (spec/client.md §1.4 `order`).
//!
//! [`AnyOrder`] is one of the four, so that nothing here is written four times. [`life`] signs,
//! publishes, takes back, closes and shows one order; [`fill`] matches four; [`tags`] says which
//! tags make sense; [`facts`] is what the chain says of orders; [`bulk`] puts
//! many dataset orders into one request.

mod any;
pub mod bulk;
pub mod facts;
pub mod fill;
pub mod life;
pub mod tags;

pub use any::{AnyOrder, name};

/// A random salt, which makes equal orders distinct.
pub fn salt() -> protocol::B256 {
    crate::salt()
}
