//! Every condition of a Boost match, in the order it is checked, and the deal that comes of it.
use alloy::primitives::{Address, B256, Bytes, FixedBytes, U256, Uint, keccak256};
use alloy::sol_types::{SolError, SolValue};
use contracts::Hub;

use crate::boost::{DEADLINE, Push, claim};
use crate::chain::answering;
use crate::orders::{Order, Orders};
use crate::stage::{APP_PRICE, DATASET_PRICE, DEPOSIT, POOL_PRICE, POOL_STAKE, Stage, digest};

/// Makes good orders bad, before or after they are signed.
pub(crate) type Spoil = fn(&mut Orders);

pub(crate) const ODD: Address = Address::repeat_byte(0xdd);
const CALLBACK: Address = Address::repeat_byte(0xca);

fn tag(bits: u64) -> B256 {
    B256::from(U256::from(bits))
}

pub(crate) const TERMS: &[(&str, Spoil)] = &[
    ("Bad trust level", |o| o.request.trust = U256::from(2)),
    ("Category mismatch", |o| o.request.category = U256::from(1)),
    ("Unknown category", |o| {
        o.request.category = U256::from(6);
        o.workerpool.category = U256::from(6);
    }),
    ("Overpriced app", |o| o.request.appmaxprice = U256::ZERO),
    ("Overpriced dataset", |o| {
        o.request.datasetmaxprice = U256::ZERO
    }),
    ("Overpriced workerpool", |o| {
        o.request.workerpoolmaxprice = U256::ZERO;
    }),
    ("Workerpool tag does not match demand", |o| {
        o.app.tag |= tag(0x100)
    }),
    ("Workerpool tag does not match demand", |o| {
        o.request.tag |= tag(0x100)
    }),
    ("Workerpool tag does not match demand", |o| {
        o.dataset.tag |= tag(0x100)
    }),
    ("Workerpool tag does not match demand", |o| {
        o.dataset.tag |= tag(8)
    }),
    ("App tag does not match demand", |o| {
        o.request.tag |= tag(1);
        o.workerpool.tag |= tag(1);
    }),
    ("App tag does not match demand", |o| {
        o.dataset.tag |= tag(1);
        o.workerpool.tag |= tag(1);
    }),
];

pub(crate) const PARTIES: &[(&str, Spoil)] = &[
    ("App mismatch", |o| o.request.app = ODD),
    ("Dataset mismatch", |o| o.request.dataset = ODD),
    ("Workerpool restricted by request order", |o| {
        o.request.workerpool = ODD
    }),
    ("Dataset restricted by app order", |o| {
        o.app.datasetrestrict = ODD
    }),
    ("Workerpool restricted by app order", |o| {
        o.app.workerpoolrestrict = ODD
    }),
    ("Requester restricted by app order", |o| {
        o.app.requesterrestrict = ODD
    }),
    ("App restricted by dataset order", |o| {
        o.dataset.apprestrict = ODD
    }),
    ("Workerpool restricted by dataset order", |o| {
        o.dataset.workerpoolrestrict = ODD;
    }),
    ("Requester restricted by dataset order", |o| {
        o.dataset.requesterrestrict = ODD
    }),
    ("App restricted by workerpool order", |o| {
        o.workerpool.apprestrict = ODD
    }),
    ("Dataset restricted by workerpool order", |o| {
        o.workerpool.datasetrestrict = ODD;
    }),
    ("Requester restricted by workerpool order", |o| {
        o.workerpool.requesterrestrict = ODD;
    }),
    // Nobody has code at this address: unlike in a classic match its owner is not asked first.
    ("App not registered", |o| {
        o.app.app = ODD;
        o.request.app = ODD;
    }),
    ("Dataset not registered", |o| {
        o.dataset.dataset = ODD;
        o.request.dataset = ODD;
    }),
    ("Workerpool not registered", |o| {
        o.workerpool.workerpool = ODD
    }),
];

/// Applied after signing, so that the signature no longer fits.
pub(crate) const FORGED: &[(&str, Spoil)] = &[
    ("Invalid app order signature", |o| o.app.salt = digest(1)),
    ("Invalid dataset order signature", |o| {
        o.dataset.salt = digest(1)
    }),
    ("Invalid workerpool order signature", |o| {
        o.workerpool.salt = digest(1)
    }),
    ("Invalid request order signature", |o| {
        o.request.salt = digest(1)
    }),
];

