//! Who can agree to an order, and how.
use alloy::primitives::{Address, B256, Bytes, U256, b256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolStruct, SolValue};
use contracts::Hub;

use crate::chain::answering;
use crate::orders::{Order, domain, typed};
use crate::stage::{Stage, digest, key, signature};

const WALLET: Address = Address::repeat_byte(0xaa);
/// What a contract that accepts every signature answers (ERC-1271).
const MAGIC: B256 = b256!("1626ba7e00000000000000000000000000000000000000000000000000000000");

const REFUSAL: B256 = b256!("ffffffff00000000000000000000000000000000000000000000000000000000");

fn verify(stage: &mut Stage, account: Address, hash: B256, signature: Bytes) -> bool {
    stage.chain.read(
        stage.at.hub,
        &Hub::verifySignatureCall {
            account,
            hash,
            signature,
        },
    )
}

fn compact(signer: &PrivateKeySigner, hash: B256) -> Bytes {
    let signature = signer.sign_hash_sync(&hash).unwrap();
    let parity = U256::from(signature.v()) << 255;
    (signature.r(), signature.s() | parity)
        .abi_encode_packed()
        .into()
}

#[test]
fn a_key_signs_in_65_or_64_bytes() {
    let mut stage = Stage::new();
    // Both parities must work in the short form.
    for seed in 0..8 {
        let (signer, hash) = (key(7), digest(seed));
        assert!(verify(
            &mut stage,
            signer.address(),
            hash,
            signature(&signer, hash)
        ));
        assert!(verify(
            &mut stage,
            signer.address(),
            hash,
            compact(&signer, hash)
        ));
        assert!(!verify(&mut stage, WALLET, hash, compact(&signer, hash)));
        assert!(!verify(
            &mut stage,
            signer.address(),
            digest(99),
            compact(&signer, hash)
        ));
    }
}

#[test]
fn malleable_and_malformed_signatures_are_refused() {
    let mut stage = Stage::new();
    let (signer, hash) = (key(7), digest(1));
    let order = U256::from_str_radix(
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
        16,
    )
    .unwrap();
    let good = signer.sign_hash_sync(&hash).unwrap();
    let twin_v = if good.v() { 27_u8 } else { 28 };
    let twin = (good.r(), order - good.s(), [twin_v]);
    let twin = [
        twin.0.to_be_bytes_vec(),
        twin.1.to_be_bytes_vec(),
        twin.2.to_vec(),
    ]
    .concat();
    assert!(!verify(&mut stage, signer.address(), hash, twin.into()));
    let mut bad_v = signature(&signer, hash).to_vec();
    bad_v[64] = 5;
    assert!(!verify(&mut stage, signer.address(), hash, bad_v.into()));
    for length in [0, 1, 63, 66] {
        let call = Hub::verifySignatureCall {
            account: signer.address(),
            hash,
            signature: vec![0; length].into(),
        };
        let refused = stage.chain.refuse(Address::ZERO, stage.at.hub, &call);
        assert_eq!(refused, "invalid-signature-format");
    }
}

#[test]
fn nobody_signs_for_the_zero_address() {
    let mut stage = Stage::new();
    assert!(!verify(
        &mut stage,
        Address::ZERO,
        digest(1),
        vec![0; 65].into()
    ));
}

#[test]
fn a_contract_decides_about_any_signature() {
    let mut stage = Stage::new();
    stage.chain.put_code(WALLET, answering(MAGIC));
    for length in [0, 1, 64, 65, 200] {
        assert!(verify(
            &mut stage,
            WALLET,
            digest(1),
            vec![1; length].into()
        ));
    }
    stage.chain.put_code(WALLET, answering(REFUSAL));
    assert!(!verify(&mut stage, WALLET, digest(1), Bytes::new()));
    stage
        .chain
        .put_code(WALLET, Bytes::from_static(&[0x60, 0x00, 0x60, 0x00, 0xfd]));
    assert!(!verify(&mut stage, WALLET, digest(1), Bytes::new()));
    stage.chain.put_code(WALLET, Bytes::from_static(&[0x00]));
    let call = Hub::verifySignatureCall {
        account: WALLET,
        hash: digest(1),
        signature: Bytes::new(),
    };
    assert_eq!(stage.chain.refuse(Address::ZERO, stage.at.hub, &call), "");
}

/// An account that delegates its code can still sign with its key.
#[test]
fn a_key_with_code_signs() {
    let mut stage = Stage::new();
    let (signer, hash) = (key(7), digest(1));
    stage
        .chain
        .put_code(signer.address(), Bytes::from_static(&[0x00]));
    assert!(verify(
        &mut stage,
        signer.address(),
        hash,
        signature(&signer, hash)
    ));
}

#[test]
fn a_contract_can_be_the_requester() {
    let mut stage = Stage::new();
    stage.chain.put_code(WALLET, answering(MAGIC));
    stage.deposit_for(WALLET);
    let mut orders = stage.offers();
    (orders.request.requester, orders.request.beneficiary) = (WALLET, WALLET);
    let mut orders = stage.signed(orders);
    orders.request.sign = Bytes::from_static(b"anything");
    let receipt = stage.chain.act(Address::ZERO, stage.at.hub, &orders.call());
    assert_eq!(stage.view_deal(receipt.value).requester, WALLET);
}

