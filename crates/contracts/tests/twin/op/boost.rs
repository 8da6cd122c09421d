//! The shorter life of a task (PoCo Boost): no initialization, one transaction per result.
use alloy::primitives::{Address, B256, Bytes, FixedBytes, U256, keccak256};
use alloy::sol_types::{SolCall, SolValue};
use contracts::Hub;

use super::{Gen, Make, task_id};
use crate::orders::Orders;
use crate::step::Step;

alloy::sol! {
    struct DealBoost {
        address appOwner; uint96 appPrice; address datasetOwner; uint96 datasetPrice;
        address workerpoolOwner; uint96 workerpoolPrice; address requester; uint96 workerReward;
        address callback; uint40 deadline; uint16 botFirst; uint16 botSize; bytes3 shortTag;
        address sponsor;
    }
    interface Boost {
        function pushResultBoost(
            bytes32 dealId, uint256 index, bytes results, bytes resultsCallback,
            bytes authorizationSign, address enclaveChallenge, bytes enclaveSign
        ) external;
        function claimBoost(bytes32 dealId, uint256 index) external;
        function viewDealBoost(bytes32 id) external view returns (DealBoost memory deal);
    }
}

/// With the same arguments as the other two; the binding of the hub has no such functions.
const MATCH: FixedBytes<4> = FixedBytes([0x8a, 0x8b, 0x36, 0x07]);
const SPONSOR: FixedBytes<4> = FixedBytes([0xc1, 0xf9, 0xa2, 0x0e]);

pub(super) const OPS: &[(u64, &str, Make)] = &[
    (30, "matchOrdersBoost", match_orders),
    (8, "sponsorMatchOrdersBoost", sponsor_match_orders),
    (12, "matchOrdersBoost, spoilt", match_spoilt),
    (60, "pushResultBoost", push_result),
    (10, "claimBoost", claim),
    (4, "viewDealBoost", view),
];

pub(crate) fn view_deal(id: B256) -> Bytes {
    Boost::viewDealBoostCall { id }.abi_encode().into()
}

fn call(selector: FixedBytes<4>, orders: &Orders) -> Bytes {
    [selector.as_slice(), &orders.call().abi_encode()[4..]]
        .concat()
        .into()
}

/// Only a trust of at most one is possible.
fn offers(g: &mut Gen<'_>) -> Orders {
    let mut orders = g.offers();
    if g.dice.chance(90) && !g.known.book.requests.contains(&orders.request) {
        orders.request.trust = U256::from(g.dice.below(2));
        g.sign(orders.request.requester, &mut orders.request);
    }
    orders
}

fn match_orders(g: &mut Gen<'_>) -> Step {
    let orders = offers(g);
    let from = g.rich();
    Step::raw(from, g.hub(), call(MATCH, &orders)).with_orders(orders)
}

fn sponsor_match_orders(g: &mut Gen<'_>) -> Step {
    let orders = offers(g);
    let from = g.rich();
    Step::raw(from, g.hub(), call(SPONSOR, &orders)).with_orders(orders)
}

fn match_spoilt(g: &mut Gen<'_>) -> Step {
    let orders = g.spoilt();
    let selector = g.dice.pick(&[MATCH, SPONSOR]);
    let from = g.rich();
    Step::raw(from, g.hub(), call(selector, &orders))
}

impl Gen<'_> {
    /// A deal and an index that it has, mostly.
    fn boosted(&mut self) -> (B256, U256) {
        let random = (self.dice.word(), U256::ZERO);
        let (deal, size) = self.dice.recent(&self.known.boost).unwrap_or(random);
        let index = self
            .dice
            .below(size.saturating_to::<u64>().saturating_add(1));
        (deal, U256::from(index))
    }
}

fn push_result(g: &mut Gen<'_>) -> Step {
    let (dealId, index) = g.boosted();
    let worker = g.dice.pick(&g.cast.workers);
    let task = task_id(dealId, index);
    let authority = match g.known.broker {
        broker if !broker.is_zero() && g.dice.chance(30) => broker,
        _ => g.dice.pick(&g.cast.schedulers),
    };
    let tee = g.dice.chance(40);
    let enclaveChallenge = if tee {
        g.dice.pick(&g.cast.enclaves)
    } else {
        Address::ZERO
    };
    let (results, resultsCallback) = (g.bytes(), if tee { Bytes::new() } else { g.bytes() });
    let told = if resultsCallback.is_empty() {
        &results
    } else {
        &resultsCallback
    };
    let message = keccak256((worker, task, keccak256(told)).abi_encode_packed());
    let call = Boost::pushResultBoostCall {
        dealId,
        index,
        authorizationSign: g
            .cast
            .authorize(g.dice, [authority, worker, enclaveChallenge], task),
        enclaveChallenge,
        enclaveSign: g.cast.sign_message(g.dice, enclaveChallenge, message),
        results,
        resultsCallback,
    };
    Step::new(worker, g.hub(), &call)
}

fn claim(g: &mut Gen<'_>) -> Step {
    let (dealId, index) = g.boosted();
    let from = g.sender();
    Step::new(from, g.hub(), &Boost::claimBoostCall { dealId, index })
}

fn view(g: &mut Gen<'_>) -> Step {
    let (id, _) = g.boosted();
    let from = g.sender();
    Step::raw(from, g.hub(), view_deal(id))
}

#[test]
fn the_functions_have_the_selectors_of_the_published_ones() {
    let published = [0x9bce_d28b_u32, 0xaf24_ba0b, 0x63fb_ac17].map(u32::to_be_bytes);
    let ours = [
        Boost::pushResultBoostCall::SELECTOR,
        Boost::claimBoostCall::SELECTOR,
        Boost::viewDealBoostCall::SELECTOR,
    ];
    assert_eq!(ours, published);
    let tuple = |call: &str| call[call.find('(').unwrap()..].to_owned();
    let arguments = tuple(Hub::matchOrdersCall::SIGNATURE);
    for (name, selector) in [
        ("matchOrdersBoost", MATCH),
        ("sponsorMatchOrdersBoost", SPONSOR),
    ] {
        let hash = keccak256(format!("{name}{arguments}"));
        assert_eq!(hash[..4], selector[..]);
    }
}