pub(crate) const EMPTY: &[(&str, Spoil)] = &[
    ("One or more orders consumed", |o| o.app.volume = U256::ZERO),
    ("One or more orders consumed", |o| {
        o.dataset.volume = U256::ZERO
    }),
    ("One or more orders consumed", |o| {
        o.workerpool.volume = U256::ZERO
    }),
    ("One or more orders consumed", |o| {
        o.request.volume = U256::ZERO
    }),
];

fn error(reason: &str) -> String {
    format!("PocoBoost: {reason}")
}

fn refuse(stage: &mut Stage, orders: &Orders) -> String {
    let refused = stage
        .chain
        .refuse(Address::ZERO, stage.at.hub, &orders.boost());
    let sponsored = orders.boost_sponsored();
    let also = stage
        .chain
        .refuse(stage.requester.address(), stage.at.hub, &sponsored);
    assert_eq!(refused, also);
    refused
}

fn overflow(bits: u8, value: U256) -> String {
    let error = Hub::SafeCastOverflowedUintDowncast { bits, value };
    Bytes::from(error.abi_encode()).to_string()
}

fn view(stage: &mut Stage, id: B256) -> Hub::DealBoost {
    stage
        .chain
        .read(stage.at.hub, &Hub::viewDealBoostCall { id })
}

#[test]
fn orders_that_do_not_fit_are_refused() {
    let mut stage = Stage::new();
    for (expected, spoil) in [TERMS, PARTIES, EMPTY].concat() {
        let mut orders = stage.offers_with_dataset();
        spoil(&mut orders);
        let orders = stage.signed(orders);
        assert_eq!(refuse(&mut stage, &orders), error(expected));
    }
    for (expected, spoil) in FORGED {
        let mut orders = stage.signed(stage.offers_with_dataset());
        spoil(&mut orders);
        assert_eq!(refuse(&mut stage, &orders), error(expected));
    }
}

#[test]
fn earlier_conditions_win() {
    let mut stage = Stage::new();
    let mut orders = stage.offers_with_dataset();
    // Spoilt from the last condition to the first: each time the newest fault is reported.
    let assets = PARTIES.len() - 3;
    for (expected, spoil) in [TERMS, &PARTIES[..assets], EMPTY].concat().iter().rev() {
        spoil(&mut orders);
        let signed = stage.signed(orders.clone());
        assert_eq!(refuse(&mut stage, &signed), error(expected));
    }
}

#[test]
fn what_a_deal_has_no_room_for_is_refused() {
    let mut stage = Stage::new();
    let large = U256::from(1) << 96;
    let mut orders = stage.offers_with_dataset().for_volume(65_536);
    (orders.dataset.datasetprice, orders.request.datasetmaxprice) = (large, large);
    let signed = stage.signed(orders.clone());
    assert_eq!(
        refuse(&mut stage, &signed),
        overflow(16, U256::from(65_536))
    );
    let signed = stage.signed(orders.clone().for_volume(1));
    assert_eq!(refuse(&mut stage, &signed), overflow(96, large));
    let larger = U256::MAX;
    (
        orders.workerpool.workerpoolprice,
        orders.request.workerpoolmaxprice,
    ) = (larger, larger);
    let signed = stage.signed(orders.clone());
    assert_eq!(refuse(&mut stage, &signed), overflow(96, larger));
    (orders.app.appprice, orders.request.appmaxprice) = (large, large);
    let signed = stage.signed(orders);
    assert_eq!(refuse(&mut stage, &signed), overflow(96, large));
}

#[test]
fn the_first_index_of_a_deal_is_limited() {
    let mut stage = Stage::new();
    let mut orders = stage.offers().for_volume(200_000);
    (orders.app.appprice, orders.workerpool.workerpoolprice) = (U256::ZERO, U256::ZERO);
    orders.app.volume = U256::from(65_535);
    let call = stage.signed(orders.clone()).boost();
    stage.chain.act(Address::ZERO, stage.at.hub, &call);
    (orders.app.salt, orders.app.volume) = (digest(1), U256::from(1));
    let call = stage.signed(orders.clone()).boost();
    let deal = stage.chain.act(Address::ZERO, stage.at.hub, &call).value;
    assert_eq!(view(&mut stage, deal).botFirst, 65_535);
    orders.app.salt = digest(2);
    let signed = stage.signed(orders);
    assert_eq!(
        refuse(&mut stage, &signed),
        overflow(16, U256::from(65_536))
    );
}

