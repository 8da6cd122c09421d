//! What unit tests need: a market in memory, a chain that says what it is told, wallets.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use alloy::{
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::Eip712Domain,
};
use async_trait::async_trait;
use protocol::{
    Address, B256, Bytes, DealId, OrderHash, Signature, Tag, U256,
    challenge::Audience,
    deal::{Category, Deal, Resource},
    order::{self, Kind},
};
use serde_json::{Value, json};

use crate::{
    Chain, Clock, Config, Error, input,
    order::{Draft, Terms},
    record::{Record, Status},
    refusal::Refusal,
    service::Market,
};

pub(crate) const CHAIN_ID: u64 = 65535;
const APP: Address = Address::repeat_byte(0xa1);

/// A wallet made of a number.
pub(crate) struct Wallet(PrivateKeySigner);

impl Wallet {
    pub(crate) fn new(number: u8) -> Self {
        Self(PrivateKeySigner::from_bytes(&B256::with_last_byte(number)).unwrap())
    }

    pub(crate) fn address(&self) -> Address {
        self.0.address()
    }

    fn sign_hash(&self, hash: B256) -> String {
        Bytes::from(self.0.sign_hash_sync(&hash).unwrap().as_bytes()).to_string()
    }

    /// An authorization for `words`, claiming to be `address`.
    pub(crate) fn answer(&self, words: &str, address: Address) -> String {
        let hash = Audience::Market.hash(CHAIN_ID, words);
        format!("{hash}_{}_{address}", self.sign_hash(hash))
    }

    pub(crate) fn sign(&self, kind: Kind, mut order: Value, domain: &Eip712Domain) -> Value {
        order["sign"] = json!("0x");
        let body = input::read_order(kind, &json!({ "order": order })).unwrap();
        let draft = Draft::new(kind, body, domain).unwrap();
        order["sign"] = self.sign_hash(draft.digest()).into();
        order
    }
}

/// A chain of answers given beforehand; signatures are checked for real.
#[derive(Default)]
pub(crate) struct FakeChain {
    owners: Mutex<HashMap<Address, Address>>,
    consumed: Mutex<HashMap<OrderHash, u64>>,
    stakes: Mutex<HashMap<Address, u64>>,
    trusted: Mutex<HashSet<Address>>,
    deals: Mutex<HashMap<DealId, Deal>>,
    failing: AtomicBool,
}

impl FakeChain {
    pub(crate) fn own(&self, entry: Address, owner: Address) {
        self.owners.lock().unwrap().insert(entry, owner);
    }

    pub(crate) fn consume(&self, order: OrderHash, volume: u64) {
        self.consumed.lock().unwrap().insert(order, volume);
    }

    pub(crate) fn set_stake(&self, account: Address, stake: u64) {
        self.stakes.lock().unwrap().insert(account, stake);
    }

    /// From now on every signature of `signer` is good.
    pub(crate) fn trust(&self, signer: Address) {
        self.trusted.lock().unwrap().insert(signer);
    }

    pub(crate) fn make(&self, deal: Deal) {
        self.deals.lock().unwrap().insert(deal.id, deal);
    }

    pub(crate) fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    fn answer<T>(&self, value: T) -> Result<T, Error> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(Error::chain("the node is away"));
        }
        Ok(value)
    }
}

#[async_trait]
impl Chain for FakeChain {
    fn domain(&self) -> Eip712Domain {
        order::domain(CHAIN_ID, Address::repeat_byte(0xc1))
    }
    async fn is_registered(&self, _: Kind, entry: Address) -> Result<bool, Error> {
        self.answer(self.owners.lock().unwrap().contains_key(&entry))
    }
    async fn owner_of(&self, entry: Address) -> Result<Address, Error> {
        self.answer(self.owners.lock().unwrap()[&entry])
    }
    async fn verify(&self, signer: Address, hash: B256, sign: &Bytes) -> Result<bool, Error> {
        let recovered = Signature::from_raw(sign)
            .ok()
            .and_then(|sign| sign.recover_address_from_prehash(&hash).ok());
        let trusted = self.trusted.lock().unwrap().contains(&signer);
        self.answer(trusted || recovered == Some(signer))
    }
    async fn consumed(&self, order: OrderHash) -> Result<U256, Error> {
        let consumed = self.consumed.lock().unwrap().get(&order).copied();
        self.answer(U256::from(consumed.unwrap_or_default()))
    }
    async fn stake(&self, account: Address) -> Result<U256, Error> {
        let stake = self.stakes.lock().unwrap().get(&account).copied();
        self.answer(U256::from(stake.unwrap_or_default()))
    }
    async fn deal(&self, id: DealId) -> Result<Option<Deal>, Error> {
        self.answer(self.deals.lock().unwrap().get(&id).cloned())
    }
    async fn category(&self, id: u64) -> Result<Option<Category>, Error> {
        self.answer(Some(Category {
            name: format!("C{id}"),
            description: String::new(),
            work_clock_time_ref: 100 - id,
        }))
    }
    async fn block_time(&self, block: u64) -> Result<u64, Error> {
        self.answer(block)
    }
}

