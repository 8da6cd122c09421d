//! Whatever is sent to the node, it answers as JSON-RPC or HTTP say, and nothing changes but by a
//! request that was granted.

use super::*;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;
use tower::ServiceExt as _;

/// Mutated requests per transport.
const ROUNDS: u64 = 1_500;
/// Rounds after which a new node takes over, so that every state is near the beginning.
const ROUNDS_PER_NODE: u64 = 250;
/// An answer that takes longer than this is a hang.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Random numbers from a seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        number as usize % sides.max(1)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())].clone()
    }
}

/// Methods that change the chain when they are granted.
const CHANGING: [&str; 26] = [
    "eth_sendTransaction",
    "eth_sendRawTransaction",
    "eth_sendUnsignedTransaction",
    "mine",
    "snapshot",
    "revert",
    "rollback",
    "reorg",
    "reset",
    "setAutomine",
    "setIntervalMining",
    "setCoinbase",
    "setBlockGasLimit",
    "setNextBlockBaseFeePerGas",
    "setPrevRandao",
    "increaseTime",
    "setTime",
    "setNextBlockTimestamp",
    "setBlockTimestampInterval",
    "removeBlockTimestampInterval",
    "setBalance",
    "addBalance",
    "setCode",
    "setNonce",
    "setStorageAt",
    "dropAllTransactions",
];

fn may_change(method: &str) -> bool {
    let word = method.split_once('_').map_or(method, |(_, word)| word);
    CHANGING.contains(&method) || CHANGING.contains(&word)
}

