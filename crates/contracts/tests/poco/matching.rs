//! Every condition of a match, in the order it is checked.
use alloy::primitives::{Address, B256, U256};
use contracts::Hub;

use crate::chain::answering;
use crate::orders::Orders;
use crate::stage::{Stage, app_call, digest, key};

/// Makes good orders bad, before or after they are signed.
type Spoil = fn(&mut Orders);
type SpoilDataset = fn(&mut Hub::DatasetOrder);

const ODD: Address = Address::repeat_byte(0xdd);

fn tag(bits: u64) -> B256 {
    B256::from(U256::from(bits))
}

const TERMS: &[(&str, Spoil)] = &[
    ("00", |o| o.request.category = U256::from(1)),
    ("01", |o| {
        o.request.category = U256::from(6);
        o.workerpool.category = U256::from(6);
    }),
    ("02", |o| o.request.trust = U256::from(1)),
    ("03", |o| o.request.appmaxprice -= U256::from(1)),
    ("04", |o| o.request.datasetmaxprice -= U256::from(1)),
    ("05", |o| o.request.workerpoolmaxprice -= U256::from(1)),
    ("06", |o| o.app.tag = tag(0x100)),
    ("06", |o| o.request.tag = tag(0x100)),
    ("06", |o| o.dataset.tag = tag(0x100)),
    ("07", |o| {
        o.request.tag = tag(1);
        o.workerpool.tag = tag(1);
    }),
    ("07", |o| {
        o.dataset.tag = tag(1);
        o.workerpool.tag = tag(1);
    }),
];

const RESTRICTIONS: &[(&str, Spoil)] = &[
    ("10", |o| o.request.app = ODD),
    ("11", |o| o.request.dataset = ODD),
    ("12", |o| o.request.workerpool = ODD),
    ("13", |o| o.app.datasetrestrict = ODD),
    ("14", |o| o.app.workerpoolrestrict = ODD),
    ("15", |o| o.app.requesterrestrict = ODD),
    ("16", |o| o.dataset.apprestrict = ODD),
    ("17", |o| o.dataset.workerpoolrestrict = ODD),
    ("18", |o| o.dataset.requesterrestrict = ODD),
    ("19", |o| o.workerpool.apprestrict = ODD),
    ("1a", |o| o.workerpool.datasetrestrict = ODD),
    ("1b", |o| o.workerpool.requesterrestrict = ODD),
];

/// Applied after signing, so that the signature no longer fits.
const FORGED: &[(&str, Spoil)] = &[
    ("21", |o| o.app.salt = digest(1)),
    ("31", |o| o.dataset.salt = digest(1)),
    ("41", |o| o.workerpool.salt = digest(1)),
    ("50", |o| o.request.salt = digest(1)),
];

const EMPTY: &[(&str, Spoil)] = &[
    ("60", |o| o.app.volume = U256::ZERO),
    ("60", |o| o.dataset.volume = U256::ZERO),
    ("60", |o| o.workerpool.volume = U256::ZERO),
    ("60", |o| o.request.volume = U256::ZERO),
];

fn code(code: &str) -> String {
    format!("iExecV5-matchOrders-0x{code}")
}

fn refuse(stage: &mut Stage, orders: &Orders) -> String {
    stage
        .chain
        .refuse(Address::ZERO, stage.at.hub, &orders.call())
}

#[test]
fn orders_that_do_not_fit_are_refused_by_number() {
    let mut stage = Stage::new();
    for (expected, spoil) in [TERMS, RESTRICTIONS, EMPTY].concat() {
        let mut orders = stage.offers_with_dataset();
        spoil(&mut orders);
        let orders = stage.signed(orders);
        assert_eq!(refuse(&mut stage, &orders), code(expected));
    }
}

#[test]
fn orders_that_were_changed_after_signing_are_refused() {
    let mut stage = Stage::new();
    for (expected, spoil) in FORGED {
        let mut orders = stage.signed(stage.offers_with_dataset());
        spoil(&mut orders);
        assert_eq!(refuse(&mut stage, &orders), code(expected));
    }
}

