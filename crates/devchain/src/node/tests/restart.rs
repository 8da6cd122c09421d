//! What a data directory brings back.

use super::*;
use std::fs;

const CAROL: Address = address!("0x00000000000000000000000000000000000000ca");

/// Everything the log can hold has happened.
fn eventful(bench: &Bench) -> Address {
    let contract = bench.deploy();
    bench.store(contract, 7);
    let id = bench.ask("evm_snapshot", json!([]));
    bench.store(contract, 8);
    bench.ask("anvil_setBalance", json!([BOB, "0x1000"]));
    bench.ask("evm_revert", json!([id]));
    bench.ask("anvil_setBalance", json!([BOB, "0x20"]));
    bench.ask("evm_increaseTime", json!([1000]));
    bench.store(contract, 9);
    bench.ask("anvil_setCode", json!([CAROL, "0x602a60005260206000f3"]));
    bench.ask("anvil_setNonce", json!([CAROL, "0x7"]));
    bench.ask("anvil_setStorageAt", json!([CAROL, "0x1", word(5)]));
    bench.ask("anvil_setCoinbase", json!([CAROL]));
    bench.ask("anvil_mine", json!([3]));
    bench.ask("anvil_reorg", json!([2, []]));
    bench.ask("anvil_setNextBlockBaseFeePerGas", json!(["0x5"]));
    bench.ask("anvil_setBlockTimestampInterval", json!([30]));
    contract
}

fn everything(bench: &Bench, contract: Address) -> Value {
    let head = bench.ask("eth_blockNumber", json!([]));
    let head: alloy::primitives::U64 = serde_json::from_value(head).unwrap();
    let blocks: Vec<_> = (0..=head.to::<u64>())
        .map(|number| {
            let id = format!("{number:#x}");
            let block = bench.ask("eth_getBlockByNumber", json!([id, true]));
            json!([block, bench.ask("eth_getBlockReceipts", json!([id]))])
        })
        .collect();
    json!([
        blocks,
        bench.balance("latest"),
        bench.stored(contract, "latest"),
        bench.stored(contract, "0x2"),
        bench.stored(CAROL, "latest"),
        bench.ask("eth_getCode", json!([CAROL, "latest"])),
        bench.ask("eth_getTransactionCount", json!([CAROL, "latest"])),
        bench.ask("eth_gasPrice", json!([])),
        bench.node.read().chain.fingerprint(),
        bench.node.time()
    ])
}

#[test]
fn a_chain_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::new(Some(dir.path()));
    let contract = eventful(&bench);
    let before = everything(&bench, contract);
    drop(bench);
    let bench = Bench::new(Some(dir.path()));
    assert_eq!(everything(&bench, contract), before);
    bench.store(contract, 10);
    assert_eq!(bench.stored(contract, "latest"), U256::from(10));
}

#[test]
fn a_torn_record_is_cut_off_wherever_it_was_torn() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.log");
    let bench = Bench::new(Some(dir.path()));
    bench.pay(1);
    let whole = fs::read(&path).unwrap().len();
    bench.pay(1);
    drop(bench);
    let content = fs::read(&path).unwrap();
    for length in whole..content.len() {
        fs::write(&path, &content[..length]).unwrap();
        let bench = Bench::new(Some(dir.path()));
        assert_eq!(bench.balance("latest"), "0x1", "torn after {length} bytes");
        bench.pay(2);
        drop(bench);
        let bench = Bench::new(Some(dir.path()));
        assert_eq!(bench.balance("latest"), "0x3", "torn after {length} bytes");
    }
}

#[test]
fn a_log_torn_in_its_very_beginning_starts_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.log");
    drop(Bench::new(Some(dir.path())));
    let content = fs::read(&path).unwrap();
    for length in 0..content.len() {
        fs::write(&path, &content[..length]).unwrap();
        let bench = Bench::new(Some(dir.path()));
        assert_eq!(
            bench.pay(1).as_str().unwrap().len(),
            66,
            "torn after {length} bytes"
        );
    }
}

/// A copy of the file at any moment is what a process killed at that moment leaves behind.
#[test]
fn whatever_was_answered_survives_a_kill() {
    const PAYMENTS: u64 = 60;
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::new(Some(dir.path()));
    let answered = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for count in 1..=PAYMENTS {
                bench.pay(1);
                answered.store(count, std::sync::atomic::Ordering::SeqCst);
            }
        });
        loop {
            let least = answered.load(std::sync::atomic::Ordering::SeqCst);
            let copy = tempfile::tempdir().unwrap();
            fs::copy(dir.path().join("chain.log"), copy.path().join("chain.log")).unwrap();
            let survivor = Bench::new(Some(copy.path()));
            let paid: U256 = serde_json::from_value(survivor.balance("latest")).unwrap();
            assert!(paid >= U256::from(least), "{paid} of {least}");
            if least == PAYMENTS {
                break;
            }
        }
    });
}

#[test]
fn damage_in_the_middle_is_not_hidden() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.log");
    let bench = Bench::new(Some(dir.path()));
    bench.pay(1);
    bench.pay(1);
    drop(bench);
    let mut content = fs::read(&path).unwrap();
    content[40] ^= 1;
    fs::write(&path, &content).unwrap();
    let config = Config {
        data_dir: Some(dir.path().to_owned()),
        ..Config::default()
    };
    let error = Node::open(config).unwrap_err();
    assert!(matches!(error, Error::Corrupt { offset: 8, .. }), "{error}");
}

#[test]
fn a_directory_has_one_node_and_one_chain_id() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        data_dir: Some(dir.path().to_owned()),
        ..Config::default()
    };
    let node = Node::open(config.clone()).unwrap();
    assert!(matches!(Node::open(config.clone()), Err(Error::Locked(_))));
    node.close().unwrap();
    assert_eq!(node.request("eth_blockNumber", json!([])), Ok(json!("0x0")));
    assert_eq!(
        node.request("evm_mine", json!([])).unwrap_err().code,
        -32603
    );
    let other = Config {
        chain_id: 5,
        ..config.clone()
    };
    assert!(matches!(
        Node::open(other),
        Err(Error::ChainId { wanted: 5, .. })
    ));
    Node::open(config).unwrap();
}
