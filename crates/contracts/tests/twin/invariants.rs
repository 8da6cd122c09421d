//! What must be true of the money whatever happens, in a world of its own right.
use std::collections::BTreeMap;

use alloy::primitives::{B256, Log, U256};
use alloy::sol_types::SolEventInterface;
use contracts::{Hub, Rlc};

use crate::known::{KITTY, Known};
use crate::world::World;

/// What one transaction takes from some for a task, it gives to others.
pub(crate) fn nothing_is_made(known: &Known, logs: &[Log]) -> Result<(), String> {
    let mut taken = BTreeMap::<B256, (U256, U256)>::new();
    for log in logs.iter().filter(|log| log.address == known.places.at.hub) {
        match Hub::HubEvents::decode_log(log).map(|event| event.data) {
            Ok(Hub::HubEvents::Seize(lost)) => {
                taken.entry(lost.r#ref).or_default().0 += lost.amount
            }
            Ok(Hub::HubEvents::Reward(won)) => taken.entry(won.r#ref).or_default().1 += won.amount,
            _ => {}
        }
    }
    match taken
        .into_iter()
        .find(|(_, (seized, given))| seized != given)
    {
        Some((task, (seized, given))) => Err(format!(
            "{given} is given for task {task}, and {seized} was taken"
        )),
        None => Ok(()),
    }
}

/// The books of the hub agree with themselves, with its token and with what was agreed on.
pub(crate) fn books_balance(known: &Known, world: &mut World) -> Result<(), String> {
    let (hub, token) = (known.places.at.hub, known.places.at.token);
    let (mut free, mut locked) = (U256::ZERO, U256::ZERO);
    for account in known.accounts.iter().copied() {
        let view = world.chain.read(hub, &Hub::viewAccountCall { account });
        free += view.stake;
        locked += view.locked;
        let expected = known.frozen.get(&account).copied().unwrap_or_default();
        if known.boost.is_empty() && view.locked != expected {
            return Err(format!(
                "{account} has {} locked, not {expected}",
                view.locked
            ));
        }
    }
    let account = hub;
    let held = world.chain.read(hub, &Hub::balanceOfCall { account });
    let supply = world.chain.read(hub, &Hub::totalSupplyCall {});
    let coins = if token.is_zero() {
        world.chain.wealth(hub) / U256::from(1_000_000_000)
    } else {
        world.chain.read(token, &Rlc::balanceOfCall { account })
    };
    if held != locked + known.lost {
        return Err(format!(
            "the hub has {held}, {locked} is locked and {} lost",
            known.lost
        ));
    }
    if supply != free {
        return Err(format!("the supply is {supply}, all accounts have {free}"));
    }
    if coins < supply {
        return Err(format!(
            "the supply is {supply}, but there are only {coins}"
        ));
    }
    Ok(())
}

/// When every task has ended, nobody has anything locked but the kitty.
pub(crate) fn nothing_is_left(known: &Known) -> Result<(), String> {
    let left = known.frozen.iter();
    let mut left = left.filter(|(account, amount)| **account != KITTY && !amount.is_zero());
    match left.next() {
        Some((account, amount)) => Err(format!("{account} still has {amount} locked")),
        None => Ok(()),
    }
}
