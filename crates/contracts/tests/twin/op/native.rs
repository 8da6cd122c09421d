//! The chain's own coin into the hub; what is smaller than 1 nRLC (10⁹ wei) comes back.
use alloy::primitives::{Address, U256};
use contracts::Hub;

use super::{Gen, Make};
use crate::step::Step;

alloy::sol! {
    interface Native {
        function deposit() external payable returns (bool);
        function depositFor(address target) external payable returns (bool);
    }
}

const WEI_PER_NRLC: u64 = 1_000_000_000;

pub(super) const OPS: &[(u64, &str, Make)] = &[
    (4, "deposit", deposit),
    (3, "depositFor", deposit_for),
    (2, "depositForArray", deposit_for_array),
    (2, "receive", receive),
    (2, "fallback", fallback),
    (1, "receiveApproval", receive_approval),
    (1, "coins to the hub", coins),
];

/// Mostly not a whole number of nRLC.
fn wei(g: &mut Gen<'_>) -> U256 {
    let nrlc = U256::from(g.dice.below(1_000_000_000_000));
    let rest = if g.dice.chance(50) {
        g.dice.below(WEI_PER_NRLC)
    } else {
        0
    };
    nrlc * U256::from(WEI_PER_NRLC) + U256::from(rest)
}

fn deposit(g: &mut Gen<'_>) -> Step {
    let (from, wei) = (g.rich(), wei(g));
    Step::new(from, g.hub(), &Native::depositCall {}).with_value(wei)
}

fn deposit_for(g: &mut Gen<'_>) -> Step {
    let (from, wei, target) = (g.rich(), wei(g), g.receiver());
    Step::new(from, g.hub(), &Native::depositForCall { target }).with_value(wei)
}

fn deposit_for_array(g: &mut Gen<'_>) -> Step {
    let count = g.dice.index(4);
    let others = if g.dice.chance(15) {
        g.dice.index(4)
    } else {
        count
    };
    let amounts: Vec<_> = (0..count)
        .map(|_| U256::from(g.dice.below(1 << 40)))
        .collect();
    let targets = (0..others).map(|_| g.receiver()).collect();
    let needed = amounts.iter().sum::<U256>() * U256::from(WEI_PER_NRLC);
    let wei = match g.dice.below(3) {
        0 => needed,
        1 => needed + wei(g),
        _ => needed - needed.min(U256::from(1)),
    };
    let from = g.rich();
    Step::new(
        from,
        g.hub(),
        &Hub::depositForArrayCall { amounts, targets },
    )
    .with_value(wei)
}

fn receive(g: &mut Gen<'_>) -> Step {
    let (from, wei) = (g.rich(), wei(g));
    Step::raw(from, g.hub(), Default::default()).with_value(wei)
}

fn fallback(g: &mut Gen<'_>) -> Step {
    let wei = if g.dice.chance(50) {
        U256::ZERO
    } else {
        wei(g)
    };
    let (from, data) = (g.rich(), g.dice.bytes(36));
    Step::raw(from, g.hub(), data).with_value(wei)
}

/// Not implemented in this mode: a deposit like any other unknown function.
fn receive_approval(g: &mut Gen<'_>) -> Step {
    let call = Hub::receiveApprovalCall {
        sender: g.rich(),
        amount: g.amount(),
        token_: Address::ZERO,
        data: g.bytes(),
    };
    let (from, wei) = (g.rich(), wei(g));
    Step::new(from, g.hub(), &call).with_value(wei)
}

/// Functions that take no coins, with coins.
fn coins(g: &mut Gen<'_>) -> Step {
    let call = Hub::claimCall {
        taskId: g.task_id(),
    };
    let from = g.rich();
    Step::new(from, g.hub(), &call).with_value(U256::from(WEI_PER_NRLC))
}
