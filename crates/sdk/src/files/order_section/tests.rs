use protocol::U256;

use super::*;

const WALLET: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/// As the official client 9.0.1 wrote and a person edited it.
const EDITED: &str = r#"{ "order": {
    "workerpoolorder": {
      "workerpool": "0x070bD79228D688f187E35Dde5c2128F52CeDc6a9",
      "workerpoolprice": "1200 RLC",
      "volume": "5",
      "category": "0",
      "trust": "0",
      "tag": ["tee", "tdx"],
      "apprestrict": "0x0000000000000000000000000000000000000000",
      "datasetrestrict": "0x0000000000000000000000000000000000000000",
      "requesterrestrict": "0x0000000000000000000000000000000000000000"
    },
    "requestorder": {
      "app": "0xf6BC713064256BE134A3f69445843828bfdc7D9F",
      "appmaxprice": "0",
      "dataset": "0x0000000000000000000000000000000000000000",
      "datasetmaxprice": "0",
      "workerpool": "0x070bD79228D688f187E35Dde5c2128F52CeDc6a9",
      "workerpoolmaxprice": "0",
      "volume": "1",
      "category": "0",
      "trust": "0",
      "tag": ["tee", "tdx"],
      "beneficiary": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
      "callback": "0x0000000000000000000000000000000000000000",
      "params": {
        "iexec_args": "",
        "iexec_input_files": [],
        "iexec_result_encryption": false
      },
      "requester": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    }
} }"#;

fn wallet() -> Address {
    WALLET.parse().unwrap()
}

fn order(file: &ProjectFile, kind: Kind) -> Result<Value, Error> {
    let salt = B256::repeat_byte(7);
    file.order(kind, wallet(), salt)
        .map(|order| order.to_json())
}

fn section(kind: Kind, section: Value) -> Result<Value, Error> {
    let file = json!({ "order": { name(kind): section } });
    order(&ProjectFile::parse(&file.to_string()).unwrap(), kind)
}

/// The values that the official client signed for these sections.
#[test]
fn official_sections_are_read_as_the_official_client_does() {
    let file = ProjectFile::parse(EDITED).unwrap();
    let pool = order(&file, Kind::Workerpool).unwrap();
    assert_eq!(pool["workerpoolprice"], "1200000000000");
    assert_eq!(pool["tag"], Tag::TEE_TDX.to_string());
    assert_eq!(pool["volume"], "5");
    let request = order(&file, Kind::Request).unwrap();
    assert_eq!(request["requester"], WALLET);
    let params = r#"{"iexec_result_storage_provider":"ipfs","iexec_result_encryption":false,"#;
    let params = params.to_owned() + r#""iexec_input_files":[],"iexec_args":""}"#;
    assert_eq!(request["params"], params);
}

#[test]
fn templates_have_the_official_fields_and_can_be_signed() {
    let known = Known {
        subject: Some(Address::repeat_byte(1)),
        wallet: wallet(),
    };
    let mut file = ProjectFile::template();
    for kind in Kind::ALL {
        let template = file.init_order(kind, &known);
        assert_eq!(
            template["volume"].as_str(),
            match kind {
                Kind::App | Kind::Dataset => Some("1000000"),
                _ => Some("1"),
            }
        );
    }
    let mut file = ProjectFile::parse(&file.to_text()).unwrap();
    let nothing = order(&file, Kind::Request).unwrap_err().to_string();
    assert_eq!(nothing, "invalid order.requestorder.app: it is missing");
    file.0["order"]["requestorder"]["app"] = json!(Address::repeat_byte(2));
    for kind in Kind::ALL {
        let signed = order(&file, kind).unwrap();
        assert_eq!(signed["salt"], B256::repeat_byte(7).to_string());
    }
}

#[test]
fn people_write_numbers_texts_and_lists() {
    let app = Address::repeat_byte(1);
    let read = |price: Value, tag: Value| {
        section(
            Kind::App,
            json!({ "app": app, "appprice": price, "tag": tag, "volume": 3 }),
        )
    };
    let plain = read(json!(5), json!("gpu")).unwrap();
    assert_eq!(
        (&plain["appprice"], &plain["volume"]),
        (&json!("5"), &json!("3"))
    );
    assert!(plain["tag"].as_str().unwrap().ends_with("100"));
    let rlc = read(json!("1.5 RLC"), json!(["tee", "tdx"])).unwrap();
    assert_eq!(rlc["appprice"], "1500000000");
    let hex = read(json!("5 nRLC"), rlc["tag"].clone()).unwrap();
    assert_eq!(hex["tag"], Tag::TEE_TDX.to_string());
    assert_eq!(hex["datasetrestrict"], Address::ZERO.to_checksum(None));
    for (price, tag) in [
        (json!("1 rlc"), json!([])),
        (json!(-1), json!([])),
        (json!({}), json!([])),
        (json!(0), json!(["tee", 1])),
        (json!(0), json!("tdx")),
    ] {
        let error = read(price, tag).unwrap_err();
        let text = format!("{error} {}", error.hint().unwrap_or_default());
        assert!(
            text.contains("order.apporder.") || text.contains("tag"),
            "{text}"
        );
    }
}

#[test]
fn a_misspelt_field_is_no_default() {
    let app = Address::repeat_byte(1);
    let error = section(Kind::App, json!({ "app": app, "price": "5" })).unwrap_err();
    assert!(
        error.hint().unwrap().contains("order.apporder.price"),
        "{error}"
    );
    let none = order(&ProjectFile::template(), Kind::Dataset).unwrap_err();
    assert_eq!(
        none.hint().unwrap(),
        "run `iexec order init --dataset` first"
    );
}

#[test]
fn whoever_asks_gets_the_result() {
    let (app, other) = (Address::repeat_byte(1), Address::repeat_byte(2));
    let plain = section(Kind::Request, json!({ "app": app })).unwrap();
    assert_eq!(
        (&plain["requester"], &plain["beneficiary"]),
        (&json!(WALLET), &json!(WALLET))
    );
    let given = section(Kind::Request, json!({ "app": app, "beneficiary": other }));
    assert_eq!(given.unwrap()["beneficiary"], other.to_checksum(None));
    let file = ProjectFile::template();
    assert!(
        file.order(Kind::App, wallet(), B256::from(U256::ONE))
            .is_err()
    );
}
