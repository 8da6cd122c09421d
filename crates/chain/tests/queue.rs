//! The transaction queue on real nodes that forget, reorganise and are too expensive.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    collections::BTreeSet,
    future::Future,
    time::{Duration, Instant},
};

use alloy::{
    consensus::Transaction as _,
    eips::BlockNumberOrTag,
    network::{EthereumWallet, TransactionBuilder as _},
    primitives::{Address, B256, U256, address},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
    transports::ws::WsConnect,
};
use chain::{Error, Hub, Policy, Receipt, Sender, Wallet};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Of anvil's first account, everywhere the same.
const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/// What is waited for takes a few seconds; a machine that needs this long is stuck.
const ARRIVAL_MAX: Duration = Duration::from_secs(120);
/// Who gets the coins.
const SOMEBODY: Address = address!("0x00000000000000000000000000000000000a11ce");

/// A running anvil, or the end of the test where there is no npm.
macro_rules! anvil {
    () => {{
        tools::need!(tools::anvil_program());
        tools::Anvil::start(&[]).unwrap()
    }};
}

async fn embedded() -> String {
    let config = devchain::Config {
        alloc: vec![(wallet().address(), U256::from(10).pow(U256::from(20)))],
        ..devchain::Config::default()
    };
    let node = devchain::Node::open(config).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let router = node.router();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn wallet() -> Wallet {
    Wallet::from_key(&KEY.parse().unwrap()).unwrap()
}

/// Dearer offers come after a second instead of fifteen.
fn hasty() -> Policy {
    Policy {
        raise_after_s: 1,
        ..Policy::default()
    }
}

/// A chain with a hub.
struct Scene {
    url: String,
    node: DynProvider,
    hub: Hub,
    /// The wallet's transactions before the test.
    before: u64,
}

type Sent = JoinHandle<Result<Receipt, Error>>;

impl Scene {
    async fn new(url: &str) -> Self {
        let signer: PrivateKeySigner = KEY.parse().unwrap();
        let owner = signer.address();
        let node = ProviderBuilder::new()
            .disable_recommended_fillers()
            .wallet(EthereumWallet::from(signer))
            .connect_ws(WsConnect::new(url))
            .await
            .unwrap()
            .erased();
        let options = contracts::Options::default();
        let hub = contracts::deploy(&node, owner, &options).await.unwrap().hub;
        let before = node.get_transaction_count(owner).await.unwrap();
        Self {
            url: url.to_owned(),
            hub: Hub::connect(url, hub).await.unwrap(),
            node,
            before,
        }
    }

    /// Somebody else's view of the same hub.
    async fn again(&self) -> Hub {
        let hub = Hub::connect(&self.url, self.hub.address());
        hub.await.unwrap()
    }

    async fn rpc(&self, method: &'static str, params: Value) -> Value {
        self.node.raw_request(method.into(), params).await.unwrap()
    }

    async fn automine(&self, is_on: bool) {
        self.rpc("evm_setAutomine", json!([is_on])).await;
    }

    async fn mine(&self) {
        self.rpc("evm_mine", json!([])).await;
    }

    async fn sent(&self) -> u64 {
        let count = self.node.get_transaction_count(wallet().address());
        count.await.unwrap() - self.before
    }

    async fn got(&self, who: Address) -> U256 {
        self.node.get_balance(who).await.unwrap()
    }

    /// Hashes and highest prices of what waits, by nonce.
    async fn waiting(&self) -> Vec<(B256, u128)> {
        let content = self.rpc("txpool_content", json!([])).await;
        let ours = wallet().address().to_checksum(None);
        let of = content["pending"].as_object().unwrap();
        let of = of.iter().find(|(who, _)| who.eq_ignore_ascii_case(&ours));
        let Some(of) = of.and_then(|(_, of)| of.as_object()) else {
            return Vec::new();
        };
        let read = |tx: &Value| {
            let price = tx["maxFeePerGas"].as_str().or(tx["gasPrice"].as_str());
            let price = price.unwrap().trim_start_matches("0x");
            let hash = tx["hash"].as_str().unwrap().parse().unwrap();
            (hash, u128::from_str_radix(price, 16).unwrap())
        };
        of.values().map(read).collect()
    }

    /// The only transaction that waits, when there is one.
    async fn waits(&self) -> (B256, u128) {
        until(|| async { self.waiting().await.first().copied() }).await
    }

    async fn is_mined(&self, tx: B256) -> bool {
        let receipt = self.node.get_transaction_receipt(tx).await.unwrap();
        receipt.is_some_and(|receipt| receipt.status())
    }
}

/// Asks until there is an answer.
async fn until<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < ARRIVAL_MAX, "it never comes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn pay(sender: &Sender, to: Address, wei: u64) -> Result<Receipt, Error> {
    let wei = U256::from(wei);
    sender.send("transfer", to, Vec::new(), wei).await
}

