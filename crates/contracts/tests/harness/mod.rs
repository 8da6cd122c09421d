//! What the tests of the contracts share: a machine, a market on it, orders, the official code.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test target uses a part of it, and everything here serves a test"
)]

pub(crate) mod chain;
pub(crate) mod official;
pub(crate) mod orders;
pub(crate) mod stage;
