use alloy::primitives::Signature;
use protocol::{
    Address,
    order::{self, Order, Signed},
};

use super::*;

/// Signed by the official client 9.0.1 on chain 31337.
const OFFICIAL: &str = r#"{
  "31337": {
    "apporder": {
      "app": "0xc3bCE34B93ab73f638d1DFef08be6bb9ECd82F7a",
      "appprice": "0",
      "volume": "1000000",
      "tag": "0x0000000000000000000000000000000000000000000000000000000000000009",
      "datasetrestrict": "0x0000000000000000000000000000000000000000",
      "workerpoolrestrict": "0x0000000000000000000000000000000000000000",
      "requesterrestrict": "0x0000000000000000000000000000000000000000",
      "salt": "0xe914754b3f51dce99cc7b5ed319747d4dca7cf84e3b6f950017859fb9c5840d4",
      "sign": "0xb775d2c56bd86d3e5573b30c2c91d6f20a828ab2f3392247aa4b80d127f4ef7356acd8c97e3107323b46edf2e572da2f5d4507fe07f2d8c8b3922df9ac95f9fb1c"
    },
    "datasetorder": {
      "dataset": "0x0159fd095373d9af76b860eC545e10b556Bb003a",
      "datasetprice": "0",
      "volume": "1000000",
      "tag": "0x0000000000000000000000000000000000000000000000000000000000000009",
      "apprestrict": "0x0000000000000000000000000000000000000000",
      "workerpoolrestrict": "0x0000000000000000000000000000000000000000",
      "requesterrestrict": "0x0000000000000000000000000000000000000000",
      "salt": "0x9227fe3caafd80d67ce67c7776ac7dcc17717cd2d8ccfbb4d15ec85cdcc8a7e8",
      "sign": "0x0378eb5661a81d82757acf765acda7a96cb4d7ad5e8da92b9f4c0d3153ddf2ab63d60b3b06b29f33f769f9c26da447b0cec0004ab59edc18ecfcaf4e3b7967201c"
    },
    "workerpoolorder": {
      "workerpool": "0x070bD79228D688f187E35Dde5c2128F52CeDc6a9",
      "workerpoolprice": "1200000000000",
      "volume": "5",
      "category": "0",
      "trust": "0",
      "tag": "0x0000000000000000000000000000000000000000000000000000000000000009",
      "apprestrict": "0x0000000000000000000000000000000000000000",
      "datasetrestrict": "0x0000000000000000000000000000000000000000",
      "requesterrestrict": "0x0000000000000000000000000000000000000000",
      "salt": "0xabd0d08672ecbe5b2a4c814147c2ae2efa6a58a4211ed723f9eac7c6378de9d3",
      "sign": "0x2088b799f5dbe33d31946a9a8d5fff2eeb2d61a8900a2e63a6b61888869ec1d05921202c2e8ff2acb7084a7955611e768e1aaf0b103803f7a7b051974849f0c91c"
    },
    "requestorder": {
      "params": "{\"iexec_result_storage_provider\":\"ipfs\",\"iexec_result_encryption\":false,\"iexec_input_files\":[],\"iexec_args\":\"\"}",
      "callback": "0x0000000000000000000000000000000000000000",
      "beneficiary": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
      "trust": "0",
      "category": "0",
      "tag": "0x0000000000000000000000000000000000000000000000000000000000000009",
      "volume": "1",
      "requester": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
      "workerpoolmaxprice": "0",
      "workerpool": "0x070bD79228D688f187E35Dde5c2128F52CeDc6a9",
      "datasetmaxprice": "0",
      "dataset": "0x0000000000000000000000000000000000000000",
      "appmaxprice": "0",
      "app": "0xf6BC713064256BE134A3f69445843828bfdc7D9F",
      "salt": "0x4a599583e69e1b3091403f858f8436a145d6d344e3a0365789e104c49546c312",
      "sign": "0x622884ffbc706069abd5375cd36c9c196f892f346f4fd4761b031e7920ce7d6b3855d99f3c2e1586d3d3382e907457447767a460cd9d89bf58961ee98e9751dd1b"
    }
  }
}"#;
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