#[test]
fn presigned_orders_need_no_signature() {
    let mut stage = Stage::new();
    let orders = stage.offers_with_dataset();
    let hub = stage.at.hub;
    let sign = Hub::manageAppOrderCall {
        apporderoperation: Hub::AppOrderOperation {
            order: orders.app.clone(),
            ..<_>::default()
        },
    };
    let receipt = stage.chain.act(stage.app_owner.address(), hub, &sign);
    assert_eq!(
        receipt.find::<Hub::SignedAppOrder>()[0].appHash,
        orders.app.hash(hub)
    );
    let sign = Hub::manageDatasetOrderCall {
        datasetorderoperation: Hub::DatasetOrderOperation {
            order: orders.dataset.clone(),
            ..<_>::default()
        },
    };
    let receipt = stage.chain.act(stage.dataset_owner.address(), hub, &sign);
    let hash = orders.dataset.hash(hub);
    assert_eq!(
        receipt.find::<Hub::SignedDatasetOrder>()[0].datasetHash,
        hash
    );
    let sign = Hub::manageWorkerpoolOrderCall {
        workerpoolorderoperation: Hub::WorkerpoolOrderOperation {
            order: orders.workerpool.clone(),
            ..<_>::default()
        },
    };
    let receipt = stage.chain.act(stage.scheduler.address(), hub, &sign);
    let hash = orders.workerpool.hash(hub);
    assert_eq!(
        receipt.find::<Hub::SignedWorkerpoolOrder>()[0].workerpoolHash,
        hash
    );
    let sign = Hub::manageRequestOrderCall {
        requestorderoperation: Hub::RequestOrderOperation {
            order: orders.request.clone(),
            ..<_>::default()
        },
    };
    let receipt = stage.chain.act(stage.requester.address(), hub, &sign);
    let hash = orders.request.hash(hub);
    assert_eq!(
        receipt.find::<Hub::SignedRequestOrder>()[0].requestHash,
        hash
    );
    let signer = stage.chain.read(hub, &Hub::viewPresignedCall { _id: hash });
    assert_eq!(signer, stage.requester.address());
    let receipt = stage.chain.act(Address::ZERO, hub, &orders.call());
    let matched = &receipt.find::<Hub::OrdersMatched>()[0];
    assert_eq!(
        (matched.appHash, matched.requestHash),
        (orders.app.hash(hub), hash)
    );
}

#[test]
fn an_unsigned_order_is_refused() {
    let mut stage = Stage::new();
    let orders = stage.offers();
    let refused = stage
        .chain
        .refuse(Address::ZERO, stage.at.hub, &orders.call());
    assert_eq!(refused, "invalid-signature-format");
}

#[test]
fn closing_consumes_an_order_for_good() {
    let mut stage = Stage::new();
    let hub = stage.at.hub;
    let orders = stage.signed(stage.offers().for_volume(5));
    let close = Hub::manageRequestOrderCall {
        requestorderoperation: Hub::RequestOrderOperation {
            order: orders.request.clone(),
            operation: 1,
            sign: Bytes::new(),
        },
    };
    let receipt = stage.chain.act(stage.requester.address(), hub, &close);
    assert_eq!(receipt.events(hub), ["ClosedRequestOrder"]);
    let _id = orders.request.hash(hub);
    assert_eq!(
        stage.chain.read(hub, &Hub::viewConsumedCall { _id }),
        U256::from(5)
    );
    let refused = stage.chain.refuse(Address::ZERO, hub, &orders.call());
    assert_eq!(refused, "iExecV5-matchOrders-0x60");
}

#[test]
fn an_operation_can_be_signed_for_anyone_to_send() {
    let mut stage = Stage::new();
    let hub = stage.at.hub;
    let order = stage.offers().workerpool;
    let operation = typed::WorkerpoolOrderOperation {
        order: order.typed(),
        operation: U256::from(1),
    };
    let hash = operation.eip712_signing_hash(&domain(hub));
    let by = |signer: &PrivateKeySigner, operation| Hub::manageWorkerpoolOrderCall {
        workerpoolorderoperation: Hub::WorkerpoolOrderOperation {
            order: order.clone(),
            operation,
            sign: signature(signer, hash),
        },
    };
    let refused = stage.chain.refuse(WALLET, hub, &by(&key(99), 1));
    assert_eq!(refused, "invalid-sender-or-signature");
    let other = stage
        .chain
        .refuse(WALLET, hub, &by(&stage.scheduler.clone(), 0));
    assert_eq!(
        other, "invalid-sender-or-signature",
        "signed for closing only"
    );
    let scheduler = stage.scheduler.clone();
    let receipt = stage.chain.act(WALLET, hub, &by(&scheduler, 1));
    assert_eq!(receipt.events(hub), ["ClosedWorkerpoolOrder"]);
    assert_eq!(
        stage
            .chain
            .refuse(scheduler.address(), hub, &by(&scheduler, 2)),
        ""
    );
}
