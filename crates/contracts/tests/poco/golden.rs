//! Values of the official implementation that ours must reproduce.
use std::collections::BTreeSet;
use std::path::PathBuf;

use alloy::json_abi::JsonAbi;
use alloy::primitives::{Address, B256, Bytes, U256, address, b256, hex, keccak256};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolError, SolStruct};
use contracts::Hub;

use crate::chain::{Chain, answering};
use crate::orders::{Order, typed};
use crate::stage::{Stage, signature};

/// `contract function selector`, one per line (spec/contracts.md §23).
const FUNCTIONS: &str = include_str!("golden/functions.txt");
/// `event topic`, one per line.
const EVENTS: &str = include_str!("golden/events.txt");

/// The hub and the key of spec/client.md, Appendix A.
const HUB: Address = address!("4ed7c70F96B99c776995fB64377f0d4aB3B0e1C1");
const OWNER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
const SECRET: B256 = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
const SEPARATOR: B256 = b256!("b47bd3d57901617a1083047a2a0ebddbfa9290e6690e096a3d6d682cd195421c");
const APP: Address = address!("f6BC713064256BE134A3f69445843828bfdc7D9F");

fn abi(contract: &str) -> JsonAbi {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../contracts/artifacts");
    let text = std::fs::read_to_string(folder.join(format!("{contract}.json"))).unwrap();
    let artifact: serde_json::Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(artifact["abi"].clone()).unwrap()
}

#[test]
fn every_function_clients_call_is_there() {
    for line in FUNCTIONS.lines() {
        let [contract, name, selector] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("malformed line {line}");
        };
        let abi = abi(contract);
        let named = abi.functions().filter(|function| function.name == name);
        let selectors = named.map(|function| hex::encode(function.selector()));
        assert!(
            selectors.collect::<Vec<_>>().contains(&selector.to_owned()),
            "{line}"
        );
    }
}

#[test]
fn every_event_indexers_read_is_there() {
    let contracts = ["Hub", "AppRegistry", "Workerpool"].map(abi);
    let known: BTreeSet<String> = contracts
        .iter()
        .flat_map(JsonAbi::events)
        .map(|event| format!("{} {}", event.name, event.selector()))
        .collect();
    for line in EVENTS.lines() {
        assert!(known.contains(line), "{line}");
    }
}

#[test]
fn errors_have_their_numbers() {
    assert_eq!(Hub::IncompatibleDatasetOrder::SELECTOR, hex!("0afd9382"));
    assert_eq!(Hub::UnsupportedOperation::SELECTOR, hex!("de6168e5"));
    assert_eq!(Hub::OperationFailed::SELECTOR, hex!("0364eed2"));
    assert_eq!(Hub::CallerIsNotTheRequester::SELECTOR, hex!("74a0583f"));
}

/// The interface of the hub is answered by two contracts; none of it may fall between them.
#[test]
fn the_hub_answers_all_of_its_interface() {
    let mut stage = Stage::new();
    for function in abi("Hub").functions() {
        let data = Bytes::copy_from_slice(function.selector().as_slice());
        let refused = stage.chain.refuse_data(stage.deployer, stage.at.hub, data);
        assert_ne!(refused, "fallback-disabled", "{}", function.signature());
    }
}

#[test]
fn types_have_their_hashes() {
    let hashes = [
        (
            typehash::<typed::AppOrder>(),
            "60815a0eeec47dddf1615fe53b31d016c31444e01b9d796db365443a6445d008",
        ),
        (
            typehash::<typed::DatasetOrder>(),
            "6cfc932a5a3d22c4359295b9f433edff52b60703fa47690a04a83e40933dd47c",
        ),
        (
            typehash::<typed::WorkerpoolOrder>(),
            "aa3429fb281b34691803133d3d978a75bb77c617ed6bc9aa162b9b30920022bb",
        ),
        (
            typehash::<typed::RequestOrder>(),
            "f24e853034a3a450aba845a82914fbb564ad85accca6cf62be112a154520fae0",
        ),
        (
            typehash::<typed::AppOrderOperation>(),
            "0638bb0702457e2b4b01be8a202579b8bf97e587fb4f2cc4d4aad01f21a06ee0",
        ),
        (
            typehash::<typed::DatasetOrderOperation>(),
            "075eb6f7578ff4292c241bd2484cd5c1d5e6ecc2ddd3317e1d8176b5a45865ec",
        ),
        (
            typehash::<typed::WorkerpoolOrderOperation>(),
            "322d980b7d7a6a1f7c39ff0c5445da6ae1d8e0393ff0dd468c8be3e2c8644388",
        ),
        (
            typehash::<typed::RequestOrderOperation>(),
            "0ded7b52c2d77595a40d242eca751df172b18e686326dbbed3f4748828af77c7",
        ),
    ];
    for (hash, expected) in hashes {
        assert_eq!(hex::encode(hash), expected);
    }
}

