//! Exchanges recorded from the official market API, replayed against ours.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use alloy::{
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::Eip712Domain,
};
use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use chain::Standing;
use market::{Chain, Claim, Clock, Config, Error, Service};
use protocol::{
    Address, B256, Bytes, DealId, OrderHash, Signature, TaskId, U256,
    challenge::Audience,
    deal::{Category, Deal, Task},
    order::{self, DatasetOrder, Kind, Signed},
};
use serde_json::{Value, json};
use tower::ServiceExt;

const GOLDEN: &str = include_str!("golden.jsonl");
const CHAIN_ID: u64 = 65535;
const HUB: &str = "0xC129e7917b7c7DeDfAa5Fff1FB18d5D7050fE8ca";
/// The wallet that signed the recorded orders: a public test key.
const KEY: &str = "0x564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407";
const OWNER: &str = "0x7bd4783FDCAD405A28052a0d1f11236A741da593";
/// The limit of open orders in the recording.
const MAX_OPEN: u64 = 12;
/// nRLC of every account in the recording: enough for a lock of 9, too little for 200.
const STAKE: u64 = 100;

/// What the recorded chain answered.
struct RecordedChain {
    consumed: Mutex<HashMap<OrderHash, u64>>,
}

const UNREGISTERED: &str = "0x000000000000000000000000000000000000dEaD";

#[async_trait]
impl Chain for RecordedChain {
    fn domain(&self) -> Eip712Domain {
        order::domain(CHAIN_ID, HUB.parse().unwrap())
    }
    async fn head(&self) -> Result<u64, Error> {
        Ok(0)
    }
    async fn standing(&self, order: &Claim, at: u64) -> Result<Standing, Error> {
        let registered = order.resource.to_string() != UNREGISTERED;
        let sold = registered && order.kind != Kind::Request;
        Ok(Standing {
            owner: sold.then(|| OWNER.parse().unwrap()),
            signed: self.verify(order.signer, order.hash.0, &order.sign).await?,
            consumed: self.consumed(order.hash, at).await?,
            stake: self.stake(order.signer, at).await?,
        })
    }
    async fn owner_of(&self, _: Address, _: u64) -> Result<Address, Error> {
        Ok(OWNER.parse().unwrap())
    }
    async fn verify(&self, signer: Address, hash: B256, sign: &Bytes) -> Result<bool, Error> {
        let sign = Signature::from_raw(sign).ok();
        let recovered = sign.and_then(|sign| sign.recover_address_from_prehash(&hash).ok());
        Ok(recovered == Some(signer))
    }
    async fn consumed(&self, order: OrderHash, _: u64) -> Result<U256, Error> {
        let consumed = self.consumed.lock().unwrap().get(&order).copied();
        Ok(U256::from(consumed.unwrap_or_default()))
    }
    async fn stake(&self, _: Address, _: u64) -> Result<U256, Error> {
        Ok(U256::from(STAKE))
    }
    async fn deal(&self, _: DealId, _: u64) -> Result<Option<Deal>, Error> {
        Ok(None)
    }
    async fn task(&self, _: TaskId, _: u64) -> Result<Option<Task>, Error> {
        Ok(None)
    }
    async fn category(&self, _: u64, _: u64) -> Result<Option<Category>, Error> {
        Ok(None)
    }
    async fn block_time(&self, _: u64) -> Result<u64, Error> {
        Ok(0)
    }
}

struct Replay {
    router: Router,
    chain: Arc<RecordedChain>,
    owner: PrivateKeySigner,
    stranger: PrivateKeySigner,
    used_header: Option<String>,
    published: HashSet<String>,
}

impl Replay {
    async fn new() -> Self {
        Self::over("sqlite::memory:").await
    }

