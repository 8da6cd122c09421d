//! What the owner does with the hub and its assets, and what others are refused.
use alloy::primitives::{Address, U256};
use alloy::sol_types::SolCall;
use contracts::{AppRegistry, Hub, Workerpool};

use super::{Gen, Make};
use crate::mocks;
use crate::step::{Step, What};
use crate::world::change_registries;

alloy::sol! {
    function renounceOwnership() external;
}

pub(super) const OPS: &[(u64, &str, Make)] = &[
    (2, "createCategory", create_category),
    (2, "configure", configure),
    (3, "changeRegistries", change),
    (3, "setTeeBroker", set_tee_broker),
    (3, "setCallbackGas", set_callback_gas),
    (2, "updateDomainSeparator", update_domain_separator),
    (1, "chain id", chain_id),
    (2, "transferOwnership", transfer_ownership),
    (1, "renounceOwnership", renounce_ownership),
    (3, "importScore", import_score),
    (4, "sale of an asset", sell),
    (3, "changePolicy", change_policy),
    (25, "wait", wait),
];

impl Gen<'_> {
    fn boss(&mut self) -> Address {
        if self.dice.chance(65) {
            self.known.owner
        } else {
            self.sender()
        }
    }
}

fn create_category(g: &mut Gen<'_>) -> Step {
    let workClockTimeRef = match g.dice.below(8) {
        0 => g.dice.huge(),
        1 => U256::ZERO,
        _ => U256::from(g.dice.below(20_000)),
    };
    let call = Hub::createCategoryCall {
        name_: g.text(),
        description: g.text(),
        workClockTimeRef,
    };
    let from = if g.known.categories.len() < 20 {
        g.boss()
    } else {
        g.stranger()
    };
    Step::new(from, g.hub(), &call)
}

fn configure(g: &mut Gen<'_>) -> Step {
    let call = Hub::configureCall {
        token_: g.anyone(),
        name_: g.text(),
        symbol_: g.text(),
        decimals_: g.dice.below(20) as u8,
        appregistry_: g.anyone(),
        datasetregistry_: g.anyone(),
        workerpoolregistry_: g.anyone(),
        v3_iexecHub: g.anyone(),
    };
    let from = g.boss();
    Step::new(from, g.hub(), &call)
}

/// To the older generation, and soon back again.
fn change(g: &mut Gen<'_>) -> Step {
    let places = g.known.places;
    let to = if g.dice.chance(40) {
        places.common
    } else {
        places.ancestors
    };
    let from = g.boss();
    Step::new(from, g.hub(), &change_registries(to))
}

pub(super) fn bring_back(g: &mut Gen<'_>) -> Step {
    let call = change_registries(g.known.places.common);
    Step::new(g.known.owner, g.hub(), &call).named("changeRegistries")
}

fn set_tee_broker(g: &mut Gen<'_>) -> Step {
    let broker = match g.dice.below(3) {
        0 => Address::ZERO,
        1 => mocks::WALLET,
        _ => g.dice.pick(&g.cast.brokers),
    };
    let from = g.boss();
    Step::new(from, g.hub(), &Hub::setTeeBrokerCall { broker })
}

/// Enough for a callback into the hub, or nearly nothing, or more than there is.
fn set_callback_gas(g: &mut Gen<'_>) -> Step {
    let gas_ = match g.dice.below(8) {
        0 => U256::from(g.dice.below(3)),
        1 => g.dice.huge().max(U256::from(1_u64 << 48)),
        _ => U256::from(5_000_000),
    };
    let from = g.boss();
    Step::new(from, g.hub(), &Hub::setCallbackGasCall { gas_ })
}

fn update_domain_separator(g: &mut Gen<'_>) -> Step {
    let from = g.sender();
    Step::new(from, g.hub(), &Hub::updateDomainSeparatorCall {})
}

/// A fork of the chain; what was signed before stays good until the separator is computed anew.
fn chain_id(g: &mut Gen<'_>) -> Step {
    Step::of(What::ChainId(g.dice.pick(&[1, 134, 31_337, 42_161])))
}

fn transfer_ownership(g: &mut Gen<'_>) -> Step {
    let newOwner = g.dice.pick(&[g.cast.owner, g.cast.heir]);
    let from = g.boss();
    Step::new(from, g.hub(), &Hub::transferOwnershipCall { newOwner })
}

/// In the published interface, but not implemented.
fn renounce_ownership(g: &mut Gen<'_>) -> Step {
    let from = g.boss();
    Step::raw(from, g.hub(), renounceOwnershipCall {}.abi_encode().into())
}

fn import_score(g: &mut Gen<'_>) -> Step {
    let worker = if g.dice.chance(30) {
        g.dice.pick(&g.cast.workers)
    } else {
        g.dice.address()
    };
    let from = g.sender();
    Step::new(from, g.hub(), &Hub::importScoreCall { worker })
}

/// Orders signed by the old owner are worth nothing then.
fn sell(g: &mut Gen<'_>) -> Step {
    let kind = g.dice.index(3);
    let buyers = [
        &g.cast.app_owners,
        &g.cast.dataset_owners,
        &g.cast.schedulers,
    ][kind]
        .clone();
    let Some(entry) = g.dice.find(&g.known.entries[kind]) else {
        return wait(g);
    };
    let call = AppRegistry::transferFromCall {
        from: g.known.owner_of(entry),
        to: g.dice.pick(&buyers),
        tokenId: U256::from_be_slice(entry.as_slice()),
    };
    let generation = if g.dice.chance(80) {
        g.known.places.common
    } else {
        g.known.places.ancestors
    };
    Step::new(call.from, generation[kind], &call)
}

fn change_policy(g: &mut Gen<'_>) -> Step {
    let Some(pool) = g.dice.find(&g.known.entries[2]) else {
        return wait(g);
    };
    let call = Workerpool::changePolicyCall {
        _newWorkerStakeRatioPolicy: U256::from(g.dice.pick(&[0, 1, 30, 100, 350])),
        _newSchedulerRewardRatioPolicy: U256::from(g.dice.pick(&[0, 1, 33, 100, 101])),
    };
    let owner = g.known.owner_of(pool);
    Step::new(g.mostly(owner), pool, &call)
}

/// A moment, or until just before, at or after a deadline of something open.
fn wait(g: &mut Gen<'_>) -> Step {
    let open = g
        .dice
        .find(&g.known.open)
        .map(|index| &g.known.tasks[index]);
    let now = g.known.now;
    let Some(task) = open.filter(|_| g.dice.chance(25)) else {
        return Step::of(What::Wait(g.dice.pick(&[1, 1, 5, 30, 300])));
    };
    let deal = g.known.deal_of(task);
    let deadlines = [
        task.reveal_deadline,
        task.reveal_deadline,
        deal.view.startTime + deal.timeref * U256::from(7),
        deal.view.startTime + deal.timeref * U256::from(10),
    ];
    let deadline = g.dice.pick(&deadlines) + U256::from(g.dice.below(3));
    let seconds = deadline.saturating_sub(now + U256::from(1));
    // Beyond this the other deals would all be over.
    let bounded = seconds.min(U256::from(40_000)).max(U256::from(1));
    Step::of(What::Wait(bounded.to()))
}
