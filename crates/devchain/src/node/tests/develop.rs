//! What test suites do to a node, as far as a client of another node could not see it.

use super::*;
use std::time::Duration;

#[test]
fn a_node_started_again_mines_at_once_and_impersonates_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::new(Some(dir.path()));
    bench.ask("evm_setAutomine", json!([false]));
    bench.ask("anvil_impersonateAccount", json!([BOB]));
    let lost = bench.pay(1);
    drop(bench);
    let bench = Bench::new(Some(dir.path()));
    assert_eq!(bench.ask("anvil_getAutomine", json!([])), true);
    let lost = bench.ask("eth_getTransactionByHash", json!([lost]));
    assert_eq!(lost, Value::Null);
    let stranger = json!([{ "from": BOB, "to": BOB, "gas": "0x5208" }]);
    assert_eq!(bench.fail("eth_sendTransaction", stranger).code, -32000);
    bench.pay(2);
    assert_eq!(bench.balance("latest"), "0x2");
}

#[test]
fn an_impersonated_sender_survives_a_restart_as_the_sender() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::new(Some(dir.path()));
    let request = json!([{ "from": BOB, "to": BOB, "gas": "0x5208" }]);
    let hash = bench.ask("eth_sendUnsignedTransaction", request);
    let before = bench.ask("eth_getTransactionByHash", json!([hash]));
    assert_eq!(before["from"], json!(BOB));
    drop(bench);
    let bench = Bench::new(Some(dir.path()));
    let after = bench.ask("eth_getTransactionByHash", json!([hash]));
    assert_eq!(after, before);
}

#[test]
fn what_waits_is_mined_in_as_many_blocks_as_it_needs() {
    let bench = Bench::new(None);
    bench.ask("evm_setAutomine", json!([false]));
    let large = json!([{ "from": bench.alice.address(), "to": BOB, "gas": "0x3938700" }]);
    for _ in 0..3 {
        bench.ask("eth_sendTransaction", large.clone());
    }
    bench.ask("evm_mine", json!([]));
    assert_eq!(bench.head()["transactions"].as_array().unwrap().len(), 1);
    bench.ask("evm_setAutomine", json!([true]));
    assert_eq!(bench.head()["number"], "0x3", "the rest is not left behind");
    assert_eq!(bench.ask("txpool_status", json!([]))["pending"], "0x0");
}

#[test]
fn a_reorganisation_is_told_to_whoever_listens() {
    let bench = Bench::new(None);
    bench.ask("anvil_mine", json!([3]));
    let mut notices = bench.node.notices();
    bench.ask("anvil_reorg", json!([2, []]));
    let mut numbers = Vec::new();
    while let Ok(notice) = notices.try_recv() {
        if let What::Block { header, .. } = &notice.what {
            numbers.push(header.number);
        }
    }
    assert_eq!(numbers, [2, 3]);
}

#[test]
fn a_reorganisation_that_must_be_refused_gives_nothing_up() {
    let bench = Bench::new(None);
    bench.ask("anvil_mine", json!([3]));
    let before = bench.node.read().chain.fingerprint();
    let stranger = json!({ "from": BOB, "to": BOB });
    for (depth, brought) in [
        (2, json!([["0x1234", 0]])),
        (2, json!([[stranger, 0]])),
        (2, json!([["0x", 2]])),
        (4, json!([])),
    ] {
        bench.fail("anvil_reorg", json!([depth, brought]));
        assert_eq!(bench.node.read().chain.fingerprint(), before);
    }
}

#[test]
fn a_snapshot_of_blocks_given_up_is_gone() {
    let bench = Bench::new(None);
    let early = bench.ask("evm_snapshot", json!([]));
    bench.pay(1);
    let late = bench.ask("evm_snapshot", json!([]));
    bench.ask("anvil_rollback", json!([1]));
    assert_eq!(bench.ask("evm_revert", json!([late])), false);
    assert_eq!(bench.ask("evm_revert", json!([early])), true);
}