fn spawn_pay(sender: &Sender, to: Address, wei: u64) -> Sent {
    let sender = sender.clone();
    tokio::spawn(async move { pay(&sender, to, wei).await })
}

fn somebody(number: u64) -> Address {
    Address::left_padding_from(&(0xa11_ce00_0000 + number).to_be_bytes())
}

/// All arrive, once each, with nonces that follow each other.
async fn two_hundred_at_once(scene: &Scene) {
    let sender = Sender::new(&scene.hub, wallet(), Policy::default());
    let sent = (0..200).map(|number| pay(&sender, somebody(number), 1 + number));
    let mut nonces = BTreeSet::new();
    for receipt in join_all(sent).await {
        let tx = scene
            .node
            .get_transaction_by_hash(receipt.unwrap().tx)
            .await;
        nonces.insert(tx.unwrap().unwrap().nonce() - scene.before);
    }
    assert_eq!(nonces, (0..200).collect());
    for number in 0..200 {
        assert_eq!(scene.got(somebody(number)).await, U256::from(1 + number));
    }
}

#[tokio::test]
async fn two_hundred_at_once_leave_no_gap_on_the_embedded_chain() {
    two_hundred_at_once(&Scene::new(&embedded().await).await).await;
}

#[tokio::test]
async fn two_hundred_at_once_leave_no_gap_on_anvil() {
    let anvil = anvil!();
    two_hundred_at_once(&Scene::new(&anvil.ws_url()).await).await;
}

#[tokio::test]
async fn what_is_too_cheap_is_made_dearer_and_mined_once() {
    let anvil = anvil!();
    let scene = Scene::new(&anvil.ws_url()).await;
    let sender = Sender::new(&scene.hub, wallet(), hasty());
    scene.automine(false).await;
    let sent = spawn_pay(&sender, SOMEBODY, 7);
    let (first, offered) = scene.waits().await;
    let base_fee = format!("{:#x}", offered * 2);
    until(|| async {
        let params = json!([base_fee]);
        scene.rpc("anvil_setNextBlockBaseFeePerGas", params).await;
        scene.mine().await;
        sent.is_finished().then_some(())
    })
    .await;
    let receipt = sent.await.unwrap().unwrap();
    assert_ne!(receipt.tx, first);
    let tx = scene.node.get_transaction_by_hash(receipt.tx).await;
    let paid = tx.unwrap().unwrap().max_fee_per_gas();
    assert!(
        (offered * 2..=offered * 5).contains(&paid),
        "{offered} {paid}"
    );
    assert_eq!(scene.got(SOMEBODY).await, U256::from(7));
    assert_eq!(scene.sent().await, 1);
}

#[tokio::test]
async fn what_the_node_drops_is_sent_again() {
    let anvil = anvil!();
    let scene = Scene::new(&anvil.ws_url()).await;
    let sender = Sender::new(&scene.hub, wallet(), Policy::default());
    scene.automine(false).await;
    let sent = [1, 2, 3].map(|number| spawn_pay(&sender, somebody(number), 7));
    let all = until(|| async {
        let waiting = scene.waiting().await;
        (waiting.len() == 3).then_some(waiting)
    });
    let all: Vec<_> = all.await;
    for (hash, _) in &all[..2] {
        scene.rpc("anvil_dropTransaction", json!([hash])).await;
    }
    until(|| async { (scene.waiting().await == all).then_some(()) }).await;
    scene.rpc("anvil_dropAllTransactions", json!([])).await;
    until(|| async { (scene.waiting().await == all).then_some(()) }).await;
    scene.mine().await;
    for sent in sent {
        sent.await.unwrap().unwrap();
    }
    assert_eq!(scene.sent().await, 3);
}