/// A method and parameters it takes.
type Sample = (&'static str, Value);

/// Requests that only look.
fn questions(bench: &Bench) -> Vec<Sample> {
    let alice = bench.alice.address();
    let hash = B256::repeat_byte(7);
    let call = json!({ "from": alice, "to": BOB, "data": "0x1234", "value": "0x1" });
    let code = json!({ "from": alice, "data": format!("0x{STORE}") });
    let spin = json!({ "data": "0x5b600056" });
    let state =
        json!({ BOB.to_string(): { "code": "0x60006000fd", "stateDiff": { word(1): word(2) } } });
    let typed = json!({ "types": { "EIP712Domain": [], "A": [{ "name": "b", "type": "A[]" }] },
        "primaryType": "A", "domain": {}, "message": { "b": [] } });
    vec![
        ("eth_chainId", json!([])),
        ("eth_getBalance", json!([alice, "latest"])),
        ("eth_getTransactionCount", json!([alice, "pending"])),
        ("eth_getCode", json!([BOB, { "blockHash": hash }])),
        ("eth_getStorageAt", json!([BOB, "0x1", "earliest"])),
        ("eth_getBlockByNumber", json!(["pending", true])),
        ("eth_getBlockByHash", json!([hash, false])),
        ("eth_getBlockReceipts", json!(["latest"])),
        ("eth_feeHistory", json!(["0x4", "latest", [1.0, 50.0]])),
        ("eth_getTransactionByHash", json!([hash])),
        (
            "eth_getRawTransactionByBlockNumberAndIndex",
            json!(["0x0", "0x0"]),
        ),
        ("eth_call", json!([call, "latest"])),
        (
            "eth_call",
            json!([code, "pending", state, { "time": "0x5" }]),
        ),
        ("eth_call", json!([spin, "latest"])),
        ("eth_estimateGas", json!([call, "latest"])),
        ("eth_estimateGas", json!([code])),
        ("eth_createAccessList", json!([code, "latest"])),
        ("eth_signTransaction", json!([call])),
        ("eth_sign", json!([alice, "0x1234"])),
        ("personal_sign", json!(["0x1234", alice])),
        ("eth_signTypedData_v4", json!([alice, typed])),
        ("web3_sha3", json!(["0x12"])),
    ]
}

/// Requests about logs, the pool and what happened.
fn watching(bench: &Bench) -> Vec<Sample> {
    let alice = bench.alice.address();
    let hash = B256::repeat_byte(7);
    let code = json!({ "from": alice, "data": format!("0x{STORE}") });
    let tracer = json!({ "tracer": "callTracer" });
    let filter = json!({ "fromBlock": "0x0", "address": BOB, "topics": [[word(1)], null] });
    vec![
        ("eth_getLogs", json!([filter])),
        ("eth_newFilter", json!([filter])),
        ("eth_newBlockFilter", json!([])),
        ("eth_newPendingTransactionFilter", json!([])),
        ("eth_getFilterChanges", json!(["0x1"])),
        ("eth_getFilterLogs", json!(["0x1"])),
        ("eth_uninstallFilter", json!(["0x1"])),
        ("eth_subscribe", json!(["logs", filter])),
        ("eth_subscribe", json!(["newPendingTransactions", true])),
        ("eth_subscribe", json!(["newHeads"])),
        ("eth_unsubscribe", json!(["0x1"])),
        ("txpool_content", json!([])),
        ("txpool_inspect", json!([])),
        ("txpool_status", json!([])),
        ("debug_traceTransaction", json!([hash, tracer])),
        ("debug_traceCall", json!([code, "latest", tracer])),
    ]
}

/// Requests that change something.
fn changes(bench: &Bench) -> Vec<Sample> {
    let alice = bench.alice.address();
    let hash = B256::repeat_byte(7);
    let call = json!({ "from": alice, "to": BOB, "data": "0x1234", "value": "0x1" });
    let code = json!({ "from": alice, "data": format!("0x{STORE}") });
    vec![
        ("eth_sendTransaction", json!([call])),
        ("eth_sendTransaction", json!([code])),
        (
            "eth_sendUnsignedTransaction",
            json!([{ "from": BOB, "to": alice }]),
        ),
        ("eth_sendRawTransaction", json!([bench.signed(0, 1)])),
        ("eth_sendRawTransaction", json!([bench.signed(5, 1)])),
        ("evm_mine", json!([{ "timestamp": "0xffffff" }])),
        ("anvil_mine", json!(["0x2", "0x5"])),
        ("evm_snapshot", json!([])),
        ("evm_revert", json!(["0x1"])),
        ("anvil_rollback", json!([1])),
        ("anvil_reorg", json!([1, [[call, 0]]])),
        ("anvil_reset", json!([])),
        ("evm_setAutomine", json!([false])),
        ("evm_setIntervalMining", json!([1000])),
        ("anvil_setCoinbase", json!([BOB])),
        ("evm_setBlockGasLimit", json!(["0x1c9c380"])),
        ("anvil_setNextBlockBaseFeePerGas", json!(["0x5"])),
        ("hardhat_setPrevRandao", json!([hash])),
        ("evm_increaseTime", json!([5])),
        ("evm_setTime", json!([2000000])),
        ("evm_setNextBlockTimestamp", json!([2000000])),
        ("anvil_setBlockTimestampInterval", json!([5])),
        ("anvil_removeBlockTimestampInterval", json!([])),
        ("anvil_setBalance", json!([BOB, "0x5"])),
        ("anvil_addBalance", json!([BOB, "0x5"])),
        ("anvil_setCode", json!([BOB, "0x60006000fd"])),
        ("anvil_setNonce", json!([BOB, "0x5"])),
        ("anvil_setStorageAt", json!([BOB, "0x1", word(1)])),
        ("anvil_impersonateAccount", json!([BOB])),
        ("anvil_stopImpersonatingAccount", json!([BOB])),
        ("anvil_autoImpersonateAccount", json!([true])),
        ("anvil_dropTransaction", json!([hash])),
        ("anvil_dropAllTransactions", json!([])),
        ("anvil_nodeInfo", json!([])),
    ]
}

/// Requests in the form they are meant to have.
fn corpus(bench: &Bench) -> Vec<Value> {
    let samples = [questions(bench), watching(bench), changes(bench)].concat();
    let mut requests = Vec::new();
    for (method, params) in samples {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        requests.push(request);
    }
    requests
}

/// Values that parsers and arithmetic stumble over.
fn odd(dice: &mut Dice) -> Value {
    let texts = [
        "", "0x", "0x0", "0x00", "-0x1", "0xg", "latest", "NaN", "\\u{0}", "é😀", "0X1F",
    ];
    match dice.roll(14) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(u64::MAX),
        3 => json!(i64::MIN),
        4 => json!(-1),
        5 => json!(1e308),
        6 => json!([]),
        7 => json!({}),
        8 => json!(format!("0x{}", "f".repeat(dice.roll(130)))),
        9 => json!("x".repeat(dice.roll(5000))),
        10 => (0..dice.roll(100)).fold(json!(0), |inner, _| json!([inner])),
        11 => json!(BOB),
        12 => json!(dice.roll(1 << 30)),
        _ => json!(dice.pick(&texts)),
    }
}

