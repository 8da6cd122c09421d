//! Real clients over real sockets.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::sync::Arc;

use alloy::network::{EthereumWallet, TransactionBuilder};
use alloy::primitives::{Address, B256, U256, address, hex};
use alloy::providers::{Provider, ProviderBuilder, WsConnect};
use alloy::rpc::types::{Filter, TransactionRequest};
use alloy::signers::local::PrivateKeySigner;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use axum::routing::get;
use devchain::{Config, ManualClock, Node};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message};
use tower::ServiceExt;

const BOB: Address = address!("0x00000000000000000000000000000000000000b0");
/// Logs its first word of calldata as a topic, without data.
const LOGGER: [u8; 20] = hex!("600980600b6000396000f360003560006000a100");

fn alice() -> PrivateKeySigner {
    PrivateKeySigner::from_slice(&[1; 32]).unwrap()
}

fn node() -> Node {
    Node::open(Config {
        alloc: vec![(alice().address(), U256::from(10).pow(U256::from(20)))],
        unlocked: vec![alice()],
        clock: Arc::new(ManualClock::at(1_000_000)),
        ..Config::default()
    })
    .unwrap()
}

/// Serves the node on a free port and returns `127.0.0.1:port`.
async fn serve(node: &Node) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = node.router();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address.to_string()
}

fn payment() -> TransactionRequest {
    TransactionRequest::default()
        .with_to(BOB)
        .with_value(U256::from(5))
}

#[tokio::test]
async fn alloy_over_http() {
    // Only one test needs it, and a second installation would fail.
    rustls::crypto::ring::default_provider()
        .install_default()
        .unwrap();
    let node = node();
    let url = format!("http://{}", serve(&node).await).parse().unwrap();
    let provider = ProviderBuilder::new()
        .wallet(EthereumWallet::from(alice()))
        .connect_http(url);
    let first = provider
        .send_transaction(payment())
        .await
        .unwrap()
        .get_receipt()
        .await
        .unwrap();
    let second = provider
        .send_transaction(payment())
        .await
        .unwrap()
        .get_receipt()
        .await
        .unwrap();
    assert!(first.status() && second.status());
    assert_eq!(second.block_number, Some(2));
    assert_eq!(provider.get_balance(BOB).await.unwrap(), U256::from(10));
    let block = provider.get_block(2.into()).full().await.unwrap().unwrap();
    assert_eq!(
        block.transactions.hashes().next(),
        Some(second.transaction_hash)
    );
}

#[tokio::test]
async fn alloy_over_websocket_hears_of_blocks_that_can_be_asked_for() {
    let node = node();
    let url = WsConnect::new(format!("ws://{}", serve(&node).await));
    let wallet = EthereumWallet::from(alice());
    let provider = ProviderBuilder::new()
        .wallet(wallet)
        .connect_ws(url)
        .await
        .unwrap();
    let deploy = TransactionRequest::default().with_deploy_code(LOGGER);
    let receipt = provider
        .send_transaction(deploy)
        .await
        .unwrap()
        .get_receipt()
        .await
        .unwrap();
    let contract = receipt.contract_address.unwrap();

    let topic = B256::from(U256::from(7));
    let filter = Filter::new().address(contract).event_signature(topic);
    let mut logs = provider.subscribe_logs(&filter).await.unwrap();
    let mut heads = provider.subscribe_blocks().await.unwrap();
    for word in [6, 7] {
        let input = B256::from(U256::from(word));
        let call = TransactionRequest::default()
            .with_to(contract)
            .with_input(input);
        drop(provider.send_transaction(call).await.unwrap());
    }
    let log = logs.recv().await.unwrap();
    assert_eq!((log.topics(), log.block_number), (&[topic][..], Some(3)));
    let hash = log.transaction_hash.unwrap();
    assert!(
        provider
            .get_transaction_receipt(hash)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(heads.recv().await.unwrap().number, 2);
    assert_eq!(heads.recv().await.unwrap().number, 3);
}

#[tokio::test]
async fn a_subscriber_that_falls_behind_is_cut_off() {
    let node = node();
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{}/", serve(&node).await))
        .await
        .unwrap();
    let subscribe = r#"{"id":1,"method":"eth_subscribe","params":["newHeads"]}"#;
    socket.send(Message::text(subscribe)).await.unwrap();
    let answer = text(&mut socket).await.unwrap();
    assert_eq!(answer["result"], "0x1");
    node.request("evm_mine", json!([])).unwrap();
    assert_eq!(
        text(&mut socket).await.unwrap()["params"]["result"]["number"],
        "0x1"
    );
    // This test has one thread: the subscriber gets no turn until all of these are mined.
    let blocks = 3 * devchain::SUBSCRIBER_LAG_BLOCKS_MAX;
    node.request("anvil_mine", json!([blocks])).unwrap();
    assert_eq!(text(&mut socket).await, None);
}

#[tokio::test]
async fn subscriptions_end_when_asked_and_when_the_node_closes() {
    let node = node();
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{}/", serve(&node).await))
        .await
        .unwrap();
    let batch = r#"[{"id":1,"method":"eth_subscribe","params":["newHeads"]},
        {"id":2,"method":"eth_unsubscribe","params":["0x1"]},
        {"id":3,"method":"eth_subscribe","params":["logs",{}]},
        {"id":4,"method":"eth_subscribe","params":["noSuchTopic"]}]"#;
    socket.send(Message::text(batch)).await.unwrap();
    let answer = text(&mut socket).await.unwrap();
    assert_eq!(answer[1]["result"], true);
    assert_eq!(answer[2]["result"], "0x2");
    assert_eq!(answer[3]["error"]["code"], -32602);
    node.request("evm_mine", json!([])).unwrap();
    node.close().unwrap();
    assert_eq!(
        text(&mut socket).await,
        None,
        "no head was announced, the socket is closed"
    );
}

