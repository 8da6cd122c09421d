use protocol::{B256, Bytes, order::Signed};

use super::*;

pub(crate) fn pool_order(category: u64, price: u64, trust: u64, tag: Tag) -> WorkerpoolOrder {
    WorkerpoolOrder {
        workerpool: Address::repeat_byte(3),
        workerpoolprice: U256::from(price),
        volume: U256::from(10),
        tag,
        category: U256::from(category),
        trust: U256::from(trust),
        apprestrict: Address::ZERO,
        datasetrestrict: Address::ZERO,
        requesterrestrict: Address::ZERO,
        salt: B256::ZERO,
    }
}

fn app_order(tag: Tag) -> AppOrder {
    AppOrder {
        app: Address::repeat_byte(1),
        appprice: U256::ZERO,
        volume: U256::from(10),
        tag,
        datasetrestrict: Address::ZERO,
        workerpoolrestrict: Address::ZERO,
        requesterrestrict: Address::ZERO,
        salt: B256::ZERO,
    }
}

fn published<O: Order>(order: O, number: u8, remaining: u64) -> Published<O> {
    Published {
        order_hash: OrderHash::repeat(number),
        remaining: U256::from(remaining),
        order: Signed {
            order,
            sign: Bytes::new(),
        },
    }
}

fn ask() -> Ask {
    Ask {
        app: Address::repeat_byte(1),
        dataset: None,
        workerpool: None,
        requester: Address::repeat_byte(9),
        tag: Tag::NONE,
        machine: Tag::NONE,
        trust: U256::ZERO,
        category: None,
        volume: U256::ONE,
    }
}

fn price<O: Offer>(book: &[Published<O>], ask: &Ask, known: &Known) -> Option<U256> {
    best(book, ask, known).map(|offer| offer.order.order.price())
}

fn said<O: Offer>(order: O, change: impl FnOnce(&mut Ask)) -> String {
    let mut ask = ask();
    change(&mut ask);
    let known = Known::default();
    judge(&published(order, 1, 5), &ask, &known)
        .unwrap_err()
        .to_string()
}

#[test]
fn the_smallest_category_then_the_lowest_price_wins() {
    let book = [
        published(pool_order(1, 0, 0, Tag::NONE), 1, 5),
        published(pool_order(0, 9, 0, Tag::NONE), 2, 5),
        published(pool_order(0, 7, 0, Tag::NONE), 3, 0),
        published(pool_order(0, 8, 0, Tag::NONE), 4, 1),
    ];
    let known = Known::default();
    assert_eq!(price(&book, &ask(), &known), Some(U256::from(8)));
    let mut other = ask();
    other.category = Some(1);
    assert_eq!(price(&book, &other, &known), Some(U256::ZERO));
    other.category = Some(2);
    assert_eq!(price(&book, &other, &known), None);
}

/// A book may lag behind the chain: the next order is taken, where the official client fails.
#[test]
fn an_order_consumed_on_chain_is_skipped() {
    let book = [
        published(pool_order(0, 1, 0, Tag::NONE), 1, 5),
        published(pool_order(0, 2, 0, Tag::NONE), 2, 5),
    ];
    let mut known = Known::default();
    known.left.insert(OrderHash::repeat(1), U256::ZERO);
    assert_eq!(price(&book, &ask(), &known), Some(U256::from(2)));
    let mut bag = ask();
    bag.volume = U256::from(6);
    let reasons: Vec<_> = explain(&book, &bag, &known)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        reasons,
        [
            "0x01010101… 0.000000001 RLC: fully consumed",
            "0x02020202… 0.000000002 RLC: 5 tasks left, wanted 6"
        ]
    );
}

#[test]
fn every_rule_of_a_workerpool_order_is_told() {
    let plain = || pool_order(2, 10, 1, Tag::NONE);
    assert_eq!(
        said(plain(), |ask| ask.category = Some(0)),
        "category 2, wanted 0"
    );
    let trust = said(plain(), |ask| ask.trust = U256::from(3));
    assert_eq!(trust, "trust 1, wanted 3");
    let tag = said(plain(), |ask| ask.machine = Tag::TEE_TDX);
    assert_eq!(tag, "offers tag none, needs tag tee,tdx");
    let mut restricted = plain();
    restricted.datasetrestrict = Address::repeat_byte(4);
    let only = Address::repeat_byte(4);
    assert_eq!(
        said(restricted, |_| ()),
        format!("restricted to dataset {only}")
    );
    let offer = published(plain(), 1, 5);
    let mut known = Known::default();
    known.stakes.insert(offer.order_hash, U256::from(2));
    assert_eq!(
        judge(&offer, &ask(), &known).unwrap_err().to_string(),
        "owner's stake too low: 3 nRLC to lock, 2 nRLC there"
    );
}

#[test]
fn the_tag_that_an_app_needs_is_told() {
    let gpu = Tag::parse("gpu").unwrap();
    assert_eq!(said(app_order(Tag::TEE_TDX), |_| ()), "needs tag tee,tdx");
    let both = said(app_order(Tag::TEE_TDX), |ask| ask.tag = gpu);
    assert_eq!(both, "needs tag tee,tdx,gpu");
    let plain = said(app_order(Tag::NONE), |ask| ask.tag = Tag::TEE_TDX);
    assert_eq!(plain, "does not have tag tee,tdx");
    assert!(
        judge(
            &published(app_order(gpu), 1, 5),
            &Ask { tag: gpu, ..ask() },
            &Known::default()
        )
        .is_ok()
    );
}

#[test]
fn what_to_change_is_told() {
    let only = Address::repeat_byte(4);
    let remedy = |reason: Reason| reason.remedy().unwrap_or_default();
    assert_eq!(
        remedy(Reason::NeedsTag(Tag::TEE_TDX)),
        "run it with --tag tee,tdx"
    );
    let category = Reason::Category {
        offered: U256::from(2),
        wanted: 0,
    };
    assert_eq!(remedy(category), "take --category 2");
    let to = "workerpool";
    assert_eq!(
        remedy(Reason::Restricted { to, only }),
        format!("use it with --workerpool {only}")
    );
    assert_eq!(
        remedy(Reason::Restricted {
            to: "requester",
            only
        }),
        ""
    );
    assert_eq!(remedy(Reason::Consumed), "");
}

#[test]
fn a_group_lets_its_members_in() {
    let group = Address::repeat_byte(7);
    let mut order = app_order(Tag::NONE);
    order.requesterrestrict = group;
    let book = [published(order, 1, 5)];
    let requester = ask().requester;
    assert_eq!(
        Vec::from_iter(undecided(&book, &ask())),
        [(group, requester)]
    );
    let mut known = Known::default();
    let told = explain(&book, &ask(), &known);
    assert_eq!(
        told[0].reason,
        Reason::Restricted {
            to: "requester",
            only: group
        }
    );
    known.members.insert(group, requester);
    assert!(best(&book, &ask(), &known).is_some());
    assert!(explain(&book, &ask(), &known).is_empty());
}

#[test]
fn one_order_stands_for_each_reason() {
    let order = |number| {
        published(
            pool_order(u64::from(number % 2), 0, 0, Tag::NONE),
            number,
            5,
        )
    };
    let book: Vec<_> = (1..20).map(order).collect();
    let mut far = ask();
    far.category = Some(7);
    let told = explain(&book, &far, &Known::default());
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].hash, OrderHash::repeat(2));
}