fn typehash<T: SolStruct>() -> B256 {
    keccak256(T::eip712_encode_type().as_bytes())
}

/// Our code at the hub's address of the vectors, owned by nobody and therefore configured by the
/// zero address, with entries that belong to the owner of the vectors.
fn reference() -> Chain {
    let mut chain = Chain::new();
    let deployment = crate::stage::deployed(&mut chain, OWNER);
    let code = chain.code(deployment.hub);
    chain.put_code(HUB, code);
    let configure = Hub::configureCall {
        token_: deployment.token,
        name_: String::new(),
        symbol_: String::new(),
        decimals_: 9,
        appregistry_: deployment.app_registry,
        datasetregistry_: deployment.dataset_registry,
        workerpoolregistry_: deployment.workerpool_registry,
        v3_iexecHub: Address::ZERO,
    };
    chain.act(Address::ZERO, HUB, &configure);
    for entry in [APP, DATASET, POOL] {
        chain.put_code(entry, answering(OWNER.into_word()));
    }
    chain
}

const DATASET: Address = address!("0159fd095373d9af76b860eC545e10b556Bb003a");
const POOL: Address = address!("070bD79228D688f187E35Dde5c2128F52CeDc6a9");

fn tag(bits: u64) -> B256 {
    B256::from(U256::from(bits))
}

fn app_order() -> Hub::AppOrder {
    Hub::AppOrder {
        app: APP,
        appprice: U256::from(1),
        volume: U256::from(2),
        tag: tag(9),
        salt: B256::repeat_byte(0x11),
        ..Hub::AppOrder::default()
    }
}

fn dataset_order() -> Hub::DatasetOrder {
    Hub::DatasetOrder {
        dataset: DATASET,
        datasetprice: U256::from(1),
        volume: U256::from(2),
        salt: B256::repeat_byte(0x22),
        ..Hub::DatasetOrder::default()
    }
}

fn workerpool_order() -> Hub::WorkerpoolOrder {
    Hub::WorkerpoolOrder {
        workerpool: POOL,
        workerpoolprice: U256::from(1),
        volume: U256::from(2),
        tag: tag(9),
        salt: B256::repeat_byte(0x33),
        ..Hub::WorkerpoolOrder::default()
    }
}

fn request_order() -> Hub::RequestOrder {
    Hub::RequestOrder {
        app: APP,
        appmaxprice: U256::from(1),
        workerpoolmaxprice: U256::from(1),
        requester: OWNER,
        beneficiary: OWNER,
        volume: U256::from(2),
        tag: tag(9),
        params: r#"{"iexec_args":"x"}"#.to_owned(),
        salt: B256::repeat_byte(0x44),
        ..Hub::RequestOrder::default()
    }
}

