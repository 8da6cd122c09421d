//! Publishing on a market that keeps what it is given.

use std::sync::Mutex;

use axum::{Json, Router, extract::State, http::HeaderMap, routing::get};
use protocol::Tag;
use tokio::sync::watch;

use super::*;

const CHAIN_ID: u64 = 65535;
const TEXT: &str = "Sign this message to log into iExec Gateway: x";

/// The market's order book; the number of orders is pushed.
struct Market {
    orders: Mutex<Vec<Value>>,
    count: watch::Sender<usize>,
}

impl Market {
    /// Uses every open order up.
    fn use_up(&self) {
        self.orders.lock().unwrap().clear();
    }

    async fn serve(self: Arc<Self>) -> String {
        let router = Router::new()
            .route("/challenge", get(challenge))
            .route("/workerpoolorders", get(list).post(publish).put(withdraw))
            .with_state(self);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        url
    }
}

async fn withdraw(State(market): State<Arc<Market>>, Json(body): Json<Value>) -> Json<Value> {
    assert_eq!(body["target"], "unpublish_all");
    market.use_up();
    market.count.send_replace(0);
    Json(json!({ "ok": true, "unpublished": [] }))
}

async fn challenge() -> Json<Value> {
    Json(json!({ "ok": true, "data": Audience::Market.typed_data(CHAIN_ID, TEXT) }))
}

async fn list(State(market): State<Arc<Market>>) -> Json<Value> {
    let orders = market.orders.lock().unwrap().clone();
    Json(json!({ "ok": true, "count": orders.len(), "orders": orders }))
}

async fn publish(
    State(market): State<Arc<Market>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Json<Value> {
    let token = headers["authorization"].to_str().unwrap();
    let is_good = Token::parse(token)
        .unwrap()
        .proves(Audience::Market.hash(CHAIN_ID, TEXT));
    if !is_good {
        return Json(json!({ "ok": false, "error": "invalid authorization" }));
    }
    let listed = json!({ "order": body["order"], "remaining": 10 });
    market.orders.lock().unwrap().push(listed);
    market.count.send_modify(|count| *count += 1);
    Json(json!({ "ok": true, "published": {} }))
}

fn offer(tag: Tag) -> Offer {
    Offer {
        category: 1,
        tag,
        price: 5,
        trust: 1,
        volume: 10,
    }
}

fn publisher(
    config: &Config,
    owner: Wallet,
    domain: Eip712Domain,
    chain_id: u64,
) -> Option<Publisher> {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Publisher::new(config, owner, domain, chain_id)
}

#[test]
fn an_offer_is_covered_by_an_equal_order_of_any_volume() {
    let offer = offer(Tag::TEE_TDX);
    let open = order(Address::repeat_byte(1), &offer, B256::repeat_byte(2));
    let used = WorkerpoolOrder {
        volume: U256::from(3),
        ..open.clone()
    };
    assert!(covers(&open, &offer) && covers(&used, &offer));
    let dearer = Offer {
        price: 6,
        ..offer.clone()
    };
    assert!(!covers(&open, &dearer));
    let restricted = WorkerpoolOrder {
        requesterrestrict: Address::repeat_byte(3),
        ..open
    };
    assert!(!covers(&restricted, &offer));
}

#[tokio::test]
async fn offers_are_published_once_and_again_when_used_up() {
    let market = Arc::new(Market {
        orders: Mutex::default(),
        count: watch::channel(0).0,
    });
    let mut count = market.count.subscribe();
    let config = Config {
        market_url: Some(market.clone().serve().await),
        offers: vec![offer(Tag::NONE), offer(Tag::TEE_TDX)],
        ..crate::testing::config("")
    };
    let domain = protocol::order::domain(CHAIN_ID, Address::repeat_byte(9));
    let owner = Wallet::random();
    let publisher = publisher(&config, owner.clone(), domain.clone(), CHAIN_ID).unwrap();
    assert_eq!(publisher.publish_missing().await.unwrap(), 10);
    assert_eq!(publisher.publish_missing().await.unwrap(), 10);
    assert_eq!(*count.borrow_and_update(), 2, "nothing is published twice");
    let first = market.orders.lock().unwrap()[0]["order"].clone();
    let signed: Signed<WorkerpoolOrder> = serde_json::from_value(first).unwrap();
    let sign = protocol::Signature::from_raw(&signed.sign).unwrap();
    let signer = sign.recover_address_from_prehash(&signed.hash(&domain).0);
    assert_eq!(signer.unwrap(), owner.address());
    let demand = Arc::new(Demand::default());
    let running = tokio::spawn(publisher.run(demand.clone()));
    market.use_up();
    demand.add(9);
    demand.add(1);
    count.wait_for(|count| *count == 4).await.unwrap();
    running.abort();
}

#[tokio::test]
async fn a_pool_that_drains_takes_its_offers_back() {
    let market = Arc::new(Market {
        orders: Mutex::default(),
        count: watch::channel(0).0,
    });
    let mut count = market.count.subscribe();
    let config = Config {
        market_url: Some(market.clone().serve().await),
        offers: vec![offer(Tag::NONE)],
        ..crate::testing::config("")
    };
    let domain = protocol::order::domain(CHAIN_ID, Address::repeat_byte(9));
    let publisher = publisher(&config, Wallet::random(), domain, CHAIN_ID).unwrap();
    let drain = CancellationToken::new();
    let running = tokio::spawn(publisher.until(drain.clone(), Arc::default()));
    count.wait_for(|count| *count == 1).await.unwrap();
    drain.cancel();
    count.wait_for(|count| *count == 0).await.unwrap();
    running.await.unwrap();
    assert!(market.orders.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_is_told() {
    let router = Router::new().route(
        "/workerpoolorders",
        get(async || Json(json!({ "ok": false, "error": "no" }))),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    let config = Config {
        market_url: Some(url),
        offers: vec![offer(Tag::NONE)],
        ..crate::testing::config("")
    };
    let domain = protocol::order::domain(CHAIN_ID, Address::ZERO);
    let publisher = publisher(&config, Wallet::random(), domain, CHAIN_ID).unwrap();
    let error = publisher.publish_missing().await.unwrap_err();
    assert!(matches!(error, Error::MarketRefused(text) if text.contains("no")));
}
