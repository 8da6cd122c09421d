//! What unit tests need: a market in memory, a chain that says what it is told, wallets.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use alloy::{
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::Eip712Domain,
};
use async_trait::async_trait;
use chain::Standing;
use protocol::{
    Address, B256, Bytes, DealId, OrderHash, Signature, Tag, TaskId, U256,
    challenge::Audience,
    deal::{Category, Deal, Resource, Task, TaskStatus},
    order::{self, Kind},
};
use rand::{Rng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Map, Value, json};

use crate::{
    Chain, Claim, Clock, Config, Error,
    book::{Column, Filter},
    input,
    order::{Draft, Terms},
    record::{Record, Status},
    refusal::Refusal,
    service::Market,
};

pub(crate) const CHAIN_ID: u64 = 65535;
const APP: Address = Address::repeat_byte(0xa1);
const DATASET: Address = Address::repeat_byte(0xd1);
const POOL: Address = Address::repeat_byte(0xb1);

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
        order["sign"] = self.sign_hash(draft.hash.0).into();
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
    head: AtomicU64,
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

    /// The newest block.
    pub(crate) fn set_head(&self, head: u64) {
        self.head.store(head, Ordering::SeqCst);
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
    async fn head(&self) -> Result<u64, Error> {
        self.answer(self.head.load(Ordering::SeqCst))
    }
    async fn verify(&self, signer: Address, hash: B256, sign: &Bytes) -> Result<bool, Error> {
        let recovered = Signature::from_raw(sign)
            .ok()
            .and_then(|sign| sign.recover_address_from_prehash(&hash).ok());
        let trusted = self.trusted.lock().unwrap().contains(&signer);
        self.answer(trusted || recovered == Some(signer))
    }
    async fn standing(&self, order: &Claim, at: u64) -> Result<Standing, Error> {
        let sold = order.kind != Kind::Request;
        let owner = self.owners.lock().unwrap().get(&order.resource).copied();
        Ok(Standing {
            owner: owner.filter(|_| sold),
            signed: self.verify(order.signer, order.hash.0, &order.sign).await?,
            consumed: self.consumed(order.hash, at).await?,
            stake: self.stake(order.signer, at).await?,
        })
    }
    async fn owner_of(&self, entry: Address, _: u64) -> Result<Address, Error> {
        self.answer(self.owners.lock().unwrap()[&entry])
    }
    async fn consumed(&self, order: OrderHash, _: u64) -> Result<U256, Error> {
        let consumed = self.consumed.lock().unwrap().get(&order).copied();
        self.answer(U256::from(consumed.unwrap_or_default()))
    }
    async fn stake(&self, account: Address, _: u64) -> Result<U256, Error> {
        let stake = self.stakes.lock().unwrap().get(&account).copied();
        self.answer(U256::from(stake.unwrap_or_default()))
    }
    async fn deal(&self, id: DealId, _: u64) -> Result<Option<Deal>, Error> {
        self.answer(self.deals.lock().unwrap().get(&id).cloned())
    }
    async fn task(&self, id: TaskId, _: u64) -> Result<Option<Task>, Error> {
        self.answer(Some(task_of(DealId::repeat(1), id)))
    }
    async fn category(&self, id: u64, _: u64) -> Result<Option<Category>, Error> {
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
        for entry in [APP, DATASET, POOL] {
            chain.own(entry, owner.address());
        }
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
        let typed = self.market.challenge(address);
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
    request_by(bench.owner.address())
}

/// An unsigned request order of one task of nobody else's.
pub(crate) fn request_by(requester: Address) -> Value {
    json!({
        "app": APP, "appmaxprice": 0, "dataset": Address::ZERO, "datasetmaxprice": 0,
        "workerpool": Address::ZERO, "workerpoolmaxprice": 0,
        "requester": requester, "volume": 1, "tag": Tag::NONE, "category": 0,
        "trust": 0, "beneficiary": Address::ZERO, "callback": Address::ZERO, "params": "{}",
        "salt": B256::ZERO, "sign": "0x",
    })
}

/// An unsigned dataset order of one task.
pub(crate) fn dataset_order() -> Value {
    json!({
        "dataset": DATASET, "datasetprice": 0, "volume": 1, "tag": Tag::NONE,
        "apprestrict": Address::ZERO, "workerpoolrestrict": Address::ZERO,
        "requesterrestrict": Address::ZERO, "salt": B256::ZERO, "sign": "0x",
    })
}

/// An unsigned workerpool order of one task.
pub(crate) fn workerpool_order() -> Value {
    json!({
        "workerpool": POOL, "workerpoolprice": 0, "volume": 1, "tag": Tag::NONE, "category": 0,
        "trust": 0, "apprestrict": Address::ZERO, "datasetrestrict": Address::ZERO,
        "requesterrestrict": Address::ZERO, "salt": B256::ZERO, "sign": "0x",
    })
}

/// The first task of a deal, just initialised.
pub(crate) fn task_of(deal: DealId, id: TaskId) -> Task {
    Task {
        id,
        deal,
        index: 0,
        status: TaskStatus::Active,
        timeref: 0,
        contribution_deadline: 0,
        reveal_deadline: 0,
        final_deadline: 0,
        consensus_value: B256::ZERO,
        reveal_counter: 0,
        winner_counter: 0,
        contributors: Vec::new(),
        result_digest: B256::ZERO,
        results: Bytes::new(),
        results_timestamp: 0,
        results_callback: Bytes::new(),
    }
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

const ROLES: [Column; 5] = [
    Column::App,
    Column::Dataset,
    Column::Workerpool,
    Column::Requester,
    Column::Signer,
];
const NUMBERS: [Column; 4] = [
    Column::Price,
    Column::Remaining,
    Column::Category,
    Column::Trust,
];

fn random_role(rng: &mut StdRng) -> Address {
    Address::repeat_byte(rng.gen_range(0..3))
}

/// Bits at both ends of the words that a tag is stored in.
fn random_tag(rng: &mut StdRng) -> Tag {
    let mut bytes = B256::ZERO;
    for index in [0, 8, 24, 31] {
        bytes[index] = *[0, 0x80, 0x01, 0x81].choose(rng).unwrap();
    }
    Tag(bytes)
}

/// An order of any kind whose values are few, so that filters hit.
pub(crate) fn random_record(rng: &mut StdRng) -> Record {
    let kind = *Kind::ALL.choose(rng).unwrap();
    let mut body = Map::new();
    for name in ["app", "dataset", "workerpool", "requester", "beneficiary"] {
        body.insert(name.to_owned(), json!(random_role(rng)));
    }
    for price in [
        "appprice",
        "datasetprice",
        "workerpoolprice",
        "workerpoolmaxprice",
    ] {
        body.insert(price.to_owned(), rng.gen_range(0..4).into());
    }
    for number in ["category", "trust"] {
        body.insert(number.to_owned(), rng.gen_range(0..4).into());
    }
    body.insert("volume".to_owned(), 4.into());
    body.insert("tag".to_owned(), json!(random_tag(rng)));
    Record {
        kind,
        hash: OrderHash(B256::from(rng.r#gen::<[u8; 32]>())),
        terms: Terms::of(kind, &body),
        body,
        signer: random_role(rng),
        remaining: rng.gen_range(0..4),
        status: *[Status::Open, Status::Open, Status::Dead]
            .choose(rng)
            .unwrap(),
        published_ms: rng.gen_range(0..3),
        seen: 0,
    }
}

pub(crate) fn random_filter(rng: &mut StdRng) -> Filter {
    let who = *ROLES.choose(rng).unwrap();
    let number = *NUMBERS.choose(rng).unwrap();
    let n = rng.gen_range(0..4);
    match rng.gen_range(0..8) {
        0 => Filter::Is(who, random_role(rng)),
        1 => Filter::OpenTo(who, random_role(rng)),
        2 => Filter::public(who),
        3 => Filter::Equals(number, n),
        4 => Filter::AtLeast(number, n),
        5 => Filter::AtMost(number, n),
        6 => Filter::Covers(random_tag(rng)),
        _ => Filter::Within(random_tag(rng)),
    }
}
