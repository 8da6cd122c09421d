//! The contracts, executed in process: every rule of spec/contracts.md that money depends on.
#![expect(
    clippy::unwrap_used,
    reason = "everything here is a test or serves one"
)]

mod bag;
mod boost;
mod boost_matching;
mod boost_twin;
mod consensus;
mod deadlines;
mod deploy;
mod enumeration;
mod escrow;
mod gas;
mod golden;
#[path = "../harness/mod.rs"]
mod harness;
mod life;
mod matching;
mod packing;
mod records;
mod registries;
mod signatures;

use harness::{chain, official, orders, stage};