/// Changes one place somewhere inside `value`.
fn disturb(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Array(items) if !items.is_empty() && dice.roll(4) > 0 => {
            let at = dice.roll(items.len());
            match dice.roll(8) {
                0 => drop(items.remove(at)),
                1 => items.insert(at, odd(dice)),
                2 => items.push(items[at].clone()),
                _ => disturb(&mut items[at], dice),
            }
        }
        Value::Object(fields) if !fields.is_empty() && dice.roll(4) > 0 => {
            let keys: Vec<_> = fields.keys().cloned().collect();
            let key = dice.pick(&keys);
            match dice.roll(8) {
                0 => drop(fields.remove(&key)),
                1 => drop(fields.insert("extra".into(), odd(dice))),
                _ => disturb(&mut fields[&key], dice),
            }
        }
        value => *value = odd(dice),
    }
}

/// Changes bytes without regard for what they mean.
fn garble(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.roll(bytes.len());
    match dice.roll(4) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, dice.roll(256) as u8),
        2 if !bytes.is_empty() => bytes[at] ^= 1 << dice.roll(8),
        _ => bytes.extend_from_within(at..),
    }
}

fn body(corpus: &[Value], dice: &mut Dice) -> Vec<u8> {
    let mut request = dice.pick(corpus);
    if dice.roll(10) == 0 {
        request["method"] = dice.pick(corpus)["method"].clone();
    }
    for _ in 0..dice.roll(4) {
        disturb(&mut request, dice);
    }
    if dice.roll(6) == 0 {
        let more = (0..dice.roll(5)).map(|_| dice.pick(corpus));
        request = more.chain([request]).collect();
    }
    let mut bytes = request.to_string().into_bytes();
    for _ in 0..dice.roll(6).saturating_sub(3) {
        garble(&mut bytes, dice);
    }
    bytes
}

fn is_answer(answer: &Value) -> bool {
    let error_is_whole = |error: &Value| error["code"].is_i64() && error["message"].is_string();
    let has_outcome = match (answer.get("result"), answer.get("error")) {
        (Some(_), None) => true,
        (None, Some(error)) => error_is_whole(error),
        _ => false,
    };
    answer["jsonrpc"] == "2.0" && answer.get("id").is_some() && has_outcome
}

fn is_well_formed(answer: &Value) -> bool {
    match answer {
        Value::Array(answers) => !answers.is_empty() && answers.iter().all(is_answer),
        answer => is_answer(answer),
    }
}

/// Whether a request in the body may have changed the chain: it names such a method and was
/// granted, or nobody wanted to know.
fn explains(body: &[u8], answers: &[Value]) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    let requests = match &body {
        Value::Array(requests) => requests.as_slice(),
        request => std::slice::from_ref(request),
    };
    let granted = |answer: &Value| answer.get("result").is_some();
    requests.iter().any(|request| {
        let method = request["method"].as_str().unwrap_or_default();
        let unasked = request.get("id").is_none();
        may_change(method) && (unasked || answers.iter().any(granted))
    })
}

