use alloy::primitives::Signature;
use protocol::{
    Address,
    order::{self, Order, Signed},
};

use super::*;

/// Signed by the official client 9.0.1 on chain 31337.
const OFFICIAL: &str = include_str!("../../../vectors/client/orders.json");
const CHAIN: u64 = 31337;
const HUB: &str = "0x4ed7c70F96B99c776995fB64377f0d4aB3B0e1C1";
const SIGNER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

fn signer<O: Order>(order: &Signed<O>) -> Address {
    let hash = order.hash(&order::domain(CHAIN, HUB.parse().unwrap()));
    let sign = Signature::from_raw(&order.sign).unwrap();
    sign.recover_address_from_prehash(&hash.0).unwrap()
}

/// Our hashes are the official ones, or the signatures would be somebody else's.
#[test]
fn the_official_orders_are_read_as_they_were_signed() {
    let file = OrdersFile::parse(OFFICIAL).unwrap();
    for kind in Kind::ALL {
        let order = file.get(CHAIN, kind).unwrap().unwrap();
        let found = match &order {
            AnyOrder::App(order) => signer(order),
            AnyOrder::Dataset(order) => signer(order),
            AnyOrder::Workerpool(order) => signer(order),
            AnyOrder::Request(order) => signer(order),
        };
        assert_eq!(found.to_checksum(None), SIGNER, "{kind:?}");
        assert_eq!(file.get(1, kind).unwrap(), None);
    }
}

#[test]
fn orders_come_back_as_they_were() {
    let mut file = OrdersFile::parse(OFFICIAL).unwrap();
    for kind in Kind::ALL {
        let order = file.get(CHAIN, kind).unwrap().unwrap();
        file.set(CHAIN, &order);
        file.set(7, &order);
    }
    let official: Value = serde_json::from_str(OFFICIAL).unwrap();
    let again: Value = serde_json::from_str(&file.to_text()).unwrap();
    assert_eq!(again[CHAIN.to_string()], official[CHAIN.to_string()]);
    assert_eq!(again["7"], official[CHAIN.to_string()]);
}

#[test]
fn what_is_no_order_is_refused() {
    assert!(OrdersFile::parse("[]").is_err());
    let file = OrdersFile::parse(r#"{"1":{"apporder":{"app":"0x1"}}}"#).unwrap();
    assert!(file.get(1, Kind::App).is_err());
}