#[test]
fn a_reset_begins_again_with_the_same_balances() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::new(Some(dir.path()));
    let account = json!([bench.alice.address(), "latest"]);
    let before = bench.ask("eth_getBalance", account.clone());
    bench.pay(5);
    bench.ask("anvil_reset", json!([]));
    let check = |bench: &Bench| {
        assert_eq!(bench.head()["number"], "0x0");
        assert_eq!(bench.balance("latest"), "0x0");
        assert_eq!(bench.ask("eth_getBalance", account.clone()), before);
    };
    check(&bench);
    drop(bench);
    check(&Bench::new(Some(dir.path())));
}

#[test]
fn bounds_are_kept() {
    let bench = Bench::new(None);
    let refused = [
        ("anvil_mine", json!([1_000_000])),
        ("anvil_reorg", json!([1_000_000, []])),
        ("evm_setBlockGasLimit", json!([u64::MAX])),
        ("evm_setBlockGasLimit", json!([0])),
        ("evm_setNextBlockTimestamp", json!([u64::MAX])),
        ("evm_mine", json!([u64::MAX])),
        ("evm_increaseTime", json!([i64::MAX])),
        ("evm_setTime", json!([u64::MAX])),
        ("anvil_mine", json!([10_000, u32::MAX])),
        ("anvil_setBlockTimestampInterval", json!([u64::MAX])),
        (
            "anvil_setCode",
            json!([BOB, format!("0x{}", "00".repeat(50_000))]),
        ),
    ];
    let before = bench.node.read().chain.fingerprint();
    for (method, params) in refused {
        bench.fail(method, params);
        assert_eq!(bench.node.read().chain.fingerprint(), before, "{method}");
    }
    let topics: Vec<_> = (0..=crate::FILTER_TERMS_MAX as u64).map(word).collect();
    let filter = json!([{ "topics": [topics] }]);
    assert_eq!(bench.fail("eth_newFilter", filter.clone()).code, -32602);
    assert_eq!(bench.fail("eth_getLogs", filter).code, -32602);
}

#[test]
fn impersonations_are_bounded() {
    let bench = Bench::new(None);
    let account = |number: usize| Address::left_padding_from(&number.to_be_bytes());
    for number in 1..=crate::IMPERSONATED_MAX {
        bench.ask("anvil_impersonateAccount", json!([account(number)]));
    }
    let more = json!([account(crate::IMPERSONATED_MAX + 1)]);
    assert_eq!(bench.fail("anvil_impersonateAccount", more).code, -32005);
    bench.ask("anvil_impersonateAccount", json!([account(1)]));
}

#[test]
fn a_filter_polled_too_rarely_misses_the_oldest_arrivals() {
    let bench = Bench::new(None);
    let id = bench.ask("eth_newPendingTransactionFilter", json!([]));
    let hashes: Vec<_> = (0..crate::ARRIVALS_MAX + 3)
        .map(|number| B256::from(U256::from(number)))
        .collect();
    for hash in &hashes {
        bench.node.filters().note_arrival(*hash);
    }
    let told = bench.ask("eth_getFilterChanges", json!([id]));
    assert_eq!(told, json!(hashes[3..]));
    assert_eq!(bench.ask("eth_getFilterChanges", json!([id])), json!([]));
}

#[tokio::test(start_paused = true)]
async fn blocks_come_by_the_clock_until_the_node_is_gone() {
    let bench = Bench::new(None);
    bench.ask("evm_setIntervalMining", json!([10]));
    let hash = bench.pay(1);
    assert_eq!(
        bench.ask("eth_getTransactionReceipt", json!([hash])),
        Value::Null
    );
    let mut notices = bench.node.notices();
    let notice = notices.recv().await.unwrap();
    assert!(matches!(&notice.what, What::Block { header, .. } if header.number == 1));
    assert_eq!(bench.balance("latest"), "0x1");
    bench.ask("evm_setIntervalMining", json!([0]));
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(notices.try_recv().is_err(), "nothing is mined any more");
    bench.ask("evm_setIntervalMining", json!([10]));
    let shared = Arc::downgrade(&bench.node.0);
    drop(bench);
    assert!(shared.upgrade().is_none(), "the timer keeps no node alive");
}

#[test]
fn without_a_runtime_there_is_no_clock_to_mine_by() {
    let bench = Bench::new(None);
    assert_eq!(bench.fail("evm_setIntervalMining", json!([1])).code, -32000);
    bench.pay(1);
    assert_eq!(bench.balance("latest"), "0x1");
}