    async fn over(database_url: &str) -> Self {
        let chain = Arc::new(RecordedChain {
            consumed: Mutex::default(),
        });
        let ticks = AtomicI64::new(1_700_000_000_000);
        let clock = Clock::new(move || ticks.fetch_add(1, Ordering::SeqCst));
        let mut config = Config::new(database_url, CHAIN_ID);
        config.max_open_orders_per_wallet = MAX_OPEN;
        let service = Service::open_at(config, chain.clone(), clock)
            .await
            .unwrap();
        Self {
            router: service.app(),
            chain,
            owner: KEY.parse().unwrap(),
            stranger: PrivateKeySigner::random(),
            used_header: None,
            published: HashSet::new(),
        }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(header) = authorization {
            request = request.header("authorization", header);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn login(&self, signer: &PrivateKeySigner) -> String {
        let address = signer.address();
        let path = format!("/challenge?chainId={CHAIN_ID}&address={address}");
        let (_, answer) = self.send("GET", &path, None, None).await;
        let words = answer["data"]["message"]["challenge"].as_str().unwrap();
        let hash = Audience::Market.hash(CHAIN_ID, words);
        let sign = Bytes::from(signer.sign_hash_sync(&hash).unwrap().as_bytes());
        format!("{hash}_{sign}_{address}")
    }

    /// The header that the recording only hints at.
    async fn authorization(&mut self, label: &str) -> String {
        let header = match label {
            "auth:malformed" => "nonsense".to_owned(),
            "publish:challenge-replayed" => self.used_header.clone().unwrap(),
            "publish:not-owner" | "publish:requestorder wrong signer" | "unpublish:not signer" => {
                self.login(&self.stranger).await
            }
            _ => self.login(&self.owner).await,
        };
        self.used_header = Some(header.clone());
        header
    }

    /// Sets what the chain of the recording said at this moment.
    fn prepare(&self, label: &str) {
        let partly: OrderHash = PARTLY_CONSUMED.parse().unwrap();
        let mut consumed = self.chain.consumed.lock().unwrap();
        match label {
            "publish:consumed" => consumed.insert(partly, 3),
            "publish:partially-consumed" => consumed.insert(partly, 1),
            _ => None,
        };
    }

    async fn replay(&mut self, exchange: &Value) -> (u16, Value) {
        let label = exchange["label"].as_str().unwrap();
        if label == "publish:max" {
            return self.one_too_many().await;
        }
        self.prepare(label);
        let method = exchange["method"].as_str().unwrap();
        let path = exchange["path"].as_str().unwrap();
        let header = match exchange.get("authorization") {
            Some(_) => Some(self.authorization(label).await),
            None => None,
        };
        let body = exchange.get("body");
        let answer = self.send(method, path, header.as_deref(), body).await;
        if let Some(hash) = answer.1["published"]["orderHash"].as_str() {
            self.published.insert(hash.to_owned());
        }
        answer
    }

    /// Fills the book with the orders that the recording lists without their publication, then
    /// publishes another one.
    async fn one_too_many(&self) -> (u16, Value) {
        let path = format!("/datasetorders?chainId={CHAIN_ID}");
        for exchange in recorded().filter(|e| e["label"].as_str().unwrap().starts_with("page:")) {
            for item in exchange["response"]["orders"].as_array().unwrap() {
                if self.published.contains(item["orderHash"].as_str().unwrap()) {
                    continue;
                }
                let header = self.login(&self.owner).await;
                let body = json!({ "order": item["order"] });
                let (status, answer) = self.send("POST", &path, Some(&header), Some(&body)).await;
                assert_eq!(status, 200, "{answer}");
            }
        }
        let body = json!({ "order": self.another_order() });
        let header = self.login(&self.owner).await;
        self.send("POST", &path, Some(&header), Some(&body)).await
    }

    fn another_order(&self) -> Signed<DatasetOrder> {
        let mut order = Signed::<DatasetOrder>::none();
        order.order.dataset = Address::with_last_byte(0xd1);
        order.order.volume = U256::from(1);
        order.order.salt = B256::repeat_byte(0x77);
        let hash = order.hash(&self.chain.domain());
        let sign = self.owner.sign_hash_sync(&hash.0).unwrap();
        order.sign = Bytes::from(sign.as_bytes());
        order
    }
}

/// The order that was first consumed wholly, then partly.
const PARTLY_CONSUMED: &str = "0x503ea6b1d9a753bd30f0e54adbf76d18e02a5fd4475928877be9eb32609f2f84";

fn recorded() -> impl Iterator<Item = Value> {
    GOLDEN
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
}

/// Times and random words differ in every run.
fn masked(mut value: Value) -> Value {
    mask(&mut value);
    value
}

fn mask(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match name.as_str() {
                    "publicationTimestamp" | "challenge" => *member = json!("masked"),
                    _ => mask(member),
                }
            }
        }
        _ => {}
    }
}