/// A market in memory with one wallet that owns one app.
pub(crate) struct Bench {
    pub(crate) market: Arc<Market>,
    pub(crate) chain: Arc<FakeChain>,
    pub(crate) owner: Wallet,
    pub(crate) app: Address,
    now_ms: Arc<AtomicI64>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let now_ms = Arc::new(AtomicI64::new(1_700_000_000_000));
        let read = Arc::clone(&now_ms);
        let clock = Clock::new(move || read.load(Ordering::SeqCst));
        let chain = Arc::new(FakeChain::default());
        let owner = Wallet::new(7);
        chain.own(APP, owner.address());
        let config = Config::new("sqlite::memory:", CHAIN_ID);
        let market = Market::open(config, chain.clone(), clock).await.unwrap();
        Self {
            market: Arc::new(market),
            chain,
            owner,
            app: APP,
            now_ms,
        }
    }

    pub(crate) fn domain(&self) -> Eip712Domain {
        self.chain.domain()
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) async fn words(&self, address: Address) -> String {
        let typed = self.market.challenge(address).await.unwrap();
        typed["message"]["challenge"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn login(&self, wallet: &Wallet) -> String {
        let words = self.words(wallet.address()).await;
        wallet.answer(&words, wallet.address())
    }

    /// Signs with the owner's key and publishes as the owner.
    pub(crate) async fn publish(&self, kind: Kind, order: Value) -> Result<Record, Refusal> {
        let signed = self.owner.sign(kind, order, &self.domain());
        self.publish_signed(kind, signed).await
    }

    pub(crate) async fn publish_signed(&self, kind: Kind, order: Value) -> Result<Record, Refusal> {
        let body = input::read_order(kind, &json!({ "order": order }))?;
        self.market.publish(kind, self.owner.address(), body).await
    }

    pub(crate) async fn status(&self, hash: OrderHash) -> Option<Status> {
        let record = self.market.database.order(hash).await.unwrap();
        record.map(|record| record.status)
    }
}

/// An order for one free run of the bench's app, unsigned.
pub(crate) fn app_order() -> Value {
    json!({
        "app": APP, "appprice": 0, "volume": 1, "tag": Tag::NONE,
        "datasetrestrict": Address::ZERO, "workerpoolrestrict": Address::ZERO,
        "requesterrestrict": Address::ZERO, "salt": B256::ZERO, "sign": "0x",
    })
}

/// A request of the bench's owner for one free run of its app, unsigned.
pub(crate) fn request_order(bench: &Bench) -> Value {
    json!({
        "app": bench.app, "appmaxprice": 0, "dataset": Address::ZERO, "datasetmaxprice": 0,
        "workerpool": Address::ZERO, "workerpoolmaxprice": 0,
        "requester": bench.owner.address(), "volume": 1, "tag": Tag::NONE, "category": 0,
        "trust": 0, "beneficiary": Address::ZERO, "callback": Address::ZERO, "params": "{}",
        "salt": B256::ZERO, "sign": "0x",
    })
}

/// Terms that say nothing.
pub(crate) fn terms() -> Terms {
    Terms::of(Kind::Request, &serde_json::Map::new())
}

/// A deal of one task, made by `requester` at second 1000.
pub(crate) fn deal(id: DealId, requester: Address) -> Deal {
    let leg = Resource {
        pointer: APP,
        owner: requester,
        price: U256::from(2),
    };
    Deal {
        id,
        app: leg,
        dataset: Resource::default(),
        workerpool: leg,
        trust: U256::from(1),
        category: 3,
        tag: Tag::NONE,
        requester,
        beneficiary: requester,
        callback: Address::ZERO,
        params: "{}".to_owned(),
        start_time: 1000,
        bot_first: 0,
        bot_size: 1,
        worker_stake: U256::ZERO,
        scheduler_reward_ratio: U256::ZERO,
        sponsor: requester,
    }
}