#[test]
fn orders_have_the_hashes_of_the_official_hub() {
    let mut chain = reference();
    let separator = chain.read(HUB, &Hub::eip712domain_separatorCall {});
    assert_eq!(separator, SEPARATOR);
    let app = Hub::AppOrderOperation {
        order: app_order(),
        ..<_>::default()
    };
    let call = Hub::manageAppOrderCall {
        apporderoperation: app,
    };
    let signed = chain.act(OWNER, HUB, &call).find::<Hub::SignedAppOrder>();
    let expected = b256!("48a735feebec3163e9da127140d05a97ef40dfd4817f3d3b138fe2e232072a54");
    assert_eq!(
        (signed[0].appHash, app_order().hash(HUB)),
        (expected, expected)
    );
    let dataset = Hub::DatasetOrderOperation {
        order: dataset_order(),
        ..<_>::default()
    };
    let call = Hub::manageDatasetOrderCall {
        datasetorderoperation: dataset,
    };
    let signed = chain
        .act(OWNER, HUB, &call)
        .find::<Hub::SignedDatasetOrder>();
    let expected = b256!("6dbeb83c478ce2208d61382a3a5842f68259c7f06927947c0a35cecbe261a001");
    assert_eq!(
        (signed[0].datasetHash, dataset_order().hash(HUB)),
        (expected, expected)
    );
    let pool = Hub::WorkerpoolOrderOperation {
        order: workerpool_order(),
        ..<_>::default()
    };
    let call = Hub::manageWorkerpoolOrderCall {
        workerpoolorderoperation: pool,
    };
    let signed = chain
        .act(OWNER, HUB, &call)
        .find::<Hub::SignedWorkerpoolOrder>();
    let expected = b256!("d0b75af8b1bfea3ff7d44defbdc5296340478ae3d37a2d915f38172053ec5a48");
    assert_eq!(
        (signed[0].workerpoolHash, workerpool_order().hash(HUB)),
        (expected, expected)
    );
    let request = Hub::RequestOrderOperation {
        order: request_order(),
        ..<_>::default()
    };
    let call = Hub::manageRequestOrderCall {
        requestorderoperation: request,
    };
    let signed = chain
        .act(OWNER, HUB, &call)
        .find::<Hub::SignedRequestOrder>();
    let expected = b256!("d87168eb728a3818aa233c0c108c1fe83a94e01eaf43a2ba85ca20f061474d44");
    assert_eq!(
        (signed[0].requestHash, request_order().hash(HUB)),
        (expected, expected)
    );
}

#[test]
fn a_signature_of_the_official_client_is_accepted() {
    let mut chain = reference();
    let signature_of_client = hex!(
        "7ea89cd5b349c7688afcdabbcc9b5690b684080df065636bd5f74fe0fcb674d3"
        "75c5d9c89e3208e164c59096b7f0c2380c8358f9a5f93d89438edf5c8e69f60b1c"
    );
    let hash = app_order().hash(HUB);
    let signer = PrivateKeySigner::from_bytes(&SECRET).unwrap();
    assert_eq!(signature(&signer, hash).as_ref(), signature_of_client);
    let call = Hub::verifySignatureCall {
        account: OWNER,
        hash,
        signature: signature_of_client.into(),
    };
    assert!(chain.read(HUB, &call));
}

#[test]
fn constants_are_the_published_ones() {
    let mut chain = reference();
    assert_eq!(
        chain.read(HUB, &Hub::contribution_deadline_ratioCall {}),
        U256::from(7)
    );
    assert_eq!(
        chain.read(HUB, &Hub::reveal_deadline_ratioCall {}),
        U256::from(2)
    );
    assert_eq!(
        chain.read(HUB, &Hub::final_deadline_ratioCall {}),
        U256::from(10)
    );
    assert_eq!(
        chain.read(HUB, &Hub::workerpool_stake_ratioCall {}),
        U256::from(30)
    );
    assert_eq!(chain.read(HUB, &Hub::kitty_ratioCall {}), U256::from(10));
    assert_eq!(
        chain.read(HUB, &Hub::kitty_minCall {}),
        U256::from(1_000_000_000)
    );
    assert_eq!(
        chain.read(HUB, &Hub::groupmember_purposeCall {}),
        U256::from(4)
    );
    assert_eq!(
        chain.read(HUB, &Hub::callbackgasCall {}),
        U256::from(200_000)
    );
    let kitty = address!("99c2268479b93fDe36232351229815DF80837e23");
    assert_eq!(chain.read(HUB, &Hub::kitty_addressCall {}), kitty);
    let domain = chain.read(HUB, &Hub::domainCall {});
    assert_eq!(
        (domain.name.as_str(), domain.version.as_str()),
        ("iExecODB", "5.0.0")
    );
    assert_eq!(
        (domain.chainId, domain.verifyingContract),
        (U256::from(31_337), HUB)
    );
}
