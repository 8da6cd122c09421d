//! Malformed requests at every route: never a 500, never a panic, always a documented answer, and
//! the database is what it was.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use protocol::{Address, B256, order::Kind};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::BODY_BYTES_MAX;
use crate::testing::{
    Bench, CHAIN_ID, Wallet, app_order, dataset_order, request_order, workerpool_order,
};

/// Requests of each sort; the seeds are fixed, so a failure can be repeated.
const QUERIES: u64 = 3000;
const BODIES: u64 = 2000;
const AUTHORIZATIONS: u64 = 1500;
/// Statuses that the API documents for a request that is wrong, and for a list that is empty.
const DOCUMENTED: [u16; 7] = [200, 400, 403, 404, 405, 413, 429];

/// Paths and the parameters that they know.
const LISTS: [(&str, &[&str]); 12] = [
    ("/version", &[]),
    ("/metrics", &[]),
    ("/challenge", &["address"]),
    (
        "/deals",
        &["category", "requester", "app", "requestorderHash"],
    ),
    ("/deals/{}", &[]),
    ("/ohlc", &["category"]),
    (
        "/categories",
        &["minWorkClockTimeRef", "maxWorkClockTimeRef"],
    ),
    ("/categories/{}", &[]),
    ("/apporders", &["app", "appOwner", "dataset", "minTag"]),
    (
        "/datasetorders",
        &["dataset", "bulkOnly", "isAppStrict", "app"],
    ),
    (
        "/workerpoolorders",
        &["workerpool", "minTrust", "category", "maxTag"],
    ),
    ("/requestorders/{}", &["requester", "maxTrust", "minVolume"]),
];

struct Scene {
    bench: Bench,
    router: Router,
    rng: StdRng,
    /// How often each status was answered.
    answers: BTreeMap<u16, u64>,
}

impl Scene {
    async fn new(seed: u64) -> Self {
        let bench = Bench::new().await;
        bench.publish(Kind::App, app_order()).await.unwrap();
        let request = request_order(&bench);
        bench.publish(Kind::Request, request).await.unwrap();
        Self {
            router: super::router(bench.market.clone()),
            bench,
            rng: StdRng::seed_from_u64(seed),
            answers: BTreeMap::new(),
        }
    }

    async fn dump(&self) -> Vec<String> {
        self.bench.market.database.dump().await
    }

