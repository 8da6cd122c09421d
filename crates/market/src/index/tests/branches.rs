//! Invented chains that fork at random: whatever branches were followed in between, in the end the
//! database is the one that the winning branch alone leads to, also if the service died meanwhile.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use alloy::sol_types::Eip712Domain;
use async_trait::async_trait;
use chain::Standing;
use protocol::{
    Bytes,
    deal::{Category, Deal, Task},
    order,
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::Value;

use super::*;
use crate::{
    Chain, Claim, Clock, Config,
    testing::{CHAIN_ID, Wallet, dataset_order, task_of, workerpool_order},
};

/// Blocks that may be orphaned at once in these tests.
const FORK_DEPTH_MAX: usize = 6;
const RICH: u64 = 1000;

/// One thing that a transaction did.
#[derive(Clone, Debug)]
enum Act {
    /// Uses one task of each.
    Match([usize; 4]),
    Close(usize),
    /// The owner's stake is this from now on.
    Stake(u64),
    /// The app belongs to somebody else, or to the owner again.
    App(Address),
    Category,
    Initialize(DealId),
    Finalize(DealId),
}

#[derive(Clone, Debug)]
struct Block {
    hash: B256,
    acts: Vec<Act>,
}

/// The state after some block.
#[derive(Clone, Default)]
struct World {
    consumed: HashMap<usize, u64>,
    stake: u64,
    app_owner: Address,
    deals: Vec<(DealId, u64)>,
    categories: u64,
}

/// A chain whose newest blocks can be replaced.
struct Model {
    owner: Wallet,
    /// Hash and volume of the orders there are.
    orders: Mutex<Vec<(OrderHash, u64)>>,
    /// The first is number 0 and empty.
    blocks: Mutex<Vec<Block>>,
}

impl Model {
    fn at(&self, number: u64) -> World {
        let mut world = World {
            stake: RICH,
            app_owner: self.owner.address(),
            ..World::default()
        };
        let blocks = self.blocks.lock().unwrap();
        for (block, number) in blocks[..=number as usize].iter().zip(0..) {
            block
                .acts
                .iter()
                .for_each(|act| self.act(&mut world, act, number));
        }
        world
    }

    fn act(&self, world: &mut World, act: &Act, number: u64) {
        match act {
            Act::Match(orders) => {
                let request = orders[3];
                let nth = world.consumed.get(&request).copied().unwrap_or_default();
                world.deals.push((deal_id(request, nth, number), number));
                for order in orders {
                    *world.consumed.entry(*order).or_default() += 1;
                }
            }
            Act::Close(order) => {
                let volume = self.orders.lock().unwrap()[*order].1;
                world.consumed.insert(*order, volume);
            }
            Act::Stake(stake) => world.stake = *stake,
            Act::App(owner) => world.app_owner = *owner,
            Act::Category => world.categories += 1,
            Act::Initialize(_) | Act::Finalize(_) => {}
        }
    }

    /// The facts of a block, as events tell them.
    fn facts(&self, number: u64) -> Vec<Located> {
        let block = self.blocks.lock().unwrap()[number as usize].clone();
        let mut world = self.at(number.saturating_sub(1));
        let mut facts = Vec::new();
        for (act, position) in block.acts.iter().zip(0..) {
            let fact = self.fact(&world, act, number);
            self.act(&mut world, act, number);
            facts.extend(fact.map(|fact| Located {
                fact,
                block: number,
                position,
                tx: block.hash,
            }));
        }
        facts
    }

    fn fact(&self, world: &World, act: &Act, number: u64) -> Option<Fact> {
        let hash = |order: usize| self.orders.lock().unwrap()[order].0;
        let step = |deal: &DealId, step| Fact::Task {
            task: deal.task(0),
            step,
            worker: Address::ZERO,
        };
        Some(match act {
            Act::Match([app, dataset, workerpool, request]) => {
                let nth = world.consumed.get(request).copied().unwrap_or_default();
                Fact::Matched(Match {
                    deal: deal_id(*request, nth, number),
                    app: hash(*app),
                    dataset: hash(*dataset),
                    workerpool: hash(*workerpool),
                    request: hash(*request),
                    volume: U256::from(1),
                })
            }
            Act::Close(order) => Fact::Closed(hash(*order)),
            Act::Stake(stake) if *stake < world.stake => Fact::StakeLeft(self.owner.address()),
            Act::Stake(_) => return None,
            Act::App(_) => Fact::AssetLeft {
                kind: Kind::App,
                entry: app_order()["app"].as_str().unwrap().parse().unwrap(),
                from: world.app_owner,
            },
            Act::Category => Fact::Category(world.categories),
            Act::Initialize(deal) => step(deal, TaskStep::Initialized),
            Act::Finalize(deal) => step(deal, TaskStep::Finalized),
        })
    }

    fn head(&self) -> u64 {
        self.blocks.lock().unwrap().len() as u64 - 1
    }

    fn mark(&self, number: u64) -> BlockRef {
        let hash = self.blocks.lock().unwrap()[number as usize].hash;
        BlockRef { number, hash }
    }

    /// Replaces the newest blocks by others, and adds some.
    fn fork(&self, rng: &mut StdRng) {
        let length = self.blocks.lock().unwrap().len();
        let lost = rng.gen_range(0..=FORK_DEPTH_MAX.min(length - 1));
        self.blocks.lock().unwrap().truncate(length - lost);
        for _ in 0..rng.gen_range(1..=4) {
            let mut world = self.at(self.head());
            let mut acts = Vec::new();
            for _ in 0..rng.gen_range(0..3) {
                let act = self.random_act(&world, rng);
                self.act(&mut world, &act, self.head() + 1);
                acts.push(act);
            }
            let hash = B256::from(rng.r#gen::<[u8; 32]>());
            self.blocks.lock().unwrap().push(Block { hash, acts });
        }
    }

    /// Something that the contracts would allow.
    fn random_act(&self, world: &World, rng: &mut StdRng) -> Act {
        let left = |order: &usize| {
            let volume = self.orders.lock().unwrap()[*order].1;
            volume > world.consumed.get(order).copied().unwrap_or_default()
        };
        let one = |orders: &[usize], rng: &mut StdRng| {
            let open: Vec<_> = orders.iter().copied().filter(|order| left(order)).collect();
            open.choose(rng).copied()
        };
        match rng.gen_range(0..12) {
            0..5 => {
                let found = [APPS, DATASETS, POOLS, REQUESTS].map(|orders| one(orders, rng));
                match found {
                    [Some(a), Some(d), Some(w), Some(r)] => Act::Match([a, d, w, r]),
                    _ => Act::Category,
                }
            }
            5 => Act::Close(*[0, 3, 5, 7].choose(rng).unwrap()),
            6 | 7 => Act::Stake(*[0, 60, 100, RICH].choose(rng).unwrap()),
            8 => Act::App(*[self.owner.address(), Address::ZERO].choose(rng).unwrap()),
            9 | 10 => match world.deals.choose(rng) {
                Some((deal, _)) if rng.r#gen() => Act::Initialize(*deal),
                Some((deal, _)) => Act::Finalize(*deal),
                None => Act::Category,
            },
            _ => Act::Category,
        }
    }
}

/// Deals of one request order on two branches may differ and still have the same id.
fn deal_id(request: usize, nth: u64, _: u64) -> DealId {
    DealId::repeat((request * 16) as u8 + nth as u8)
}

/// Places of the orders in [`Model::orders`]; the last app order is published late.
const APPS: &[usize] = &[0, 1, 2];
const DATASETS: &[usize] = &[3, 4];
const POOLS: &[usize] = &[5, 6];
const REQUESTS: &[usize] = &[7, 8, 9];
const LATE: usize = 2;

#[async_trait]
impl Chain for Model {
    fn domain(&self) -> Eip712Domain {
        order::domain(CHAIN_ID, Address::repeat_byte(0xc1))
    }
    async fn head(&self) -> Result<u64, Error> {
        Ok(Self::head(self))
    }
    async fn verify(&self, _: Address, _: B256, _: &Bytes) -> Result<bool, Error> {
        Ok(true)
    }
    async fn standing(&self, claim: &Claim, at: u64) -> Result<Standing, Error> {
        Ok(Standing {
            owner: Some(self.owner.address()),
            signed: true,
            consumed: self.consumed(claim.hash, at).await?,
            stake: U256::from(RICH),
        })
    }
    async fn owner_of(&self, _: Address, at: u64) -> Result<Address, Error> {
        Ok(self.at(at).app_owner)
    }
    async fn consumed(&self, order: OrderHash, at: u64) -> Result<U256, Error> {
        let orders = self.orders.lock().unwrap().clone();
        let place = orders.iter().position(|(hash, _)| *hash == order);
        let consumed = place.and_then(|place| self.at(at).consumed.get(&place).copied());
        Ok(U256::from(consumed.unwrap_or_default()))
    }
    async fn stake(&self, _: Address, at: u64) -> Result<U256, Error> {
        Ok(U256::from(self.at(at).stake))
    }
    async fn deal(&self, id: DealId, at: u64) -> Result<Option<Deal>, Error> {
        let made = self.at(at).deals.into_iter().find(|(deal, _)| *deal == id);
        Ok(made.map(|(_, block)| {
            let mut deal = deal(id, self.owner.address());
            deal.start_time = block;
            deal
        }))
    }
    async fn task(&self, id: TaskId, at: u64) -> Result<Option<Task>, Error> {
        let made = self
            .at(at)
            .deals
            .into_iter()
            .find(|(deal, _)| deal.task(0) == id);
        Ok(made.map(|(deal, _)| task_of(deal, id)))
    }
    async fn category(&self, id: u64, at: u64) -> Result<Option<Category>, Error> {
        Ok((id < self.at(at).categories).then(|| Category {
            name: format!("C{id}"),
            description: String::new(),
            work_clock_time_ref: id,
        }))
    }
    async fn block_time(&self, block: u64) -> Result<u64, Error> {
        Ok(block)
    }
}

/// An index of a model, which may die and start again.
struct Indexer {
    market: Arc<Market>,
    model: Arc<Model>,
    url: String,
}

impl Indexer {
    async fn open(url: &str, model: &Arc<Model>) -> Self {
        let config = Config::new(url, CHAIN_ID);
        let clock = Clock::new(|| 1_700_000_000_000);
        let market = Market::open(config, model.clone(), clock).await.unwrap();
        Self {
            market: Arc::new(market),
            model: Arc::clone(model),
            url: url.to_owned(),
        }
    }

    async fn publish(&self, place: usize) {
        let (kind, order) = order_at(place, self.model.owner.address());
        let signed = self.model.owner.sign(kind, order, &self.model.domain());
        let body = crate::input::read_order(kind, &json!({ "order": signed })).unwrap();
        let owner = self.model.owner.address();
        self.market.publish(kind, owner, body).await.unwrap();
    }

    /// What the service does after a start, and when the head is another one.
    async fn catch_up(&self, mut span: impl FnMut() -> u64) {
        let market = &self.market;
        loop {
            let trail = market.database.trail().await.unwrap();
            let kept = |mark: &&BlockRef| {
                mark.number <= self.model.head() && self.model.mark(mark.number) == **mark
            };
            let fork = trail.iter().rev().find(kept).map_or(0, |mark| mark.number);
            if trail.last().is_some_and(|newest| newest.number != fork) {
                market.go_back(fork).await.unwrap();
            }
            let next = market.cursor().await.unwrap();
            let head = self.model.head();
            if next > head {
                return;
            }
            let up_to = head.min(next + span());
            let range = Range {
                facts: (next..=up_to).flat_map(|n| self.model.facts(n)).collect(),
                up_to,
                head,
                blocks: (next..=up_to).map(|n| self.model.mark(n)).collect(),
            };
            market.apply(&range).await.unwrap();
        }
    }

    /// Dies after so many steps of its work, and starts again.
    async fn die_after(self, polls: usize) -> Self {
        let work = Box::pin(async {
            self.market.start_over().await.unwrap();
            self.catch_up(|| 2).await;
        });
        Mortal { work, polls }.await;
        let Self { model, url, market } = self;
        // What it had begun to commit is committed or not before it starts again, as after a kill.
        market.database.close().await;
        let reborn = Self::open(&url, &model).await;
        reborn.market.start_over().await.unwrap();
        reborn
    }
}

/// A future that is given up after being asked so many times.
struct Mortal<F> {
    work: Pin<Box<F>>,
    polls: usize,
}

impl<F: Future<Output = ()>> Future for Mortal<F> {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.polls == 0 {
            return Poll::Ready(());
        }
        self.polls -= 1;
        self.work.as_mut().poll(context)
    }
}

/// The order at a place, unsigned.
fn order_at(place: usize, owner: Address) -> (Kind, Value) {
    let bench = (dataset_order()["dataset"].clone(), json!(owner));
    let request = |price: u64, volume: u64| {
        let mut order = crate::testing::request_by(owner);
        order["workerpoolmaxprice"] = json!(price);
        order["volume"] = json!(volume);
        order
    };
    let (kind, mut order) = match place {
        0..=2 => (Kind::App, app_order()),
        3 | 4 => (Kind::Dataset, dataset_order()),
        5 | 6 => (Kind::Workerpool, workerpool_order()),
        7 => (Kind::Request, request(50, 2)),
        8 => (Kind::Request, request(0, 3)),
        _ => (Kind::Request, request(70, 1)),
    };
    match place {
        LATE => {
            order["app"] = json!(Address::repeat_byte(0xa2));
            order["volume"] = json!(200);
        }
        5 => order["workerpoolprice"] = json!(250),
        8 | 9 => order["dataset"] = bench.0,
        _ => {}
    }
    if place < 7 && place != LATE {
        order["volume"] = json!(4);
    }
    order["salt"] = json!(OrderHash::repeat(place as u8));
    (kind, order)
}

fn model() -> Arc<Model> {
    let model = Model {
        owner: Wallet::new(7),
        orders: Mutex::default(),
        blocks: Mutex::new(vec![Block {
            hash: B256::ZERO,
            acts: Vec::new(),
        }]),
    };
    for place in 0..10 {
        let (kind, order) = order_at(place, model.owner.address());
        let volume = order["volume"].as_u64().unwrap();
        let body = crate::input::read_order(kind, &json!({ "order": order })).unwrap();
        let draft = crate::order::Draft::new(kind, body, &model.domain()).unwrap();
        model.orders.lock().unwrap().push((draft.hash, volume));
    }
    Arc::new(model)
}

async fn published(url: &str, model: &Arc<Model>, late: bool) -> Indexer {
    let indexer = Indexer::open(url, model).await;
    for place in (0..10).filter(|place| late || *place != LATE) {
        indexer.publish(place).await;
    }
    indexer
}

/// The database of an index that only ever saw the branch as it is now, block after block.
async fn winner(model: &Arc<Model>) -> Vec<String> {
    let genesis = {
        let mut blocks = model.blocks.lock().unwrap();
        let genesis = blocks[..1].to_vec();
        std::mem::replace(&mut *blocks, genesis)
    };
    let alone = published("sqlite::memory:", model, true).await;
    *model.blocks.lock().unwrap() = genesis;
    alone.catch_up(|| 0).await;
    alone.market.database.dump().await
}

async fn branches_end_alike(url: &str, seed: u64, mortal: bool) {
    let mut rng = StdRng::seed_from_u64(seed);
    let model = model();
    let mut indexer = published(url, &model, false).await;
    let late = rng.gen_range(0..8);
    for round in 0..8 {
        model.fork(&mut rng);
        if round == late {
            // Before it noticed that the chain became shorter it would refuse.
            if model.head() < indexer.market.cursor().await.unwrap() {
                indexer.catch_up(|| 1).await;
            }
            indexer.publish(LATE).await;
        }
        match rng.gen_range(0..4) {
            0 => {}
            1 if mortal => indexer = indexer.die_after(rng.gen_range(0..400)).await,
            _ => {
                let span = rng.gen_range(0..3);
                indexer.catch_up(|| span).await;
            }
        }
    }
    indexer.catch_up(|| 1).await;
    indexer.market.database.check_shelves().await;
    let found = indexer.market.database.dump().await;
    let expected = winner(&model).await;
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these
            .iter()
            .filter(|line| !those.contains(line))
            .cloned()
            .collect()
    };
    let (extra, missing) = (only(&found, &expected), only(&expected, &found));
    assert_eq!(extra, missing, "seed {seed}");
}

#[tokio::test]
async fn any_branches_end_as_the_winning_one_alone() {
    for seed in 0..60 {
        branches_end_alike("sqlite::memory:", seed, false).await;
    }
}

#[tokio::test]
async fn deaths_between_any_two_steps_lose_nothing() {
    for seed in 100..130 {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/market.db", folder.path().display());
        branches_end_alike(&url, seed, true).await;
    }
}

#[tokio::test]
async fn postgres_goes_back_and_forth_alike() {
    for seed in 200..205 {
        let url = tools::need!(tools::postgres_database());
        branches_end_alike(&url, seed, true).await;
    }
}
