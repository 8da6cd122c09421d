//! Golden vectors recorded from the official SDK (spec/client.md Appendix A).

use alloy_primitives::{address, b256};

use super::*;

const KEY_ADDRESS: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
const APP: Address = address!("f6BC713064256BE134A3f69445843828bfdc7D9F");

fn official() -> Eip712Domain {
    domain(31337, address!("4ed7c70F96B99c776995fB64377f0d4aB3B0e1C1"))
}

fn one() -> U256 {
    U256::from(1)
}

fn app_order() -> AppOrder {
    AppOrder {
        app: APP,
        appprice: one(),
        volume: U256::from(2),
        tag: Tag::TEE_TDX,
        datasetrestrict: Address::ZERO,
        workerpoolrestrict: Address::ZERO,
        requesterrestrict: Address::ZERO,
        salt: B256::repeat_byte(0x11),
    }
}

#[test]
fn the_domain_separator_is_the_official_one() {
    assert_eq!(
        official().separator(),
        b256!("b47bd3d57901617a1083047a2a0ebddbfa9290e6690e096a3d6d682cd195421c")
    );
}

#[test]
fn app_order_hash_and_signature() {
    let hash = app_order().hash(&official());
    assert_eq!(
        hash.0,
        b256!("48a735feebec3163e9da127140d05a97ef40dfd4817f3d3b138fe2e232072a54")
    );
    let sign = "0x7ea89cd5b349c7688afcdabbcc9b5690b684080df065636bd5f74fe0fcb674d375c5d9c89e3208\
                e164c59096b7f0c2380c8358f9a5f93d89438edf5c8e69f60b1c";
    let signature: alloy_primitives::Signature = sign.parse().unwrap();
    assert_eq!(
        signature.recover_address_from_prehash(&hash.0).unwrap(),
        KEY_ADDRESS
    );
}

#[test]
fn dataset_order_hash() {
    let order = DatasetOrder {
        dataset: address!("0159fd095373d9af76b860eC545e10b556Bb003a"),
        datasetprice: one(),
        volume: U256::from(2),
        tag: Tag::NONE,
        apprestrict: Address::ZERO,
        workerpoolrestrict: Address::ZERO,
        requesterrestrict: Address::ZERO,
        salt: B256::repeat_byte(0x22),
    };
    assert_eq!(
        order.hash(&official()).0,
        b256!("6dbeb83c478ce2208d61382a3a5842f68259c7f06927947c0a35cecbe261a001")
    );
}

#[test]
fn workerpool_order_hash() {
    let order = WorkerpoolOrder {
        workerpool: address!("070bD79228D688f187E35Dde5c2128F52CeDc6a9"),
        workerpoolprice: one(),
        volume: U256::from(2),
        tag: Tag::TEE_TDX,
        category: U256::ZERO,
        trust: U256::ZERO,
        apprestrict: Address::ZERO,
        datasetrestrict: Address::ZERO,
        requesterrestrict: Address::ZERO,
        salt: B256::repeat_byte(0x33),
    };
    assert_eq!(
        order.hash(&official()).0,
        b256!("d0b75af8b1bfea3ff7d44defbdc5296340478ae3d37a2d915f38172053ec5a48")
    );
}

#[test]
fn request_order_hash() {
    let order = RequestOrder {
        app: APP,
        appmaxprice: one(),
        dataset: Address::ZERO,
        datasetmaxprice: U256::ZERO,
        workerpool: Address::ZERO,
        workerpoolmaxprice: one(),
        requester: KEY_ADDRESS,
        volume: U256::from(2),
        tag: Tag::TEE_TDX,
        category: U256::ZERO,
        trust: U256::ZERO,
        beneficiary: KEY_ADDRESS,
        callback: Address::ZERO,
        params: r#"{"iexec_args":"x"}"#.into(),
        salt: B256::repeat_byte(0x44),
    };
    assert_eq!(
        order.hash(&official()).0,
        b256!("d87168eb728a3818aa233c0c108c1fe83a94e01eaf43a2ba85ca20f061474d44")
    );
}

#[test]
fn json_is_the_sdks_form_and_reads_the_markets() {
    let signed = Signed {
        order: app_order(),
        sign: Bytes::from_static(&[1, 2]),
    };
    let value = serde_json::to_value(&signed).unwrap();
    assert_eq!(value["app"], "0xf6BC713064256BE134A3f69445843828bfdc7D9F");
    assert_eq!(value["volume"], "2");
    assert_eq!(value["sign"], "0x0102");
    let mut market = value.clone();
    market["volume"] = 2.into();
    market["app"] = "0xf6bc713064256be134a3f69445843828bfdc7d9f".into();
    assert_eq!(
        serde_json::from_value::<Signed<AppOrder>>(market).unwrap(),
        signed
    );
}