/// Where we answer better than the recording: labels, and what we say.
fn improved(label: &str) -> Option<(u16, Value)> {
    let error = |status, text: &str| Some((status, json!({ "ok": false, "error": text })));
    match label {
        "publish:requestorder params missing" => error(400, "order.params is a required field"),
        _ => None,
    }
}

async fn recorded_exchanges_get_the_recorded_answers(mut replay: Replay) {
    let mut exact = 0;
    for exchange in recorded() {
        let label = exchange["label"].as_str().unwrap();
        let (status, answer) = replay.replay(&exchange).await;
        let (expected_status, expected) = improved(label).unwrap_or_else(|| {
            exact += 1;
            let status = exchange["status"].as_u64().unwrap();
            (status as u16, exchange["response"].clone())
        });
        assert_eq!(status, expected_status, "{label}: {answer}");
        assert_eq!(masked(answer), masked(expected), "{label}");
    }
    assert_eq!(exact, 63, "all 64 but the one that we answer better");
}

#[tokio::test]
async fn sqlite_gives_the_recorded_answers() {
    recorded_exchanges_get_the_recorded_answers(Replay::new().await).await;
}

#[tokio::test]
async fn postgres_gives_the_recorded_answers() {
    let url = tools::need!(tools::postgres_database());
    recorded_exchanges_get_the_recorded_answers(Replay::over(&url).await).await;
}

#[tokio::test]
async fn wrong_verbs_and_cross_origin_requests_are_answered_as_upstream() {
    let replay = Replay::new().await;
    let request = |method: &str, path: &str| Request::builder().method(method).uri(path);
    let delete = request("DELETE", "/apporders").body(Body::empty()).unwrap();
    let response = replay.router.clone().oneshot(delete).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(response.headers().contains_key("allow"));
    let text = to_bytes(response.into_body(), 100).await.unwrap();
    assert_eq!(&text[..], b"Method Not Allowed");

    let unknown = request("GET", "/unknown").body(Body::empty()).unwrap();
    let response = replay.router.clone().oneshot(unknown).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let text = to_bytes(response.into_body(), 100).await.unwrap();
    assert_eq!(&text[..], b"Not Found");

    let head = request("HEAD", "/version").body(Body::empty()).unwrap();
    let response = replay.router.clone().oneshot(head).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        to_bytes(response.into_body(), 100)
            .await
            .unwrap()
            .is_empty()
    );

    let preflight = request("OPTIONS", "/apporders")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization")
        .body(Body::empty())
        .unwrap();
    let response = replay.router.clone().oneshot(preflight).await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let headers = response.headers();
    assert_eq!(
        headers["access-control-allow-origin"],
        "https://app.example"
    );
    assert_eq!(headers["access-control-allow-headers"], "authorization");
    let methods = &headers["access-control-allow-methods"];
    assert_eq!(methods, "GET,HEAD,PUT,POST,DELETE,PATCH");
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_json() {
    let replay = Replay::new().await;
    let path = format!("/apporders?chainId={CHAIN_ID}");
    let large = json!("x".repeat(1_000_001));
    let (status, answer) = replay.send("POST", &path, None, Some(&large)).await;
    assert_eq!((status, answer["ok"].clone()), (413, json!(false)));
    let request = Request::post(&path).body(Body::from("{")).unwrap();
    let response = replay.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_mistake_in_the_body_does_not_cost_the_challenge() {
    let replay = Replay::new().await;
    let path = format!("/datasetorders?chainId={CHAIN_ID}");
    let header = replay.login(&replay.owner).await;
    let (status, answer) = replay
        .send("POST", &path, Some(&header), Some(&json!({})))
        .await;
    assert_eq!(
        (status, &answer["error"]),
        (400, &json!("order.sign is a required field"))
    );
    let body = json!({ "order": replay.another_order() });
    let (status, _) = replay.send("POST", &path, Some(&header), Some(&body)).await;
    assert_eq!(status, 200);
    let (status, _) = replay.send("POST", &path, Some(&header), Some(&body)).await;
    assert_eq!(status, 403);
}