#[tokio::test]
async fn ten_blocks_that_are_taken_back_are_survived() {
    let anvil = anvil!();
    let scene = Scene::new(&anvil.ws_url()).await;
    let sender = Sender::new(&scene.hub, wallet(), Policy::default());
    let mut hashes = Vec::new();
    for number in 0..10 {
        hashes.push(pay(&sender, somebody(number), 5).await.unwrap().tx);
    }
    scene.rpc("anvil_reorg", json!([10, []])).await;
    assert_eq!(scene.sent().await, 0);
    until(|| async { (scene.sent().await == 10).then_some(()) }).await;
    for (hash, number) in hashes.into_iter().zip(0..) {
        assert!(scene.is_mined(hash).await);
        assert_eq!(scene.got(somebody(number)).await, U256::from(5));
    }
    // the queue goes on behind them
    pay(&sender, SOMEBODY, 5).await.unwrap();
    assert_eq!(scene.sent().await, 11);
}

#[tokio::test]
async fn who_waits_for_confirmations_gets_them_on_the_branch_that_wins() {
    let anvil = anvil!();
    let scene = Scene::new(&anvil.ws_url()).await;
    let policy = Policy {
        confirmations: 5,
        ..Policy::default()
    };
    let sender = Sender::new(&scene.hub, wallet(), policy);
    let sent = spawn_pay(&sender, SOMEBODY, 5);
    until(|| async { (scene.sent().await == 1).then_some(()) }).await;
    scene.mine().await;
    // not deeper: the transactions of the deployment are not the queue's to repeat
    scene.rpc("anvil_reorg", json!([2, []])).await;
    until(|| async {
        scene.mine().await;
        sent.is_finished().then_some(())
    })
    .await;
    let receipt = sent.await.unwrap().unwrap();
    assert!(scene.is_mined(receipt.tx).await);
    assert_eq!(scene.got(SOMEBODY).await, U256::from(5));
    assert_eq!(scene.sent().await, 1);
}

#[tokio::test]
async fn another_process_goes_on_with_what_the_journal_knows() {
    let anvil = anvil!();
    let scene = Scene::new(&anvil.ws_url()).await;
    let folder = tempfile::tempdir().unwrap();
    let open = || async {
        let hub = scene.again().await;
        let sender = Sender::open(&hub, wallet(), Policy::default(), folder.path());
        sender.await.unwrap()
    };
    scene.automine(false).await;
    let killed = open().await;
    let sent = spawn_pay(&killed, SOMEBODY, 5);
    let (hash, _) = scene.waits().await;
    sent.abort();
    assert!(sent.await.unwrap_err().is_cancelled());
    drop(killed);
    scene.rpc("anvil_dropAllTransactions", json!([])).await;

    let reopened = open().await;
    assert_eq!(scene.waits().await.0, hash);
    // another intent does not take the nonce, the same one sends nothing
    let other = spawn_pay(&reopened, somebody(1), 6);
    let same = spawn_pay(&reopened, SOMEBODY, 5);
    until(|| async { (scene.waiting().await.len() == 2).then_some(()) }).await;
    scene.automine(true).await;
    scene.mine().await;
    other.await.unwrap().unwrap();
    assert_eq!(same.await.unwrap().unwrap().tx, hash);
    assert_eq!(scene.sent().await, 2);

    // it was answered: whoever pays the same again, pays again
    drop(reopened);
    let receipt = pay(&open().await, SOMEBODY, 5).await.unwrap();
    assert_ne!(receipt.tx, hash);
    assert_eq!(scene.got(SOMEBODY).await, U256::from(10));
    assert_eq!(scene.sent().await, 3);
}

#[tokio::test]
async fn a_call_that_was_given_up_is_found_by_the_next_and_twins_are_two() {
    let anvil = anvil!();
    let scene = Scene::new(&anvil.ws_url()).await;
    let sender = Sender::new(&scene.hub, wallet(), Policy::default());
    scene.automine(false).await;
    let given_up = spawn_pay(&sender, SOMEBODY, 5);
    let (hash, _) = scene.waits().await;
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    let twins = [0, 1].map(|_| spawn_pay(&sender, SOMEBODY, 5));
    until(|| async { (scene.waiting().await.len() == 2).then_some(()) }).await;
    scene.mine().await;
    let mut hashes = BTreeSet::new();
    for twin in twins {
        hashes.insert(twin.await.unwrap().unwrap().tx);
    }
    assert!(hashes.len() == 2 && hashes.contains(&hash));
    assert_eq!(scene.got(SOMEBODY).await, U256::from(10));
}

#[tokio::test]
async fn a_named_intent_is_sent_once_whoever_asks() {
    let scene = Scene::new(&embedded().await).await;
    let sender = Sender::new(&scene.hub, wallet(), Policy::default());
    let name = B256::repeat_byte(1);
    let pay = || sender.send_once(name, "transfer", SOMEBODY, Vec::new(), U256::from(5));
    let hashes = join_all((0..5).map(|_| pay())).await;
    let again = pay().await.unwrap();
    for receipt in hashes {
        assert_eq!(receipt.unwrap().tx, again.tx);
    }
    assert_eq!(scene.got(SOMEBODY).await, U256::from(5));
}