#[test]
fn a_match_is_told_in_full() {
    let mut stage = Stage::new();
    let mut orders = stage.offers_with_dataset().for_volume(3);
    orders.request.beneficiary = ODD;
    orders.request.tag = tag(0x1234_5600);
    orders.app.tag = tag(0x8000_0000);
    orders.workerpool.tag = B256::repeat_byte(0xff);
    let orders = stage.signed(orders);
    let hub = stage.at.hub;
    let receipt = stage.chain.act(Address::ZERO, hub, &orders.boost());
    let logged = [
        "Transfer",
        "Lock",
        "Transfer",
        "Lock",
        "SchedulerNoticeBoost",
        "OrdersMatched",
    ];
    assert_eq!(receipt.events(hub), logged);
    let request = orders.request.hash(hub);
    assert_eq!(receipt.value, keccak256((request, U256::ZERO).abi_encode()));
    let notice = &receipt.find::<Hub::SchedulerNoticeBoost>()[0];
    assert_eq!(
        (notice.workerpool, notice.dealId),
        (stage.pool, receipt.value)
    );
    assert_eq!((notice.app, notice.dataset), (stage.app, stage.dataset));
    assert_eq!(notice.tag, tag(0x9234_5600));
    assert_eq!(notice.params, orders.request.params);
    assert_eq!((notice.beneficiary, notice.category), (ODD, U256::ZERO));
    let matched = &receipt.find::<Hub::OrdersMatched>()[0];
    assert_eq!(
        (matched.dealid, matched.volume),
        (receipt.value, U256::from(3))
    );
    assert_eq!(matched.requestHash, request);
    assert_eq!(matched.datasetHash, orders.dataset.hash(hub));
    let price = 3 * (APP_PRICE + DATASET_PRICE + POOL_PRICE);
    assert_eq!(stage.account(stage.requester.address()).1, price);
    assert_eq!(stage.account(stage.scheduler.address()).1, 3 * POOL_STAKE);
    assert_eq!(stage.account(hub).0, price + 3 * POOL_STAKE);
}

#[test]
fn a_deal_is_readable_as_it_was_agreed() {
    let mut stage = Stage::new();
    let mut orders = stage
        .offers_with_dataset()
        .for_volume(2)
        .with_callback(CALLBACK);
    orders.request.tag = tag(0x1234_5678);
    orders.workerpool.tag = tag(0x1234_5678);
    let call = stage.signed(orders).boost_sponsored();
    let sponsor = stage.workers[3].address();
    let receipt = stage.chain.act(sponsor, stage.at.hub, &call);
    let sponsored = &receipt.find::<Hub::DealSponsoredBoost>()[0];
    assert_eq!(
        (sponsored.dealId, sponsored.sponsor),
        (receipt.value, sponsor)
    );
    let expected = Hub::DealBoost {
        appOwner: stage.app_owner.address(),
        appPrice: Uint::from(APP_PRICE),
        datasetOwner: stage.dataset_owner.address(),
        datasetPrice: Uint::from(DATASET_PRICE),
        workerpoolOwner: stage.scheduler.address(),
        workerpoolPrice: Uint::from(POOL_PRICE),
        requester: stage.requester.address(),
        workerReward: Uint::from(POOL_PRICE * 99 / 100),
        callback: CALLBACK,
        deadline: Uint::from(stage.chain.now() + DEADLINE),
        botFirst: 0,
        botSize: 2,
        shortTag: FixedBytes([0x34, 0x56, 0x78]),
        sponsor,
    };
    assert_eq!(view(&mut stage, receipt.value), expected);
    assert_eq!(view(&mut stage, digest(1)), Hub::DealBoost::default());
}

#[test]
fn a_deal_without_extras_has_none() {
    let mut stage = Stage::new();
    let call = stage.signed(stage.offers()).boost();
    let receipt = stage.chain.act(Address::ZERO, stage.at.hub, &call);
    let deal = view(&mut stage, receipt.value);
    assert_eq!(
        (deal.datasetOwner, deal.callback),
        (Address::ZERO, Address::ZERO)
    );
    assert_eq!(deal.requester, stage.requester.address());
    assert_eq!(deal.sponsor, stage.requester.address());
    assert_eq!(
        receipt.find::<Hub::OrdersMatched>()[0].datasetHash,
        B256::ZERO
    );
}

