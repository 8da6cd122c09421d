//! What every action costs, on our contracts and on the official ones in the same machine: the
//! figures of contracts/gas.md, which `cargo xtask contracts gas` writes from what is printed here.
//!
//! Inputs are those of spec/contracts.md §21: everyone has balances, locked funds and a score
//! already, no price is zero, params have 139 bytes and results 84.
#![expect(
    clippy::unwrap_used,
    reason = "everything here is a test or serves one"
)]

mod assets;
mod boost;
mod deployment;
mod escrow;
#[path = "../harness/mod.rs"]
mod harness;
mod lives;
mod market;
mod matching;
mod side;
mod tasks;

use harness::{chain, official, orders, stage};
use side::Side;

/// Run by `cargo xtask contracts gas`.
#[test]
#[ignore = "prints figures for contracts/gas.md"]
fn measure() {
    let package = tools::need!(official::package());
    for side in [Side::OURS, Side::official(package)] {
        assets::measure(&side);
        escrow::measure(&side);
        matching::measure(&side);
        tasks::measure(&side);
        boost::measure(&side);
        lives::measure(&side);
        deployment::measure(&side);
    }
}