/// The next text message; `None` when the socket is closed.
async fn text(
    socket: &mut (impl StreamExt<Item = Result<Message, tungstenite::Error>> + Unpin),
) -> Option<Value> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return None,
        }
    }
}

async fn post(router: Router, body: Value, headers: &[(&str, &str)]) -> (Value, u64) {
    let mut request = Request::post("/").header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let start = tokio::time::Instant::now();
    let request = request.body(Body::from(body.to_string())).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let held = start.elapsed().as_millis() as u64;
    assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    (serde_json::from_slice(&body).unwrap(), held)
}

/// Time is simulated: it stands still except for the hold itself.
#[tokio::test(start_paused = true)]
async fn only_the_answer_to_a_sent_transaction_is_held() {
    let router = node().router();
    let payment = payment().from(alice().address());
    let send = json!({ "id": 1, "method": "eth_sendTransaction", "params": [payment] });
    let read = json!({ "id": 2, "method": "eth_blockNumber" });
    let managed = (devchain::NONCE_HEADER, "managed");
    let (answer, held) = post(router.clone(), send.clone(), &[]).await;
    assert!(answer["result"].is_string(), "{answer}");
    assert!(
        (devchain::SEND_HOLD_MS..2 * devchain::SEND_HOLD_MS).contains(&held),
        "{held}"
    );
    let (_, held) = post(router.clone(), send.clone(), &[managed]).await;
    assert_eq!(held, 0);
    let (answer, held) = post(router.clone(), json!([send, send, read]), &[]).await;
    assert_eq!(answer[2]["result"], "0x4", "mined at once, answered later");
    assert!(
        held < 2 * devchain::SEND_HOLD_MS,
        "a batch is held once, not {held} ms"
    );
    let (_, held) = post(router, read, &[]).await;
    assert_eq!(held, 0);
}

#[tokio::test]
async fn one_origin_serves_the_chain_and_a_page() {
    let page = Router::new()
        .route("/", get(async || "home"))
        .route("/x", get(async || "x"));
    let router = devchain::rpc_router(node(), page);
    let text = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let body = router.clone().oneshot(request).await.unwrap().into_body();
        String::from_utf8(axum::body::to_bytes(body, usize::MAX).await.unwrap().into()).unwrap()
    };
    assert_eq!(text("/").await, "home");
    assert_eq!(text("/x").await, "x");
    let (answer, _) = post(
        router.clone(),
        json!({ "id": 1, "method": "eth_chainId" }),
        &[],
    )
    .await;
    assert_eq!(answer["result"], "0xffff");
    let preflight = Request::options("/").body(Body::empty()).unwrap();
    assert!(
        router
            .clone()
            .oneshot(preflight)
            .await
            .unwrap()
            .status()
            .is_success()
    );
    let long = Body::from(vec![b' '; devchain::BODY_BYTES_MAX + 1]);
    let long = router
        .oneshot(Request::post("/").body(long).unwrap())
        .await
        .unwrap();
    assert_eq!(long.status(), 413);
}