/// It may neither cost nor demand too much, but nothing is paid for it or taken from it. The
/// official contract locks the price, which anybody may name, and never gives it back.
#[test]
fn a_dataset_order_without_a_dataset_is_read_in_part() {
    let mut stage = Stage::ours();
    let mut orders = stage.offers();
    orders.dataset.datasetprice = U256::MAX;
    let dear = stage.signed(orders.clone());
    assert_eq!(refuse(&mut stage, &dear), error("Overpriced dataset"));
    orders.request.datasetmaxprice = U256::MAX;
    let mut tagged = orders.clone();
    tagged.dataset.tag = tag(0x100);
    let tagged = stage.signed(tagged);
    assert_eq!(
        refuse(&mut stage, &tagged),
        error("Workerpool tag does not match demand")
    );
    let mut restricted = orders.clone();
    restricted.dataset.apprestrict = ODD;
    let restricted = stage.signed(restricted);
    assert_eq!(
        refuse(&mut stage, &restricted),
        error("App restricted by dataset order")
    );
    let call = stage.signed(orders).boost();
    let deal = stage.chain.act(Address::ZERO, stage.at.hub, &call).value;
    assert!(view(&mut stage, deal).datasetPrice.is_zero());
    assert_eq!(
        stage.account(stage.requester.address()).1,
        APP_PRICE + POOL_PRICE
    );
}

/// More money than any RLC has, so that prices need all of their 96 bits.
#[test]
fn large_prices_are_kept_and_paid() {
    let mut stage = Stage::new();
    stage.chain.put_code(stage.at.token, answering(tag(1)));
    let share = U256::from(1) << 92;
    for target in [stage.requester.address(), stage.scheduler.address()] {
        let call = Hub::depositForCall {
            amount: share * U256::from(6),
            target,
        };
        stage.chain.act(Address::ZERO, stage.at.hub, &call);
    }
    let mut orders = stage.offers_with_dataset();
    let prices = [1, 2, 3].map(|part| share + U256::from(part));
    (orders.app.appprice, orders.request.appmaxprice) = (prices[0], prices[0]);
    (orders.dataset.datasetprice, orders.request.datasetmaxprice) = (prices[1], prices[1]);
    (
        orders.workerpool.workerpoolprice,
        orders.request.workerpoolmaxprice,
    ) = (prices[2], prices[2]);
    orders.request.callback = CALLBACK;
    let call = stage.signed(orders).boost();
    let deal = stage.chain.act(Address::ZERO, stage.at.hub, &call).value;
    let kept = view(&mut stage, deal);
    assert_eq!(kept.appPrice.to::<U256>(), prices[0]);
    assert_eq!(kept.datasetPrice.to::<U256>(), prices[1]);
    assert_eq!(kept.workerpoolPrice.to::<U256>(), prices[2]);
    let reward = prices[2] * U256::from(99) / U256::from(100);
    assert_eq!(kept.workerReward.to::<U256>(), reward);
    assert_eq!(
        (kept.callback, kept.sponsor),
        (CALLBACK, stage.requester.address())
    );
    let push = Push::new(&stage, deal, 0).telling(b"told");
    let receipt = stage.chain.act(push.worker, stage.at.hub, &push.call());
    let paid: Vec<U256> = receipt
        .find::<Hub::Reward>()
        .iter()
        .map(|one| one.amount)
        .collect();
    assert_eq!(paid, [reward, prices[0], prices[1], prices[2] - reward]);
    assert_eq!(stage.account(stage.at.hub).0, 0);
}

#[test]
fn a_deal_must_be_funded_by_both_sides() {
    let mut stage = Stage::new();
    let short = "IexecEscrow: Transfer amount exceeds balance";
    for party in [stage.requester.address(), stage.scheduler.address()] {
        let all = Hub::withdrawCall {
            amount: U256::from(DEPOSIT),
        };
        stage.chain.act(party, stage.at.hub, &all);
        let signed = stage.signed(stage.offers());
        let call = signed.boost();
        assert_eq!(
            stage.chain.refuse(Address::ZERO, stage.at.hub, &call),
            short
        );
        stage.deposit_for(party);
    }
}

#[test]
fn boost_and_classic_deals_use_up_the_same_orders() {
    let mut stage = Stage::new();
    let mut orders = stage.offers().for_volume(3);
    orders.app.volume = U256::from(1);
    let first = stage.signed(orders.clone());
    stage.chain.act(Address::ZERO, stage.at.hub, &first.call());
    assert_eq!(
        refuse(&mut stage, &first),
        error("One or more orders consumed")
    );
    orders.app.salt = digest(1);
    let call = stage.signed(orders.clone()).boost();
    let second = stage.chain.act(Address::ZERO, stage.at.hub, &call).value;
    assert_eq!(view(&mut stage, second).botFirst, 1);
    orders.app.salt = digest(2);
    let third = stage.deal(orders);
    assert_eq!(stage.view_deal(third).botFirst, U256::from(2));
    stage.chain.wait(DEADLINE);
    stage
        .chain
        .act(Address::ZERO, stage.at.hub, &claim(second, 0));
}