    /// Sends a request and checks that the answer is one that the API documents.
    async fn send(&mut self, request: Request<Body>) -> (u16, Value) {
        let shown = format!("{request:?}");
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), 1 << 22).await.unwrap();
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        assert!(DOCUMENTED.contains(&status), "{status} {answer}: {shown}");
        if ![200, 405].contains(&status) && !bytes.is_empty() {
            let text = answer["error"].as_str().unwrap_or_default();
            assert!(
                answer["ok"] == false && !text.is_empty(),
                "{status}: {shown}"
            );
        }
        *self.answers.entry(status).or_default() += 1;
        (status, answer)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from.choose(&mut self.rng).unwrap().clone()
    }

    /// A text that is wrong in most places.
    fn text(&mut self) -> String {
        let long = "9".repeat(self.rng.gen_range(1..400));
        let hex = format!("0x{}", "aF".repeat(self.rng.gen_range(0..40)));
        let texts = [
            "",
            " ",
            "any",
            "null",
            "undefined",
            "NaN",
            "-1",
            "-0",
            "0",
            "1e400",
            "1e3",
            "0x",
            "0x10",
            "1.5",
            "true",
            "TRUE",
            "[]",
            "{}",
            "\u{0}",
            "%00",
            "Ω≈ç√∫˜µ≤≥÷",
            "👩‍👩‍👧",
            "' or 1=1 --",
            "../..",
            "9007199254740992",
            "18446744073709551616",
            "0x0000000000000000000000000000000000000000",
            "XE7338O073KYGTWWZN0F2WZ0R8PX5ZPPZS",
        ];
        match self.rng.gen_range(0..6) {
            0 => long,
            1 => hex,
            2 => Address::from(self.rng.r#gen::<[u8; 20]>()).to_string(),
            3 => B256::from(self.rng.r#gen::<[u8; 32]>()).to_string(),
            _ => self.pick(&texts).to_owned(),
        }
    }

    /// Any JSON.
    fn value(&mut self, depth: usize) -> Value {
        match self.rng.gen_range(0..9) {
            0 => Value::Null,
            1 => json!(self.rng.r#gen::<bool>()),
            2 => json!(self.rng.r#gen::<i64>()),
            3 => json!(self.rng.r#gen::<u64>()),
            4 => json!(self.rng.r#gen::<f64>() * 1e300),
            5 if depth > 0 => (0..3).map(|_| self.value(depth - 1)).collect(),
            6 if depth > 0 => json!({ self.text(): self.value(depth - 1), "sign": self.value(0) }),
            7 => json!(-(self.rng.r#gen::<u32>() as i64)),
            _ => json!(self.text()),
        }
    }

    fn order(&mut self, kind: Kind) -> Value {
        let mut order = match kind {
            Kind::App => app_order(),
            Kind::Dataset => dataset_order(),
            Kind::Workerpool => workerpool_order(),
            Kind::Request => request_order(&self.bench),
        };
        // An order of its own, and a signature of the right form that is nobody's.
        order["salt"] = json!(B256::from(self.rng.r#gen::<[u8; 32]>()));
        order["sign"] = json!(format!("0x{}1b", "5a".repeat(64)));
        order
    }

    /// An order, or whatever should be one, with one or more faults.
    fn mutilated(&mut self, kind: Kind) -> Value {
        let mut order = self.order(kind);
        let names: Vec<String> = order.as_object().unwrap().keys().cloned().collect();
        for _ in 0..self.rng.gen_range(1..3) {
            let name = self.pick(&names);
            let members = order.as_object_mut().unwrap();
            match self.rng.gen_range(0..4) {
                0 => drop(members.remove(&name)),
                _ => drop(members.insert(name, self.value(2))),
            }
        }
        match self.rng.gen_range(0..8) {
            0 => self.value(3),
            1 => json!({ "order": self.value(3) }),
            2 => json!({ "order": [order] }),
            // Nothing is wrong but the signature.
            3 | 4 => json!({ "order": self.order(kind) }),
            _ => json!({ "order": order }),
        }
    }

    /// What asks to take orders back.
    fn target(&mut self) -> Value {
        let targets = [
            "unpublish_orderHash",
            "unpublish_last",
            "unpublish_all",
            "all",
            "",
        ];
        let mut body = json!({ "target": self.pick(&targets) });
        if self.rng.r#gen() {
            body["target"] = self.value(1);
        }
        for name in ["orderHash", "app", "dataset", "workerpool", "requester"] {
            if self.rng.gen_bool(0.4) {
                body[name] = self.value(1);
            }
        }
        body
    }

    fn book(&mut self) -> (Kind, String) {
        let kind = self.pick(&Kind::ALL);
        (kind, format!("/{}orders?chainId={CHAIN_ID}", kind.name()))
    }

    /// The body as it is sent: whole, cut off, or deep.
    fn bytes(&mut self, body: &Value) -> Vec<u8> {
        let mut bytes = body.to_string().into_bytes();
        match self.rng.gen_range(0..10) {
            0 => bytes.truncate(self.rng.gen_range(0..=bytes.len())),
            1 => bytes = [b"[".repeat(5000), bytes].concat(),
            2 => bytes.insert(0, 0xff),
            _ => {}
        }
        bytes
    }
}

fn encoded(text: &str) -> String {
    let byte = |b: &u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(*b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.as_bytes().iter().map(byte).collect()
}

fn request(method: &str, uri: String) -> axum::http::request::Builder {
    Request::builder().method(method).uri(uri)
}

#[tokio::test]
async fn queries() {
    let mut scene = Scene::new(1).await;
    let before = scene.dump().await;
    for _ in 0..QUERIES {
        let (path, names) = scene.pick(&LISTS);
        let id = match scene.rng.gen_bool(0.1) {
            true => "%ff".to_owned(),
            false => encoded(&scene.text()),
        };
        let mut uri = format!("{}?", path.replace("{}", &id));
        if scene.rng.gen_bool(0.8) {
            uri.push_str(&format!("chainId={CHAIN_ID}"));
        }
        let common = ["page", "pageIndex", "pageSize", "chainId", "nonsense"];
        let names: Vec<&str> = names.iter().chain(&common).copied().collect();
        for _ in 0..scene.rng.gen_range(0..4) {
            let (name, text) = (scene.pick(&names), scene.text());
            let text = if scene.rng.gen_bool(0.9) {
                encoded(&text)
            } else {
                "%ff%zz".to_owned()
            };
            uri.push_str(&format!("&{name}={text}"));
        }
        let method = scene.pick(&["GET", "GET", "GET", "GET", "HEAD", "DELETE"]);
        // A challenge for a good address is handed out and kept; it is not of the book.
        scene
            .send(request(method, uri).body(Body::empty()).unwrap())
            .await;
    }
    assert_eq!(scene.dump().await, before);
    for status in [200, 400, 404, 405] {
        assert!(scene.answers[&status] > 20, "{:?}", scene.answers);
    }
}

#[tokio::test]
async fn bodies() {
    let mut scene = Scene::new(2).await;
    let before = scene.dump().await;
    let wallet = Wallet::new(7);
    for _ in 0..BODIES {
        let (kind, uri) = scene.book();
        let (method, body) = match scene.rng.gen_range(0..3) {
            0 => ("PUT", scene.target()),
            _ => ("POST", scene.mutilated(kind)),
        };
        let bytes = scene.bytes(&body);
        let header = scene.bench.login(&wallet).await;
        let request = request(method, uri).header("authorization", header);
        scene.send(request.body(Body::from(bytes)).unwrap()).await;
    }
    assert_eq!(scene.dump().await, before);
    for status in [400, 403] {
        assert!(scene.answers[&status] > 20, "{:?}", scene.answers);
    }
    assert!(!scene.answers.contains_key(&200), "{:?}", scene.answers);
}

#[tokio::test]
async fn bodies_of_any_size() {
    let mut scene = Scene::new(3).await;
    for size in [
        BODY_BYTES_MAX - 2,
        BODY_BYTES_MAX - 1,
        BODY_BYTES_MAX,
        3 * BODY_BYTES_MAX,
    ] {
        let (_, uri) = scene.book();
        let body = json!("x".repeat(size)).to_string();
        let fits = body.len() <= BODY_BYTES_MAX;
        let (status, _) = scene
            .send(request("POST", uri).body(Body::from(body)).unwrap())
            .await;
        assert_eq!(status, if fits { 403 } else { 413 }, "{size}");
    }
}

#[tokio::test]
async fn authorizations() {
    let mut scene = Scene::new(4).await;
    let (mine, foreign) = (Wallet::new(7), Wallet::new(8));
    let before = scene.dump().await;
    let mut used = scene.bench.login(&mine).await;
    for _ in 0..AUTHORIZATIONS {
        let (kind, uri) = scene.book();
        let good = scene.bench.login(&mine).await;
        let cut = good[..scene.rng.gen_range(0..good.len())].to_owned();
        let words = scene.bench.words(mine.address()).await;
        let header = match scene.rng.gen_range(0..7) {
            0 => used.clone(),
            1 => cut,
            2 => foreign.answer(&words, mine.address()),
            3 => foreign.answer(&words, foreign.address()),
            4 => good.replace('a', "b"),
            5 => format!("{good}_{good}"),
            _ => scene.bench.login(&foreign).await,
        };
        // Signed by the owner, so that only the authorization is wrong.
        let order = mine.sign(kind, scene.order(kind), &scene.bench.domain());
        let body = json!({ "order": order }).to_string();
        let request = request("POST", uri.clone()).header("authorization", &header);
        let (status, answer) = scene.send(request.body(Body::from(body)).unwrap()).await;
        if status == 200 {
            // The replay of what was never used: the first time it is good.
            assert_eq!(header, used, "{answer}");
            let hash = &answer["published"]["orderHash"];
            let back = json!({ "orderHash": hash });
            let request = super::fuzz::request("PUT", uri).header("authorization", good);
            let (status, _) = scene
                .send(request.body(Body::from(back.to_string())).unwrap())
                .await;
            assert_eq!(status, 200);
        } else {
            assert_eq!(status, 403, "{answer}");
        }
        if scene.rng.gen_bool(0.02) {
            scene.bench.pass(10 * 60 * 1000);
            used = scene.bench.login(&mine).await;
            scene.bench.pass(10 * 60 * 1000);
        }
    }
    assert_eq!(scene.dump().await, before);
    assert!(
        scene.answers[&403] > AUTHORIZATIONS * 9 / 10,
        "{:?}",
        scene.answers
    );
}
