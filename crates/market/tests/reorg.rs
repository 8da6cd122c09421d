//! Real nodes that reorganise: what orphaned blocks did to the book is undone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy::{
    network::EthereumWallet,
    providers::{DynProvider, Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
    transports::ws::WsConnect,
};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use chain::{Actor, Hub, NewAsset, Wallet};
use protocol::{
    Address, B256, Bytes, DealId, Tag, U256,
    challenge::Audience,
    order::{AppOrder, Kind, Order, RequestOrder, Signed, WorkerpoolOrder},
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Of anvil's first account, everywhere the same.
const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/// What is followed arrives within milliseconds; a machine that needs this long is stuck.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);

/// One wallet plays all roles.
struct Scene {
    url: String,
    hub: Hub,
    node: DynProvider,
    router: Router,
    stop: CancellationToken,
    app: Signed<AppOrder>,
    pool: Signed<WorkerpoolOrder>,
    request: Signed<RequestOrder>,
    _folder: tempfile::TempDir,
}

fn wallet() -> Wallet {
    Wallet::from_key(&KEY.parse().unwrap()).unwrap()
}

async fn deploy(url: &str) -> (DynProvider, Address) {
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
    (node, hub)
}

impl Scene {
    async fn new(url: String) -> Self {
        let (node, hub) = deploy(&url).await;
        let hub = Hub::connect(&url, hub).await.unwrap();
        let actor = Actor::new(hub.clone(), wallet());
        let (app, pool) = assets(&actor).await;
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}/market.db", folder.path().display());
        let config = market::Config::new(database, hub.chain_id());
        let service = market::Service::open(config, Arc::new(hub.clone()))
            .await
            .unwrap();
        let (router, stop) = (service.router(), CancellationToken::new());
        tokio::spawn(service.run(hub.clone(), stop.clone()));
        let (app, pool, request) = orders(&hub, app, pool);
        Self {
            url,
            hub,
            node,
            router,
            stop,
            app,
            pool,
            request,
            _folder: folder,
        }
    }

    async fn rpc(&self, method: &'static str, params: Value) -> Value {
        self.node.raw_request(method.into(), params).await.unwrap()
    }

    async fn send(&self, request: Request<Body>) -> Value {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        let path = format!("{path}chainId={}", self.hub.chain_id());
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    async fn publish(&self, kind: Kind, order: impl Serialize) {
        let (wallet, chain_id) = (wallet(), self.hub.chain_id());
        let address = wallet.address();
        let answer = self.get(&format!("/challenge?address={address}&")).await;
        let words = answer["data"]["message"]["challenge"].as_str().unwrap();
        let hash = Audience::Market.hash(chain_id, words);
        let sign = Bytes::from(wallet.sign_hash(hash).unwrap().as_bytes());
        let path = format!("/{}orders?chainId={chain_id}", kind.name());
        let request = Request::post(path)
            .header("authorization", format!("{hash}_{sign}_{address}"))
            .body(Body::from(json!({ "order": order }).to_string()))
            .unwrap();
        let answer = self.send(request).await;
        assert_eq!(answer["ok"], true, "{answer}");
    }

    async fn publish_all(&self) {
        self.publish(Kind::App, &self.app).await;
        self.publish(Kind::Workerpool, &self.pool).await;
        self.publish(Kind::Request, &self.request).await;
    }

    /// Status and remaining of app, workerpool and request order.
    async fn states(&self) -> Vec<(String, u64)> {
        let domain = self.hub.domain();
        let hashes = [
            (Kind::App, self.app.order.hash(domain)),
            (Kind::Workerpool, self.pool.order.hash(domain)),
            (Kind::Request, self.request.order.hash(domain)),
        ];
        let mut states = Vec::new();
        for (kind, hash) in hashes {
            let answer = self.get(&format!("/{}orders/{hash}?", kind.name())).await;
            let status = answer["status"].as_str().unwrap().to_owned();
            states.push((status, answer["remaining"].as_u64().unwrap()));
        }
        states
    }

    async fn has_deal(&self, deal: DealId) -> bool {
        self.get(&format!("/deals/{deal}?")).await["ok"] == true
    }

    async fn arrives(&self, states: [(&str, u64); 3], deal: DealId, is_there: bool) {
        let expected: Vec<_> = states.iter().map(|(s, n)| ((*s).to_owned(), *n)).collect();
        let start = Instant::now();
        loop {
            let found = (self.states().await, self.has_deal(deal).await);
            if found == (expected.clone(), is_there) {
                return;
            }
            assert!(start.elapsed() < ARRIVAL_MAX, "{found:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Matches over a new connection: the wallet's nonces are others after a reorganisation.
    async fn matched(&self) -> DealId {
        let hub = Hub::connect(&self.url, self.hub.address()).await.unwrap();
        let actor = Actor::new(hub, wallet());
        let none = Signed::none();
        let matched = actor.match_orders(&self.app, &none, &self.pool, &self.request);
        matched.await.unwrap().0
    }

    async fn close_pool_order(&self) {
        let hub = Hub::connect(&self.url, self.hub.address()).await.unwrap();
        let actor = Actor::new(hub, wallet());
        actor.close_order(&self.pool).await.unwrap();
    }
}

async fn assets(actor: &Actor) -> (Address, Address) {
    actor.deposit(U256::from(1_000)).await.unwrap();
    let app = NewAsset::App {
        owner: actor.address(),
        name: "app".into(),
        kind: "DOCKER".into(),
        multiaddr: Bytes::from("app"),
        checksum: B256::repeat_byte(1),
        mrenclave: Bytes::new(),
    };
    let pool = NewAsset::Workerpool {
        owner: actor.address(),
        description: "pool".into(),
    };
    let app = actor.create(&app).await.unwrap().0;
    (app, actor.create(&pool).await.unwrap().0)
}

type Orders = (
    Signed<AppOrder>,
    Signed<WorkerpoolOrder>,
    Signed<RequestOrder>,
);

fn orders(hub: &Hub, app: Address, workerpool: Address) -> Orders {
    let two = U256::from(2);
    let (nobody, nothing) = (Address::ZERO, U256::ZERO);
    let app_order = AppOrder {
        app,
        appprice: nothing,
        volume: two,
        tag: Tag::NONE,
        datasetrestrict: nobody,
        workerpoolrestrict: nobody,
        requesterrestrict: nobody,
        salt: B256::ZERO,
    };
    let pool = WorkerpoolOrder {
        workerpool,
        workerpoolprice: nothing,
        volume: two,
        tag: Tag::NONE,
        category: nothing,
        trust: nothing,
        apprestrict: nobody,
        datasetrestrict: nobody,
        requesterrestrict: nobody,
        salt: B256::ZERO,
    };
    let request = RequestOrder {
        app,
        appmaxprice: nothing,
        dataset: nobody,
        datasetmaxprice: nothing,
        workerpool: nobody,
        workerpoolmaxprice: nothing,
        requester: wallet().address(),
        volume: U256::from(1),
        tag: Tag::NONE,
        category: nothing,
        trust: nothing,
        beneficiary: nobody,
        callback: nobody,
        params: "{}".into(),
        salt: B256::ZERO,
    };
    let wallet = wallet();
    (
        wallet.sign_order(app_order, hub.domain()).unwrap(),
        wallet.sign_order(pool, hub.domain()).unwrap(),
        wallet.sign_order(request, hub.domain()).unwrap(),
    )
}

const UNTOUCHED: [(&str, u64); 3] = [("open", 2), ("open", 2), ("open", 1)];
const MATCHED: [(&str, u64); 3] = [("open", 1), ("open", 1), ("filled", 0)];
const CLOSED: [(&str, u64); 3] = [("open", 1), ("canceled", 0), ("filled", 0)];

/// A deal and a cancellation are followed, undone by `undo`, and followed again.
async fn a_branch_is_left<F: Future<Output = ()>>(scene: &Scene, undo: impl FnOnce() -> F) {
    let deal = scene.matched().await;
    scene.close_pool_order().await;
    scene.arrives(CLOSED, deal, true).await;
    undo().await;
    scene.arrives(UNTOUCHED, deal, false).await;
    assert_eq!(
        scene.matched().await,
        deal,
        "the same orders make the same deal"
    );
    scene.arrives(MATCHED, deal, true).await;
    scene.stop.cancel();
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

#[tokio::test]
async fn the_embedded_chain_goes_back_and_becomes_shorter() {
    let scene = Scene::new(embedded().await).await;
    scene.publish_all().await;
    let snapshot = scene.rpc("evm_snapshot", json!([])).await;
    a_branch_is_left(&scene, || async {
        assert_eq!(scene.rpc("evm_revert", json!([snapshot])).await, true);
        scene.rpc("evm_mine", json!([])).await;
    })
    .await;
}

#[tokio::test]
async fn the_embedded_chain_goes_back_and_becomes_longer() {
    let scene = Scene::new(embedded().await).await;
    scene.publish_all().await;
    let snapshot = scene.rpc("evm_snapshot", json!([])).await;
    a_branch_is_left(&scene, || async {
        assert_eq!(scene.rpc("evm_revert", json!([snapshot])).await, true);
        scene.rpc("anvil_mine", json!([5])).await;
    })
    .await;
}

#[tokio::test]
async fn anvil_replaces_its_newest_blocks() {
    tools::need!(tools::anvil_program());
    let anvil = tools::Anvil::start(&[]).unwrap();
    let scene = Scene::new(anvil.ws_url()).await;
    scene.publish_all().await;
    a_branch_is_left(&scene, || async {
        scene.rpc("anvil_reorg", json!([2, []])).await;
    })
    .await;
}
