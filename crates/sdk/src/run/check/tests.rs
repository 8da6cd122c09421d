use protocol::{B256, Bytes};

use super::*;
use crate::run::choice::tests::pool_order;

pub(crate) fn orders() -> Orders {
    let app = AppOrder {
        app: Address::repeat_byte(1),
        appprice: U256::from(2),
        volume: U256::from(1),
        tag: Tag::NONE,
        datasetrestrict: Address::ZERO,
        workerpoolrestrict: Address::ZERO,
        requesterrestrict: Address::ZERO,
        salt: B256::ZERO,
    };
    let request = RequestOrder {
        app: app.app,
        appmaxprice: U256::from(2),
        dataset: Address::ZERO,
        datasetmaxprice: U256::ZERO,
        workerpool: Address::ZERO,
        workerpoolmaxprice: U256::from(5),
        requester: Address::repeat_byte(9),
        volume: U256::from(1),
        tag: Tag::NONE,
        category: U256::ZERO,
        trust: U256::ZERO,
        beneficiary: Address::repeat_byte(9),
        callback: Address::ZERO,
        params: String::new(),
        salt: B256::ZERO,
    };
    let sign = Bytes::new();
    Orders {
        app: Signed {
            order: app,
            sign: sign.clone(),
        },
        dataset: Signed::none(),
        workerpool: Signed {
            order: pool_order(0, 5, 1, Tag::NONE),
            sign: sign.clone(),
        },
        request: Signed {
            order: request,
            sign,
        },
    }
}

fn broken(change: impl FnOnce(&mut Orders)) -> Mismatch {
    let mut orders = orders();
    change(&mut orders);
    matchable(&orders, &Members::default()).unwrap_err()
}

#[test]
fn fitting_orders_match() {
    assert_eq!(matchable(&orders(), &Members::default()), Ok(()));
    assert_eq!(cost_per_task(&orders()), U256::from(7));
}

#[test]
fn every_rule_has_its_mismatch() {
    let two = U256::from(2);
    let category = broken(|o| o.request.order.category = two);
    assert_eq!(
        category,
        Mismatch::Category {
            wanted: two,
            offered: U256::ZERO
        }
    );
    assert!(matches!(
        broken(|o| o.request.order.trust = two),
        Mismatch::Trust { .. }
    ));
    let price = broken(|o| o.workerpool.order.workerpoolprice = U256::from(6));
    assert_eq!(
        price.to_string(),
        "workerpoolmaxprice is 5 nRLC, the workerpool order asks 6 nRLC"
    );
    assert_eq!(broken(|o| o.app.order.tag = Tag::TEE_TDX), Mismatch::Tag);
    let tee = broken(|o| {
        o.request.order.tag = Tag::TEE_TDX;
        o.workerpool.order.tag = Tag::TEE_TDX;
    });
    assert_eq!(tee, Mismatch::AppNotConfidential);
    let other = broken(|o| o.request.order.app = Address::ZERO);
    assert_eq!(other, Mismatch::Other { kind: "app" });
    let pool = broken(|o| o.request.order.workerpool = Address::repeat_byte(7));
    assert_eq!(pool, Mismatch::Other { kind: "workerpool" });
    let only = Address::repeat_byte(5);
    let restricted = broken(|o| o.app.order.requesterrestrict = only);
    assert_eq!(
        restricted,
        Mismatch::Restricted {
            kind: "app",
            to: "requester",
            only
        }
    );
    let dataset = broken(|o| o.workerpool.order.datasetrestrict = only);
    assert!(matches!(
        dataset,
        Mismatch::Restricted {
            kind: "workerpool",
            ..
        }
    ));
}

