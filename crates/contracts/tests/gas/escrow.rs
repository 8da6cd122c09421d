//! Money in, out and about.
use alloy::primitives::{Bytes, U256};
use contracts::{Hub, Rlc};

use crate::chain::Chain;
use crate::market::Market;
use crate::side::Side;
use crate::stage::key;

/// 1 RLC in nRLC.
const RLC: u64 = 1_000_000_000;
const DEPOSIT: u64 = 10 * RLC;

pub(crate) fn measure(side: &Side) {
    first_deposits(side);
    moves(side);
}

/// The first deposit the hub has ever seen, and what its owner does next.
fn first_deposits(side: &Side) {
    let mut chain = Chain::new();
    let owner = key(1).address();
    let at = side.deployed(&mut chain, owner);
    let approve = Rlc::approveCall {
        spender: at.hub,
        value: U256::from(3 * DEPOSIT),
    };
    side.row("RLC.approve", chain.act(owner, at.token, &approve).gas);
    let deposit = Hub::depositCall {
        amount: U256::from(DEPOSIT),
    };
    let mut pay_in = |name| side.row(name, chain.act(owner, at.hub, &deposit).gas);
    pay_in("deposit, new account");
    pay_in("deposit, existing account");
    // Uses up what was approved.
    chain.act(owner, at.hub, &deposit);
    let at_once = Rlc::approveAndCallCall {
        spender: at.hub,
        value: U256::from(DEPOSIT),
        data: Bytes::new(),
    };
    let gas = chain.act(owner, at.token, &at_once).gas;
    side.row("RLC.approveAndCall deposit", gas);
}

fn moves(side: &Side) {
    let mut market = Market::busy(side);
    let (from, to) = (market.requester.address(), market.scheduler.address());
    let (hub, token) = (market.at.hub, market.at.token);
    let gift = Rlc::transferCall {
        to: from,
        value: U256::from(RLC),
    };
    let deployer = market.deployer;
    market.chain.act(deployer, token, &gift);
    let withdraw = Hub::withdrawCall {
        amount: U256::from(DEPOSIT),
    };
    side.row("withdraw", market.chain.act(from, hub, &withdraw).gas);
    let transfer = Hub::transferCall {
        to,
        value: U256::from(RLC),
    };
    side.row("SRLC transfer", market.chain.act(from, hub, &transfer).gas);
}