fn flat(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(answers) => answers,
        answer => vec![answer],
    }
}

/// Sends one body over HTTP and returns the answers.
async fn post(bench: &Bench, body: &[u8]) -> Vec<Value> {
    let request = Request::post("/").header("content-type", "application/json");
    let request = request.header(crate::NONCE_HEADER, "managed");
    let request = request.body(Body::from(body.to_vec())).unwrap();
    let response = tokio::time::timeout(ANSWER_MAX, bench.node.router().oneshot(request));
    let response = response.await.expect("no hang").unwrap();
    let status = response.status();
    let answer = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    if status.is_client_error() || answer.is_empty() {
        return Vec::new();
    }
    assert_eq!(status, StatusCode::OK);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert!(is_well_formed(&answer), "{answer}");
    flat(answer)
}

/// Back to how a node mines when it is started, so that no timer mines between two requests.
fn calm(bench: &Bench) {
    bench.ask("evm_setAutomine", json!([true]));
}

fn unchanged(bench: &Bench, before: B256, body: &[u8], answers: &[Value]) {
    let after = bench.node.read().chain.fingerprint();
    let text = String::from_utf8_lossy(body);
    assert!(
        after == before || explains(body, answers),
        "{text} changed the chain: {answers:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http() {
    for seed in 0..ROUNDS / ROUNDS_PER_NODE {
        let (bench, mut dice) = (Bench::new(None), Dice(seed + 1));
        let corpus = corpus(&bench);
        for _ in 0..ROUNDS_PER_NODE {
            let body = body(&corpus, &mut dice);
            let before = bench.node.read().chain.fingerprint();
            let answers = post(&bench, &body).await;
            unchanged(&bench, before, &body, &answers);
            calm(&bench);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_websocket() {
    for seed in 0..ROUNDS / ROUNDS_PER_NODE {
        let (bench, mut dice) = (Bench::new(None), Dice(1000 + seed));
        let corpus = corpus(&bench);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let router = bench.node.router();
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        for round in 0..ROUNDS_PER_NODE {
            let body = body(&corpus, &mut dice);
            let before = bench.node.read().chain.fingerprint();
            let message = match String::from_utf8(body.clone()) {
                Ok(text) => Message::text(text),
                Err(_) => Message::binary(body.clone()),
            };
            socket.send(message).await.unwrap();
            // The answer to this shows that the other one is complete.
            let mark = json!({ "id": format!("mark {round}"), "method": "eth_chainId" });
            socket.send(Message::text(mark.to_string())).await.unwrap();
            let mut answers = Vec::new();
            loop {
                let message = tokio::time::timeout(ANSWER_MAX, socket.next());
                let message = message.await.expect("no hang").unwrap().unwrap();
                let Message::Text(text) = message else {
                    continue;
                };
                let answer: Value = serde_json::from_str(&text).unwrap();
                if answer["id"] == mark["id"] {
                    break;
                }
                if answer["method"] != "eth_subscription" {
                    assert!(is_well_formed(&answer), "{answer}");
                    answers.extend(flat(answer));
                }
            }
            unchanged(&bench, before, &body, &answers);
            calm(&bench);
        }
        server.abort();
    }
}

/// The rule itself: a change nobody asked for is noticed.
#[test]
fn only_a_granted_change_is_explained() {
    let mine = br#"{"id":1,"method":"evm_mine"}"#;
    let granted = [json!({ "id": 1, "result": "0x0" })];
    let refused = [json!({ "id": 1, "error": { "code": 1, "message": "" } })];
    assert!(explains(mine, &granted) && !explains(mine, &refused));
    assert!(!explains(br#"{"id":1,"method":"eth_call"}"#, &granted));
    assert!(explains(br#"{"method":"hardhat_setCode"}"#, &[]));
}
