//! The node as a client sees it, without a network between.

use std::path::Path;

use alloy::consensus::{SignableTransaction, TxEnvelope, TxLegacy};
use alloy::eips::Encodable2718;
use alloy::network::TxSignerSync;
use alloy::primitives::{B256, Bytes, TxKind, U256, address};
use serde_json::json;

use super::*;
use crate::clock::ManualClock;

const START: u64 = 1_000_000;
const BOB: Address = address!("0x00000000000000000000000000000000000000b0");

/// On a call with word `x`: stores it in slot 0, logs it as topic and data, returns it; reverts
/// with `0xdeadbeef` when it is 13.
const STORE: &str = "603080600b6000396000f3\
    60003580600d1460225780600055806000526020600\
    0a160005460005260206000f35b63deadbeef6000526004601cfd";

struct Bench {
    node: Node,
    clock: ManualClock,
    alice: PrivateKeySigner,
}

impl Bench {
    fn new(data_dir: Option<&Path>) -> Self {
        let clock = ManualClock::at(START);
        let alice = PrivateKeySigner::from_slice(&[1; 32]).unwrap();
        let node = Node::open(Config {
            data_dir: data_dir.map(Path::to_owned),
            alloc: vec![(alice.address(), U256::from(1_000_000))],
            unlocked: vec![alice.clone()],
            clock: Arc::new(clock.clone()),
            ..Config::default()
        });
        Self {
            node: node.unwrap(),
            clock,
            alice,
        }
    }