#[test]
fn earlier_conditions_win() {
    let mut stage = Stage::new();
    let mut orders = stage.offers_with_dataset();
    // Spoilt from the last condition to the first: each time the newest fault is reported.
    for (expected, spoil) in [TERMS, RESTRICTIONS, EMPTY].concat().iter().rev() {
        spoil(&mut orders);
        let signed = stage.signed(orders.clone());
        assert_eq!(refuse(&mut stage, &signed), code(expected));
    }
}

/// An asset of somebody else's registry has an owner, but nobody vouches for it.
#[test]
fn assets_must_be_registered() {
    for (expected, asset) in [("20", 0), ("30", 1), ("40", 2)] {
        let mut stage = Stage::new();
        let owners = [&stage.app_owner, &stage.dataset_owner, &stage.scheduler];
        let owner = owners[asset].address();
        stage.chain.put_code(ODD, answering(owner.into_word()));
        let mut orders = stage.offers_with_dataset();
        match asset {
            0 => (orders.app.app, orders.request.app) = (ODD, ODD),
            1 => (orders.dataset.dataset, orders.request.dataset) = (ODD, ODD),
            _ => orders.workerpool.workerpool = ODD,
        }
        let orders = stage.signed(orders);
        assert_eq!(refuse(&mut stage, &orders), code(expected));
    }
}

#[test]
fn an_app_without_code_is_refused_silently() {
    let mut stage = Stage::new();
    let mut orders = stage.offers();
    (orders.app.app, orders.request.app) = (ODD, ODD);
    let orders = stage.signed(orders);
    assert_eq!(refuse(&mut stage, &orders), "");
}

#[test]
fn a_used_order_is_empty() {
    let mut stage = Stage::new();
    let orders = stage.signed(stage.offers());
    stage.chain.act(Address::ZERO, stage.at.hub, &orders.call());
    assert_eq!(refuse(&mut stage, &orders), code("60"));
}

#[test]
fn a_tee_framework_of_a_dataset_is_not_insisted_on() {
    let mut stage = Stage::new();
    let mut orders = stage.offers_with_dataset().with_tag(0b1001);
    orders.dataset.tag = tag(0b0011);
    let deal = stage.deal(orders);
    assert_eq!(stage.view_deal(deal).tag, tag(0b1001));
}

#[test]
fn a_restriction_may_name_the_party_or_its_group() {
    let mut stage = Stage::new();
    stage.chain.put_code(ODD, answering(tag(1)));
    let mut orders = stage.offers_with_dataset();
    orders.app.datasetrestrict = stage.dataset;
    orders.app.workerpoolrestrict = stage.pool;
    orders.app.requesterrestrict = ODD;
    orders.dataset.requesterrestrict = stage.requester.address();
    orders.request.workerpool = stage.pool;
    stage.deal(orders);
    stage
        .chain
        .put_code(Address::repeat_byte(0xee), answering(tag(0)));
    let mut orders = stage.offers();
    orders.app.requesterrestrict = Address::repeat_byte(0xee);
    let orders = stage.signed(orders);
    assert_eq!(refuse(&mut stage, &orders), code("15"));
}

#[test]
fn an_app_for_a_dataset_does_not_run_without_one() {
    let mut stage = Stage::new();
    let mut orders = stage.offers();
    orders.app.datasetrestrict = stage.dataset;
    let orders = stage.signed(orders);
    assert_eq!(refuse(&mut stage, &orders), code("13"));
}

#[test]
fn a_deal_must_be_funded_by_both_sides() {
    let short = "IexecEscrow: Transfer amount exceeds balance";
    let mut stage = Stage::new();
    let mut rich = stage.offers();
    (rich.app.appprice, rich.request.appmaxprice) = (U256::MAX >> 1, U256::MAX >> 1);
    let rich = stage.signed(rich);
    assert_eq!(refuse(&mut stage, &rich), short);
    let all = Hub::withdrawCall {
        amount: U256::from(crate::stage::DEPOSIT),
    };
    stage
        .chain
        .act(stage.scheduler.address(), stage.at.hub, &all);
    let orders = stage.signed(stage.offers());
    assert_eq!(refuse(&mut stage, &orders), short);
}

