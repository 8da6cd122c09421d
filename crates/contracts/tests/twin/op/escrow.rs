//! Money into the hub, out of it and within.
use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::SolCall;
use contracts::{Hub, Rlc};

use super::{Gen, Make};
use crate::mocks;
use crate::step::{Step, What};

/// Only where the hub holds a token.
pub(super) const TOKEN_OPS: &[(u64, &str, Make)] = &[
    (4, "deposit", deposit),
    (3, "depositFor", deposit_for),
    (2, "depositForArray", deposit_for_array),
    (2, "receiveApproval", receive_approval),
    (2, "RLC.approve", token_approve),
    (3, "RLC.approveAndCall", token_approve_and_call),
    (6, "RLC.approveAndCall(matchOrders)", approve_and_match),
    (1, "RLC.transfer", token_transfer),
];

/// Whatever the hub holds.
pub(super) const OPS: &[(u64, &str, Make)] = &[
    (3, "withdraw", withdraw),
    (2, "withdrawTo", withdraw_to),
    (2, "recover", recover),
    (3, "transfer", transfer),
    (3, "approve", approve),
    (3, "transferFrom", transfer_from),
    (2, "increaseAllowance", increase_allowance),
    (2, "decreaseAllowance", decrease_allowance),
    (3, "approveAndCall", approve_and_call),
];

fn deposit(g: &mut Gen<'_>) -> Step {
    let (from, amount) = (g.rich(), g.amount());
    let from = g.mostly(from);
    Step::new(from, g.hub(), &Hub::depositCall { amount })
}

fn deposit_for(g: &mut Gen<'_>) -> Step {
    let (from, amount, target) = (g.rich(), g.amount(), g.receiver());
    Step::new(from, g.hub(), &Hub::depositForCall { amount, target })
}

fn deposit_for_array(g: &mut Gen<'_>) -> Step {
    let count = g.dice.index(4);
    let others = if g.dice.chance(15) {
        g.dice.index(4)
    } else {
        count
    };
    let amounts = (0..count).map(|_| g.amount()).collect();
    let targets = (0..others).map(|_| g.receiver()).collect();
    let from = g.rich();
    Step::new(
        from,
        g.hub(),
        &Hub::depositForArrayCall { amounts, targets },
    )
}

/// Called directly, mostly without a request: what follows from one is another operation.
fn receive_approval(g: &mut Gen<'_>) -> Step {
    let from = if g.dice.chance(30) {
        g.token()
    } else {
        g.sender()
    };
    let token_ = if g.dice.chance(85) {
        g.token()
    } else {
        g.anyone()
    };
    let call = Hub::receiveApprovalCall {
        sender: g.rich(),
        amount: g.amount(),
        token_,
        data: if g.dice.chance(90) {
            Bytes::new()
        } else {
            g.bytes()
        },
    };
    Step::new(from, g.hub(), &call)
}

fn token_approve(g: &mut Gen<'_>) -> Step {
    let spender = if g.dice.chance(85) {
        g.hub()
    } else {
        g.anyone()
    };
    let value = match g.dice.below(4) {
        0 => g.amount(),
        1 => U256::MAX,
        _ => U256::from(10_000_000_000_000_000_u64),
    };
    let from = g.rich();
    Step::new(from, g.token(), &Rlc::approveCall { spender, value })
}

fn token_approve_and_call(g: &mut Gen<'_>) -> Step {
    let call = Rlc::approveAndCallCall {
        spender: if g.dice.chance(80) {
            g.hub()
        } else {
            g.anyone()
        },
        value: g.amount(),
        data: Bytes::new(),
    };
    let from = g.rich();
    Step::new(from, g.token(), &call)
}

