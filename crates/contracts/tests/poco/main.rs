//! The contracts, executed in process: every rule of spec/contracts.md that money depends on.
#![expect(
    clippy::unwrap_used,
    reason = "everything here is a test or serves one"
)]

mod bag;
mod chain;
mod consensus;
mod deadlines;
mod deploy;
mod escrow;
mod gas;
mod golden;
mod life;
mod matching;
mod official;
mod orders;
mod packing;
mod registries;
mod signatures;
mod stage;
mod twin;