/// Facts under which the orders match.
fn facts(orders: &Orders) -> Facts {
    let leg = |kind, subject, remaining: u64| Leg {
        kind,
        subject,
        is_registered: true,
        signer: Address::repeat_byte(8),
        is_signed: true,
        remaining: U256::from(remaining),
    };
    let rich = chain::Account {
        stake: U256::from(1000),
        locked: U256::ZERO,
    };
    Facts {
        members: Members::default(),
        is_category_known: true,
        legs: vec![
            leg("app", orders.app.order.app, 1),
            leg("workerpool", orders.workerpool.order.workerpool, 10),
            leg("request", orders.request.order.requester, 1),
        ],
        pool_owner: Address::repeat_byte(7),
        pool_account: rich,
        requester_account: rich,
    }
}

fn refused(change: impl FnOnce(&mut Orders, &mut Facts)) -> Error {
    let mut orders = orders();
    let mut facts = facts(&orders);
    change(&mut orders, &mut facts);
    judge(&orders, &facts, "local").unwrap_err()
}

#[test]
fn the_least_remaining_volume_counts() {
    let mut orders = orders();
    let mut facts = facts(&orders);
    facts
        .legs
        .iter_mut()
        .for_each(|leg| leg.remaining = U256::from(4));
    facts.legs[1].remaining = U256::from(3);
    let estimate = Estimate {
        volume: U256::from(3),
        total: U256::from(21),
    };
    assert_eq!(judge(&orders, &facts, "local").unwrap(), estimate);
    orders.workerpool.order.workerpoolprice = U256::ZERO;
    let free = judge(&orders, &facts, "local").unwrap();
    assert_eq!(free.total, U256::from(6));
}

#[test]
fn what_the_chain_says_counts() {
    let said = |error: Error| error.to_string();
    let unknown = refused(|_, facts| facts.is_category_known = false);
    assert!(said(unknown).contains("no category 0"));
    let nowhere = refused(|_, facts| facts.legs[0].is_registered = false);
    assert!(said(nowhere).contains("is not deployed"));
    let unsigned = refused(|_, facts| facts.legs[2].is_signed = false);
    assert!(said(unsigned).contains("the request order is not signed by"));
    let used = refused(|_, facts| facts.legs[1].remaining = U256::ZERO);
    assert!(said(used).contains("the workerpool order is fully consumed"));
    let poor = refused(|_, facts| facts.requester_account.stake = U256::from(6));
    assert!(matches!(poor, Error::Insolvent(_)));
}

/// 30 % of 5 nRLC is 1 nRLC a task: rounded for each task, then multiplied.
#[test]
fn the_pools_owner_must_be_able_to_lock() {
    assert_eq!(pool_lock(U256::from(5), U256::from(3)), U256::from(3));
    assert_eq!(pool_lock(U256::from(3), U256::from(9)), U256::ZERO);
    let poor = refused(|_, facts| facts.pool_account.stake = U256::ZERO);
    assert!(poor.to_string().contains("must lock 1 nRLC"), "{poor}");
    // one account for both: what the deal costs is gone before the stake is locked
    let own = |stake| {
        move |orders: &mut Orders, facts: &mut Facts| {
            facts.pool_owner = orders.request.order.requester;
            facts.pool_account.stake = U256::from(stake);
            facts.requester_account.stake = U256::from(stake);
        }
    };
    let poor = refused(own(7));
    assert!(poor.to_string().contains("must lock 1 nRLC"), "{poor}");
    let (mut orders, mut facts) = (orders(), facts(&self::orders()));
    own(8)(&mut orders, &mut facts);
    assert!(judge(&orders, &facts, "local").is_ok());
}

#[test]
fn a_group_allows_its_members() {
    let group = Address::repeat_byte(5);
    let mut orders = orders();
    orders.app.order.requesterrestrict = group;
    orders.request.order.workerpool = Address::repeat_byte(6);
    let requester = orders.request.order.requester;
    let pool = orders.workerpool.order.workerpool;
    let asked = undecided(&orders);
    assert_eq!(asked, [(group, requester), (Address::repeat_byte(6), pool)]);
    let mut members = Members::default();
    for (group, member) in asked {
        assert!(matchable(&orders, &members).is_err());
        members.insert(group, member);
    }
    assert_eq!(matchable(&orders, &members), Ok(()));
}