/// Deposits and asks for a deal in one go, or for something else.
fn approve_and_match(g: &mut Gen<'_>) -> Step {
    let orders = g.offers();
    let mut sender = orders.request.requester;
    let mut data = orders.call().abi_encode();
    match g.dice.below(12) {
        0 => sender = g.rich(),
        1 => data.truncate(g.dice.index(data.len())),
        2 => data = g.dice.bytes(3).to_vec(),
        3 => {
            data = Hub::claimCall {
                taskId: g.task_id(),
            }
            .abi_encode()
        }
        4 => data[..4].copy_from_slice(&Hub::sponsorMatchOrdersCall::SELECTOR),
        5 => {
            let spoilt = g.spoilt();
            sender = spoilt.request.requester;
            data = spoilt.call().abi_encode();
        }
        _ => {}
    }
    let amount = g.price_of(&orders);
    Step::of(What::ApproveAndMatch {
        sender,
        amount,
        data: data.into(),
    })
    .with_orders(orders)
}

fn token_transfer(g: &mut Gen<'_>) -> Step {
    let to = if g.dice.chance(50) {
        g.hub()
    } else {
        g.anyone()
    };
    let value = U256::from(g.dice.below(1_000_000_000));
    let from = g.rich();
    Step::new(from, g.token(), &Rlc::transferCall { to, value })
}

fn withdraw(g: &mut Gen<'_>) -> Step {
    let (from, amount) = (g.rich(), g.amount());
    let from = g.mostly(from);
    Step::new(from, g.hub(), &Hub::withdrawCall { amount })
}

fn withdraw_to(g: &mut Gen<'_>) -> Step {
    let (from, amount, target) = (g.rich(), g.amount(), g.receiver());
    Step::new(from, g.hub(), &Hub::withdrawToCall { amount, target })
}

fn recover(g: &mut Gen<'_>) -> Step {
    let from = if g.dice.chance(60) {
        g.known.owner
    } else {
        g.sender()
    };
    Step::new(from, g.hub(), &Hub::recoverCall {})
}

fn transfer(g: &mut Gen<'_>) -> Step {
    let (from, to, value) = (g.rich(), g.receiver(), g.amount());
    let from = g.mostly(from);
    Step::new(from, g.hub(), &Hub::transferCall { to, value })
}

fn approve(g: &mut Gen<'_>) -> Step {
    let spender = if g.dice.chance(80) {
        g.rich()
    } else {
        g.receiver()
    };
    let (from, value) = (g.rich(), g.amount());
    let from = g.mostly(from);
    Step::new(from, g.hub(), &Hub::approveCall { spender, value })
}

/// An allowance that exists, mostly.
fn allowance(g: &mut Gen<'_>) -> (Address, Address) {
    let known: Vec<_> = g.known.spenders.iter().copied().collect();
    let random = (g.rich(), g.sender());
    let found = g.dice.find(&known);
    found.filter(|_| g.dice.chance(80)).unwrap_or(random)
}

fn transfer_from(g: &mut Gen<'_>) -> Step {
    let (from, spender) = allowance(g);
    let (to, value) = (g.receiver(), g.amount());
    Step::new(spender, g.hub(), &Hub::transferFromCall { from, to, value })
}

fn increase_allowance(g: &mut Gen<'_>) -> Step {
    let (owner, spender) = allowance(g);
    let value = g.amount();
    Step::new(
        owner,
        g.hub(),
        &Hub::increaseAllowanceCall { spender, value },
    )
}

fn decrease_allowance(g: &mut Gen<'_>) -> Step {
    let (owner, spender) = allowance(g);
    let value = g.amount();
    Step::new(
        owner,
        g.hub(),
        &Hub::decreaseAllowanceCall { spender, value },
    )
}

/// Of the hub's own token: asks contracts that agree, refuse, or are none.
fn approve_and_call(g: &mut Gen<'_>) -> Step {
    let spender = match g.dice.below(4) {
        0 => g.hub(),
        1 => mocks::ONE,
        _ => g.dice.pick(&mocks::ALL),
    };
    let call = Hub::approveAndCallCall {
        spender,
        value: g.amount(),
        data: g.bytes(),
    };
    let from = g.rich();
    Step::new(from, g.hub(), &call)
}