#[tokio::test]
async fn two_queues_of_one_key_get_by() {
    let anvil = anvil!();
    let scene = Scene::new(&anvil.ws_url()).await;
    let (hub, other) = (scene.again().await, scene.again().await);
    let ours = Sender::new(&hub, wallet(), Policy::default());
    let theirs = Sender::new(&other, wallet(), Policy::default());
    for number in 0..20 {
        pay(&ours, somebody(number), 1).await.unwrap();
        pay(&theirs, somebody(number), 2).await.unwrap();
    }
    for number in 0..20 {
        assert_eq!(scene.got(somebody(number)).await, U256::from(3));
    }
    assert_eq!(scene.sent().await, 40);
}

#[tokio::test]
async fn a_nonce_that_somebody_else_used_is_not_waited_for() {
    let anvil = anvil!();
    let scene = Scene::new(&anvil.ws_url()).await;
    let sender = Sender::new(&scene.hub, wallet(), Policy::default());
    scene.automine(false).await;
    let sent = spawn_pay(&sender, SOMEBODY, 5);
    let (hash, offered) = scene.waits().await;
    let theirs = TransactionRequest::default()
        .with_from(wallet().address())
        .with_to(somebody(1))
        .with_value(U256::from(1))
        .with_nonce(scene.before)
        .with_chain_id(scene.hub.chain_id())
        .with_gas_limit(21_000)
        .with_max_fee_per_gas(offered * 3)
        .with_max_priority_fee_per_gas(offered * 3);
    drop(scene.node.send_transaction(theirs).await.unwrap());
    until(|| async {
        scene.mine().await;
        sent.is_finished().then_some(())
    })
    .await;
    assert_ne!(sent.await.unwrap().unwrap().tx, hash);
    assert_eq!(scene.got(SOMEBODY).await, U256::from(5));
    assert_eq!(scene.sent().await, 2);
}

/// Two payments of more than half of what there is, estimated at once: one is refused.
#[tokio::test]
async fn what_the_node_refuses_leaves_its_nonce_to_the_next() {
    let anvil = anvil!();
    let scene = Scene::new(&anvil.ws_url()).await;
    let sender = Sender::new(&scene.hub, wallet(), Policy::default());
    let half = scene.got(wallet().address()).await / U256::from(10) * U256::from(6);
    let large = (1..3).map(|number| sender.send("transfer", somebody(number), Vec::new(), half));
    let large = join_all(large);
    let small = join_all((10..20).map(|number| pay(&sender, somebody(number), 1)));
    let (large, small) = tokio::join!(large, small);
    assert_eq!(large.iter().filter(|sent| sent.is_ok()).count(), 1);
    for sent in small {
        sent.unwrap();
    }
    assert_eq!(scene.sent().await, 11);
    let pending = scene.node.get_transaction_count(wallet().address());
    let pending = pending
        .block_id(BlockNumberOrTag::Pending.into())
        .await
        .unwrap();
    assert_eq!(pending, scene.before + 11);
}

/// A node that hears each transaction twice; the second answer is the one that arrives.
async fn twice(ws: &str) -> String {
    let url = ws.replacen("ws", "http", 1);
    let hear = move |axum::Json(said): axum::Json<Value>| {
        let url = url.clone();
        async move {
            let http = reqwest::Client::new();
            let is_sent = said["method"] == "eth_sendRawTransaction";
            if is_sent {
                http.post(&url).json(&said).send().await.unwrap();
            }
            let answer = http.post(&url).json(&said).send().await.unwrap();
            axum::Json(answer.json::<Value>().await.unwrap())
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/", axum::routing::post(hear));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// As after a lost connection: it was mined, and then its nonce is said to be used.
#[tokio::test]
async fn what_a_node_hears_twice_is_paid_once() {
    let scene = Scene::new(&embedded().await).await;
    let url = twice(&scene.url).await;
    let hub = Hub::connect(&url, scene.hub.address()).await.unwrap();
    let sender = Sender::new(&hub, wallet(), Policy::default());
    for _ in 0..2 {
        pay(&sender, SOMEBODY, 7).await.unwrap();
    }
    assert_eq!(scene.sent().await, 2);
    assert_eq!(scene.got(SOMEBODY).await, U256::from(14));
}