#[test]
fn the_volume_left_can_be_asked() {
    let mut stage = Stage::new();
    let mut orders = stage.offers_with_dataset().for_volume(9);
    orders.dataset.volume = U256::from(4);
    let ask = |orders: &Orders| Hub::computeDealVolumeCall {
        apporder: orders.app.clone(),
        datasetorder: orders.dataset.clone(),
        workerpoolorder: orders.workerpool.clone(),
        requestorder: orders.request.clone(),
    };
    assert_eq!(stage.chain.read(stage.at.hub, &ask(&orders)), U256::from(4));
    stage.deal(orders.clone());
    assert_eq!(stage.chain.read(stage.at.hub, &ask(&orders)), U256::ZERO);
    let orders_alone = Orders {
        dataset: Hub::DatasetOrder::default(),
        ..orders
    };
    assert_eq!(
        stage.chain.read(stage.at.hub, &ask(&orders_alone)),
        U256::from(5)
    );
}

#[test]
fn a_dataset_can_be_checked_against_a_deal_without_one() {
    let mut stage = Stage::new();
    let deal = stage.deal(stage.offers());
    let with_dataset = {
        let mut orders = stage.offers_with_dataset();
        orders.request.salt = digest(1);
        orders.app.salt = digest(1);
        orders.workerpool.salt = digest(1);
        stage.deal(orders)
    };
    let fresh = |stage: &Stage| {
        let mut order = stage.offers_with_dataset().dataset;
        order.salt = digest(5);
        order
    };
    let reasons: [(&str, B256, SpoilDataset); 8] = [
        ("", deal, |_| ()),
        ("Dataset order is revoked or fully consumed", deal, |o| {
            o.volume = U256::ZERO
        }),
        ("Deal not found", digest(9), |_| ()),
        ("Deal already has a dataset", with_dataset, |_| ()),
        ("App restriction not satisfied", deal, |o| {
            o.apprestrict = ODD
        }),
        ("Workerpool restriction not satisfied", deal, |o| {
            o.workerpoolrestrict = ODD
        }),
        ("Requester restriction not satisfied", deal, |o| {
            o.requesterrestrict = ODD
        }),
        ("Tag compatibility not satisfied", deal, |o| o.tag = tag(1)),
    ];
    for (reason, deal, spoil) in reasons {
        let mut order = fresh(&stage);
        spoil(&mut order);
        stage.sign(&stage.dataset_owner, &mut order);
        assert_eq!(incompatibility(&mut stage, order, deal), reason);
    }
    let mut forged = fresh(&stage);
    stage.sign(&key(99), &mut forged);
    let reason = incompatibility(&mut stage, forged, deal);
    assert_eq!(reason, "Invalid dataset order signature");
}

fn incompatibility(stage: &mut Stage, order: Hub::DatasetOrder, deal: B256) -> String {
    use alloy::sol_types::{SolCall, SolError};
    let call = Hub::assertDatasetDealCompatibilityCall {
        datasetOrder: order,
        dealId: deal,
    };
    let to = alloy::primitives::TxKind::Call(stage.at.hub);
    let result = stage
        .chain
        .transact(Address::ZERO, to, call.abi_encode().into());
    match result.is_success() {
        true => String::new(),
        false => {
            let data = result.output().unwrap();
            Hub::IncompatibleDatasetOrder::abi_decode(data)
                .unwrap()
                .reason
        }
    }
}

#[test]
fn an_app_is_sold_with_its_orders_left_behind() {
    let mut stage = Stage::new();
    let orders = stage.signed(stage.offers());
    let sale = contracts::AppRegistry::transferFromCall {
        from: stage.app_owner.address(),
        to: key(99).address(),
        tokenId: U256::from_be_slice(stage.app.as_slice()),
    };
    stage
        .chain
        .act(stage.app_owner.address(), stage.at.app_registry, &sale);
    assert_eq!(refuse(&mut stage, &orders), code("21"));
    let other = app_call(stage.app_owner.address());
    let taken = stage
        .chain
        .refuse(stage.deployer, stage.at.app_registry, &other);
    assert_eq!(taken, "Create2: Failed on deploy");
}