    fn ask(&self, method: &str, params: Value) -> Value {
        self.node
            .request(method, params)
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn fail(&self, method: &str, params: Value) -> RpcError {
        self.node.request(method, params).unwrap_err()
    }

    fn pay(&self, wei: u64) -> Value {
        let request = json!({ "from": self.alice.address(), "to": BOB, "value": U256::from(wei) });
        self.ask("eth_sendTransaction", json!([request]))
    }

    fn deploy(&self) -> Address {
        let request = json!({ "from": self.alice.address(), "data": format!("0x{STORE}") });
        let hash = self.ask("eth_sendTransaction", json!([request]));
        let receipt = self.ask("eth_getTransactionReceipt", json!([hash]));
        assert_eq!(receipt["status"], "0x1");
        serde_json::from_value(receipt["contractAddress"].clone()).unwrap()
    }

    fn store(&self, contract: Address, word: u64) -> Value {
        let data = B256::from(U256::from(word));
        let request = json!({ "from": self.alice.address(), "to": contract, "data": data });
        self.ask("eth_sendTransaction", json!([request]))
    }

    fn signed(&self, nonce: u64, wei: u64) -> Bytes {
        let mut transaction = TxLegacy {
            chain_id: Some(crate::CHAIN_ID_DEFAULT),
            nonce,
            gas_limit: 21_000,
            to: TxKind::Call(BOB),
            value: U256::from(wei),
            ..TxLegacy::default()
        };
        let signature = self.alice.sign_transaction_sync(&mut transaction).unwrap();
        TxEnvelope::from(transaction.into_signed(signature))
            .encoded_2718()
            .into()
    }

    fn balance(&self, block: &str) -> Value {
        self.ask("eth_getBalance", json!([BOB, block]))
    }

    fn head(&self) -> Value {
        self.ask("eth_getBlockByNumber", json!(["latest", true]))
    }

    fn stored(&self, contract: Address, block: &str) -> U256 {
        let slot = self.ask("eth_getStorageAt", json!([contract, "0x0", block]));
        serde_json::from_value(slot).unwrap()
    }
}

fn word(value: u64) -> String {
    B256::from(U256::from(value)).to_string()
}

#[test]
fn a_transfer_is_mined_at_once() {
    let bench = Bench::new(None);
    let hash = bench.pay(5);
    let receipt = bench.ask("eth_getTransactionReceipt", json!([hash]));
    assert_eq!(receipt["blockNumber"], "0x1");
    assert_eq!(receipt["gasUsed"], "0x5208");
    assert_eq!(bench.balance("latest"), "0x5");
    let transaction = bench.ask("eth_getTransactionByHash", json!([hash]));
    assert_eq!(
        transaction["gas"], "0x5208",
        "the estimate of a transfer is exact"
    );
    for (method, block) in [
        ("eth_getTransactionByBlockNumberAndIndex", json!("0x1")),
        (
            "eth_getTransactionByBlockHashAndIndex",
            receipt["blockHash"].clone(),
        ),
    ] {
        assert_eq!(bench.ask(method, json!([block, "0x0"])), transaction);
        assert_eq!(bench.ask(method, json!([block, "0x1"])), Value::Null);
    }
    assert_eq!(
        bench.ask("eth_getTransactionCount", json!([bench.alice.address()])),
        "0x1"
    );
    assert_eq!(
        bench.ask("eth_getBlockTransactionCountByNumber", json!(["latest"])),
        "0x1"
    );
}

#[test]
fn blocks_are_linked_and_commit_to_their_content() {
    let bench = Bench::new(None);
    let contract = bench.deploy();
    bench.store(contract, 7);
    let block: alloy::rpc::types::Block = serde_json::from_value(bench.head()).unwrap();
    assert_eq!(block.header.hash_slow(), block.header.hash);
    let root = block.header.transactions_root;
    let block = block.map_transactions(|transaction| transaction.into_inner());
    assert_eq!(block.calculate_transactions_root(), Some(root));
    let receipts = bench.ask("eth_getBlockReceipts", json!(["latest"]));
    assert_eq!(json!(block.header.logs_bloom), receipts[0]["logsBloom"]);
    assert_ne!(block.header.logs_bloom, alloy::primitives::Bloom::ZERO);
    let parent = bench.ask(
        "eth_getBlockByHash",
        json!([block.header.parent_hash, false]),
    );
    assert_eq!(parent["number"], "0x1");
}

#[test]
fn contracts_run_log_and_revert() {
    let bench = Bench::new(None);
    let contract = bench.deploy();
    assert_ne!(bench.ask("eth_getCode", json!([contract, "latest"])), "0x");
    let receipt = bench.store(contract, 7);
    let receipt = bench.ask("eth_getTransactionReceipt", json!([receipt]));
    assert_eq!(receipt["logs"][0]["topics"], json!([word(7)]));
    assert_eq!(receipt["logs"][0]["logIndex"], "0x0");
    assert_eq!(bench.stored(contract, "latest"), U256::from(7));

    let call = json!([{ "to": contract, "data": word(13) }, "latest"]);
    let error = bench.fail("eth_call", call.clone());
    assert_eq!((error.code, error.data), (3, Some(json!("0xdeadbeef"))));
    assert!(
        error.message.starts_with("execution reverted: "),
        "{}",
        error.message
    );
    assert_eq!(bench.fail("eth_estimateGas", call).code, 3);

    let from = bench.alice.address();
    let forced = json!({ "from": from, "to": contract, "data": word(13), "gas": "0x20000" });
    let hash = bench.ask("eth_sendTransaction", json!([forced]));
    let receipt = bench.ask("eth_getTransactionReceipt", json!([hash]));
    assert_eq!(
        (&receipt["status"], &receipt["logs"]),
        (&json!("0x0"), &json!([]))
    );
    assert_eq!(bench.stored(contract, "latest"), U256::from(7));
}

#[test]
fn revert_reasons_are_spelled_out() {
    use alloy::sol_types::{Revert, SolError};
    let error = RpcError::reverted(&Revert::from("unlucky").abi_encode().into());
    assert_eq!(error.message, "execution reverted: unlucky");
    assert_eq!(
        RpcError::reverted(&Bytes::new()).message,
        "execution reverted"
    );
}

#[test]
fn waiting_transactions_share_a_block_once_the_gap_closes() {
    let bench = Bench::new(None);
    let send = |nonce| {
        bench.ask(
            "eth_sendRawTransaction",
            json!([bench.signed(nonce, nonce)]),
        )
    };
    let late = send(2);
    send(1);
    assert_eq!(bench.ask("eth_blockNumber", json!([])), "0x0");
    let waiting = bench.ask("eth_getTransactionByHash", json!([late]));
    assert_eq!(
        (&waiting["nonce"], &waiting["blockHash"]),
        (&json!("0x2"), &Value::Null)
    );
    assert_eq!(
        bench.ask("eth_getTransactionReceipt", json!([late])),
        Value::Null
    );
    let again = bench.fail("eth_sendRawTransaction", json!([bench.signed(2, 2)]));
    assert_eq!(again.message, "already known");
    send(0);
    assert_eq!(bench.head()["number"], "0x1");
    assert_eq!(bench.head()["transactions"].as_array().unwrap().len(), 3);
    assert_eq!(bench.balance("latest"), "0x3");
    let stale = bench.fail("eth_sendRawTransaction", json!([bench.signed(2, 2)]));
    assert!(
        stale.message.starts_with("nonce too low"),
        "{}",
        stale.message
    );
}

#[test]
fn a_waiting_transaction_that_cannot_be_paid_is_dropped_alone() {
    let bench = Bench::new(None);
    bench.ask("eth_sendRawTransaction", json!([bench.signed(1, u64::MAX)]));
    let hash = bench.ask("eth_sendRawTransaction", json!([bench.signed(0, 1)]));
    assert_eq!(
        bench.ask("eth_getTransactionReceipt", json!([hash]))["status"],
        "0x1"
    );
    bench.ask("eth_sendRawTransaction", json!([bench.signed(1, 1)]));
    assert_eq!(bench.balance("latest"), "0x2");
}

#[test]
fn refusals_use_the_words_libraries_look_for() {
    let bench = Bench::new(None);
    let error = bench.fail("eth_sendRawTransaction", json!([bench.signed(0, u64::MAX)]));
    assert!(
        error.message.starts_with("insufficient funds"),
        "{}",
        error.message
    );
    assert_eq!(bench.ask("eth_blockNumber", json!([])), "0x0");
    assert_eq!(bench.fail("eth_fillTransaction", json!([])).code, -32601);
    assert_eq!(bench.fail("eth_getBalance", json!([])).code, -32602);
    assert_eq!(bench.fail("eth_getBalance", json!(["0x12"])).code, -32602);
    assert_eq!(
        bench.fail("eth_sendRawTransaction", json!(["0x1234"])).code,
        -32602
    );
    let stranger = json!([{ "from": BOB, "to": BOB }]);
    assert_eq!(bench.fail("eth_sendTransaction", stranger).code, -32000);
}

#[test]
fn estimates_suffice_unmodified() {
    let bench = Bench::new(None);
    let contract = bench.deploy();
    // Fresh slot, used slot, slot cleared with a refund, nothing changed.
    for value in [5, 6, 0, 0] {
        let hash = bench.store(contract, value);
        let receipt = bench.ask("eth_getTransactionReceipt", json!([hash]));
        assert_eq!(receipt["status"], "0x1", "storing {value}");
    }
    // Calls the contract with all but a 64th of the gas and fails if that fails.
    let caller = format!(
        "0x6000356000526000600060206000600073{}5af11560\
         2c57005b600080fd",
        alloy::primitives::hex::encode(contract)
    );
    let init = format!("0x603180600b6000396000f3{}", &caller[2..]);
    let request = json!({ "from": bench.alice.address(), "data": init });
    let hash = bench.ask("eth_sendTransaction", json!([request]));
    let receipt = bench.ask("eth_getTransactionReceipt", json!([hash]));
    let caller = serde_json::from_value(receipt["contractAddress"].clone()).unwrap();
    let receipt = bench.store(caller, 9);
    let receipt = bench.ask("eth_getTransactionReceipt", json!([receipt]));
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(bench.stored(contract, "latest"), U256::from(9));
    let call = json!([{ "to": caller, "data": word(13) }]);
    assert_eq!(bench.fail("eth_estimateGas", call).code, 3);
}

#[test]
fn recent_history_can_be_asked_and_old_history_says_so() {
    let bench = Bench::new(None);
    let contract = bench.deploy();
    bench.store(contract, 7);
    bench.store(contract, 8);
    bench.pay(5);
    assert_eq!(bench.stored(contract, "0x2"), U256::from(7));
    assert_eq!(bench.stored(contract, "0x3"), U256::from(8));
    assert_eq!(
        (bench.balance("0x3"), bench.balance("0x4")),
        (json!("0x0"), json!("0x5"))
    );
    assert_eq!(bench.ask("eth_getCode", json!([contract, "0x0"])), "0x");
    let nonce = json!([bench.alice.address(), { "blockNumber": "0x2" }]);
    assert_eq!(bench.ask("eth_getTransactionCount", nonce), "0x2");
    assert!(
        bench
            .fail("eth_getBalance", json!([BOB, "0x99"]))
            .message
            .contains("not found")
    );
    bench.ask("anvil_mine", json!([crate::HISTORY_BLOCKS_MAX]));
    assert_eq!(bench.balance("0x4"), "0x5");
    assert!(
        bench
            .fail("eth_getBalance", json!([BOB, "0x3"]))
            .message
            .contains("missing state")
    );
}

#[test]
fn snapshots_bring_everything_back() {
    let bench = Bench::new(None);
    bench.pay(1);
    let head = bench.head();
    let id = bench.ask("evm_snapshot", json!([]));
    let hash = bench.pay(1);
    bench.ask("anvil_setBalance", json!([BOB, "0x1000"]));
    bench.ask("evm_increaseTime", json!([100]));
    assert_eq!(bench.ask("evm_revert", json!([id])), true);
    assert_eq!(
        (bench.head(), bench.balance("latest")),
        (head, json!("0x1"))
    );
    assert_eq!(
        bench.ask("eth_getTransactionByHash", json!([hash])),
        Value::Null
    );
    assert_eq!(bench.node.time(), START);
    assert_eq!(bench.ask("evm_revert", json!([id])), false);
    bench.pay(1);
    assert_eq!(bench.balance("latest"), "0x2");
}

#[test]
fn time_follows_the_clock_and_never_goes_back() {
    let bench = Bench::new(None);
    let mine = |params: Value| {
        bench.ask("evm_mine", params);
        let hex = bench.head()["timestamp"].as_str().unwrap()[2..].to_owned();
        u64::from_str_radix(&hex, 16).unwrap() - START
    };
    assert_eq!(
        (mine(json!([])), mine(json!([]))),
        (0, 0),
        "blocks may share a second"
    );
    bench.clock.set(START + 10);
    assert_eq!(mine(json!([])), 10);
    bench.clock.set(START + 5);
    assert_eq!(
        mine(json!([])),
        10,
        "a clock set back does not take the chain along"
    );
    assert_eq!(bench.ask("evm_increaseTime", json!([100])), 100);
    assert_eq!(bench.node.time(), START + 105);
    assert_eq!(mine(json!([])), 105);
    bench.ask("evm_setNextBlockTimestamp", json!([START + 500]));
    bench.clock.set(START + 6);
    assert_eq!((mine(json!([])), mine(json!([]))), (500, 501));
    assert_eq!(mine(json!([START + 600])), 600);
    assert_eq!(
        bench.fail("evm_setNextBlockTimestamp", json!([START])).code,
        -32602
    );
}

#[test]
fn calls_see_the_block_that_would_be_mined_now() {
    let bench = Bench::new(None);
    bench.pay(1);
    bench.clock.set(START + 77);
    // Deploys nothing: the init code returns TIMESTAMP as a word.
    let now = json!([{ "data": "0x4260005260206000f3" }, "latest"]);
    assert_eq!(bench.ask("eth_call", now), word(START + 77));
    let then = json!([{ "data": "0x4260005260206000f3" }, "0x0"]);
    assert_eq!(bench.ask("eth_call", then), word(START));
}

#[test]
fn logs_are_selected_by_block_address_and_topic() {
    let bench = Bench::new(None);
    let (one, two) = (bench.deploy(), bench.deploy());
    for value in [1, 2, 3] {
        bench.store(one, value);
        bench.store(two, value);
    }
    let count = |filter: Value| {
        bench
            .ask("eth_getLogs", json!([filter]))
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count(json!({ "fromBlock": "earliest" })), 6);
    assert_eq!(count(json!({ "fromBlock": "0x3", "toBlock": "0x5" })), 3);
    assert_eq!(count(json!({})), 1, "the default is the latest block");
    assert_eq!(count(json!({ "fromBlock": "0x0", "address": one })), 3);
    assert_eq!(
        count(json!({ "fromBlock": "0x0", "address": [one, two] })),
        6
    );
    assert_eq!(
        count(json!({ "fromBlock": "0x0", "topics": [[word(1), word(3)]] })),
        4
    );
    assert_eq!(count(json!({ "fromBlock": "0x0", "topics": [null] })), 6);
    assert_eq!(
        count(json!({ "fromBlock": "0x0", "topics": [null, word(1)] })),
        0
    );
    assert_eq!(
        count(json!({ "fromBlock": "0x0", "address": two, "topics": [word(2)] })),
        1
    );
    let hash = bench.ask("eth_getBlockByNumber", json!(["0x4", false]))["hash"].clone();
    assert_eq!(count(json!({ "blockHash": hash })), 1);
    assert_eq!(count(json!({ "fromBlock": "0x99" })), 0);
    let backwards = json!([{ "fromBlock": "0x3", "toBlock": "0x2" }]);
    assert_eq!(bench.fail("eth_getLogs", backwards).code, -32602);
}

#[test]
fn too_many_logs_are_refused_not_cut() {
    let bench = Bench::new(None);
    // Emits as many empty logs as its calldata says.
    let looping = "0x601780600b6000396000f36000355b8015601557\
        60006000a06001900360035\
        65b00";
    let request = json!({ "from": bench.alice.address(), "data": looping });
    let hash = bench.ask("eth_sendTransaction", json!([request]));
    let receipt = bench.ask("eth_getTransactionReceipt", json!([hash]));
    let contract = serde_json::from_value(receipt["contractAddress"].clone()).unwrap();
    bench.store(contract, crate::LOGS_RESULTS_MAX as u64);
    bench.store(contract, 1);
    let logs = bench.ask(
        "eth_getLogs",
        json!([{ "fromBlock": "0x2", "toBlock": "0x2" }]),
    );
    assert_eq!(logs.as_array().unwrap().len(), crate::LOGS_RESULTS_MAX);
    let error = bench.fail("eth_getLogs", json!([{ "fromBlock": "0x2" }]));
    assert_eq!(error.code, -32005);
}

#[test]
fn small_questions() {
    let bench = Bench::new(None);
    let hash = "0x1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8";
    assert_eq!(bench.ask("web3_sha3", json!(["0x68656c6c6f"])), hash);
    assert_eq!(bench.ask("eth_chainId", json!([])), "0xffff");
    assert_eq!(bench.ask("net_version", Value::Null), "65535");
    assert_eq!(bench.ask("eth_syncing", json!([])), false);
    assert_eq!(
        bench.ask("eth_accounts", json!([])),
        json!([bench.alice.address()])
    );
    assert_eq!(bench.ask("eth_gasPrice", json!([])), "0x0");
    assert_eq!(bench.head()["baseFeePerGas"], "0x0");
    bench.pay(1);
    let fees = bench.ask("eth_feeHistory", json!(["0x5", "latest", [10.0, 50.0]]));
    assert_eq!(fees["oldestBlock"], "0x0");
    assert_eq!(fees["baseFeePerGas"], json!(["0x0", "0x0", "0x0"]));
    assert_eq!(fees["reward"], json!([["0x0", "0x0"], ["0x0", "0x0"]]));
}

#[test]
fn filters_report_what_is_new() {
    let bench = Bench::new(None);
    let contract = bench.deploy();
    let blocks = bench.ask("eth_newBlockFilter", json!([]));
    let logs = bench.ask(
        "eth_newFilter",
        json!([{ "fromBlock": "0x0", "topics": [word(2)] }]),
    );
    bench.store(contract, 1);
    bench.store(contract, 2);
    let changes = |id: &Value| {
        bench
            .ask("eth_getFilterChanges", json!([id]))
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((changes(&blocks), changes(&logs)), (2, 1));
    assert_eq!((changes(&blocks), changes(&logs)), (0, 0));
    assert_eq!(
        bench
            .ask("eth_getFilterLogs", json!([logs]))
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(bench.ask("eth_uninstallFilter", json!([logs])), true);
    assert_eq!(bench.ask("eth_uninstallFilter", json!([logs])), false);
    assert_eq!(
        bench.fail("eth_getFilterChanges", json!([logs])).message,
        "filter not found"
    );
}

#[test]
fn idle_filters_make_room() {
    let bench = Bench::new(None);
    for _ in 0..crate::FILTERS_MAX {
        bench.ask("eth_newBlockFilter", json!([]));
    }
    assert_eq!(bench.fail("eth_newBlockFilter", json!([])).code, -32005);
    bench.clock.set(START + crate::FILTER_IDLE_SECONDS);
    bench.ask("eth_newBlockFilter", json!([]));
}

mod develop;
mod fuzz;
mod restart;
