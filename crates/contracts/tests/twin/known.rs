//! What is known of both worlds from what they have said so far: events are all it learns from.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use alloy::primitives::{Address, B256, Log, U256, address};
use alloy::sol_types::{SolEvent, SolEventInterface};
use contracts::{AppRegistry, Hub};

use crate::step::Offer;
use crate::world::{Places, World};

pub(crate) const KITTY: Address = address!("99c2268479b93fDe36232351229815DF80837e23");
/// The least the kitty gives to a finished task, while it has it (1 RLC).
const KITTY_MIN: u64 = 1_000_000_000;
/// How many signed orders are kept for later deals, of each kind.
const BOOK_MAX: usize = 24;

#[derive(Debug, Clone)]
pub(crate) struct Deal {
    pub(crate) id: B256,
    pub(crate) view: Hub::Deal,
    pub(crate) timeref: U256,
    /// What the sponsor locks for each task.
    pub(crate) price: U256,
    /// What the scheduler locks for each task.
    pub(crate) stake: U256,
}

#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: B256,
    pub(crate) deal: usize,
    /// As the hub counts: 1 active, 2 revealing, 3 completed, 4 failed.
    pub(crate) status: u8,
    pub(crate) contributions: Vec<Contribution>,
    pub(crate) consensus: B256,
    pub(crate) reveal_deadline: U256,
}

#[derive(Debug, Clone)]
pub(crate) struct Contribution {
    pub(crate) worker: Address,
    pub(crate) hash: B256,
    pub(crate) stake: U256,
    pub(crate) revealed: bool,
}

impl Task {
    pub(crate) fn is_open(&self) -> bool {
        self.status < 3
    }

    pub(crate) fn contributed(&self, worker: Address) -> bool {
        self.contributions.iter().any(|one| one.worker == worker)
    }
}

/// Orders that were signed or presigned and may still have volume.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) apps: Vec<Hub::AppOrder>,
    pub(crate) datasets: Vec<Hub::DatasetOrder>,
    pub(crate) pools: Vec<Hub::WorkerpoolOrder>,
    pub(crate) requests: Vec<Hub::RequestOrder>,
}

impl Book {
    pub(crate) fn add(&mut self, offer: Offer) {
        match offer {
            Offer::App(order) => push(&mut self.apps, order),
            Offer::Dataset(order) if order.dataset.is_zero() => {}
            Offer::Dataset(order) => push(&mut self.datasets, order),
            Offer::Pool(order) => push(&mut self.pools, order),
            Offer::Request(order) => push(&mut self.requests, order),
        }
    }
}

fn push<T>(orders: &mut Vec<T>, order: T) {
    if orders.len() >= BOOK_MAX {
        orders.remove(0);
    }
    orders.push(order);
}

#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) places: Places,
    pub(crate) now: U256,
    pub(crate) chain_id: u64,
    pub(crate) separator: B256,
    pub(crate) owner: Address,
    pub(crate) broker: Address,
    pub(crate) callback_gas: U256,
    pub(crate) registries: [Address; 3],
    /// `workClockTimeRef` of each category.
    pub(crate) categories: Vec<U256>,
    /// The entries of the common and the older registries: apps, datasets, workerpools.
    pub(crate) entries: [Vec<Address>; 3],
    /// The entries of the deployment's own registries, by our names.
    pub(crate) natural: [Vec<Address>; 3],
    pub(crate) owners: HashMap<Address, Address>,
    pub(crate) book: Book,
    pub(crate) deals: Vec<Deal>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) open: Vec<usize>,
    by_deal: HashMap<B256, usize>,
    by_task: HashMap<B256, usize>,
    /// Hashes of orders that were consumed or managed.
    pub(crate) hashes: Vec<B256>,
    pub(crate) accounts: BTreeSet<Address>,
    pub(crate) spenders: BTreeSet<(Address, Address)>,
    /// What must be locked, by what happened to deals and tasks.
    pub(crate) frozen: BTreeMap<Address, U256>,
    /// What was sent to the hub by mistake.
    pub(crate) lost: U256,
    pub(crate) boost: Vec<(B256, U256)>,
    /// How many tasks were completed and how many failed.
    pub(crate) settled: [u64; 2],
}

impl Known {
    pub(crate) fn new(places: Places, owner: Address) -> Self {
        Self {
            places,
            now: U256::ZERO,
            chain_id: 0,
            separator: B256::ZERO,
            owner,
            broker: Address::ZERO,
            callback_gas: U256::ZERO,
            registries: places.common,
            categories: Vec::new(),
            entries: Default::default(),
            natural: Default::default(),
            owners: HashMap::new(),
            book: Book::default(),
            deals: Vec::new(),
            tasks: Vec::new(),
            open: Vec::new(),
            by_deal: HashMap::new(),
            by_task: HashMap::new(),
            hashes: Vec::new(),
            accounts: BTreeSet::from([KITTY, places.at.hub]),
            spenders: BTreeSet::new(),
            frozen: BTreeMap::new(),
            lost: U256::ZERO,
            boost: Vec::new(),
            settled: [0; 2],
        }
    }

    pub(crate) fn owner_of(&self, entry: Address) -> Address {
        self.owners.get(&entry).copied().unwrap_or_default()
    }

    pub(crate) fn deal_of(&self, task: &Task) -> &Deal {
        &self.deals[task.deal]
    }

    pub(crate) fn task(&self, id: B256) -> Option<&Task> {
        self.by_task.get(&id).map(|index| &self.tasks[*index])
    }

    /// What can be read and no event tells.
    pub(crate) fn look(&mut self, world: &mut World) {
        let (hub, chain) = (self.places.at.hub, &mut world.chain);
        self.now = U256::from(chain.now());
        self.chain_id = chain.chain_id();
        self.separator = chain.read(hub, &Hub::eip712domain_separatorCall {});
        self.broker = chain.read(hub, &Hub::teebrokerCall {});
        self.callback_gas = chain.read(hub, &Hub::callbackgasCall {});
        self.owner = chain.read(hub, &Hub::ownerCall {});
        self.registries[0] = chain.read(hub, &Hub::appregistryCall {});
        let count: u64 = chain.read(hub, &Hub::countCategoryCall {}).to();
        for _catid in self.categories.len() as u64..count {
            let _catid = U256::from(_catid);
            let category = chain.read(hub, &Hub::viewCategoryCall { _catid });
            self.categories.push(category.workClockTimeRef);
        }
    }

    /// Takes in what a transaction that stays has emitted.
    pub(crate) fn learn(&mut self, logs: &[Log], world: &mut World) {
        let mut before = None;
        for log in logs {
            if log.address == self.places.at.hub {
                if let Ok(event) = Hub::HubEvents::decode_log(log) {
                    self.learn_event(&event.data, before.as_ref(), world);
                    before = Some(event.data);
                }
            } else if let Ok(moved) = AppRegistry::Transfer::decode_log(log) {
                self.learn_owner(log.address, &moved.data);
            }
        }
        if let Some(event) = before {
            self.count_lost(&event, None);
        }
    }

    fn learn_event(
        &mut self,
        event: &Hub::HubEvents,
        before: Option<&Hub::HubEvents>,
        world: &mut World,
    ) {
        use Hub::HubEvents as E;
        if let Some(before) = before {
            self.count_lost(before, Some(event));
        }
        match event {
            E::Transfer(moved) => self.accounts.extend([moved.from, moved.to]),
            E::Approval(allowed) => {
                self.spenders.insert((allowed.owner, allowed.spender));
            }
            E::OrdersMatched(matched) => self.learn_deal(matched, world),
            E::TaskInitialize(task) => self.learn_task(task.taskid, world),
            E::TaskContribute(given) => self.learn_contribution(given, before),
            E::TaskConsensus(found) => self.learn_consensus(found),
            E::TaskReveal(shown) => self.learn_reveal(shown),
            E::TaskReopen(task) => self.set_status(task.taskid, 1),
            E::TaskFinalize(task) => self.settle(task.taskid, 3),
            E::TaskClaimed(task) => self.settle(task.taskid, 4),
            E::SignedAppOrder(order) => self.hashes.push(order.appHash),
            E::SignedDatasetOrder(order) => self.hashes.push(order.datasetHash),
            E::SignedWorkerpoolOrder(order) => self.hashes.push(order.workerpoolHash),
            E::SignedRequestOrder(order) => self.hashes.push(order.requestHash),
            E::ClosedAppOrder(order) => self.hashes.push(order.appHash),
            E::ClosedDatasetOrder(order) => self.hashes.push(order.datasetHash),
            E::ClosedWorkerpoolOrder(order) => self.hashes.push(order.workerpoolHash),
            E::ClosedRequestOrder(order) => self.hashes.push(order.requestHash),
            _ => {}
        }
    }

    /// Tokens that reach the hub without being locked are lost for everybody.
    fn count_lost(&mut self, event: &Hub::HubEvents, next: Option<&Hub::HubEvents>) {
        let Hub::HubEvents::Transfer(moved) = event else {
            return;
        };
        let locked = matches!(next, Some(Hub::HubEvents::Lock(_)));
        if moved.to == self.places.at.hub && !locked {
            self.lost += moved.value;
        }
    }

    fn learn_deal(&mut self, matched: &Hub::OrdersMatched, world: &mut World) {
        let hub = self.places.at.hub;
        let hashes = [
            matched.appHash,
            matched.datasetHash,
            matched.workerpoolHash,
            matched.requestHash,
        ];
        self.hashes.extend(hashes);
        let id = matched.dealid;
        let view = world.chain.read(hub, &Hub::viewDealCall { id });
        if view.requester.is_zero() && view.sponsor.is_zero() {
            return self.boost.push((id, matched.volume));
        }
        let deal = Deal {
            id,
            timeref: self.categories[view.category.to::<usize>()],
            price: view.app.price + view.dataset.price + view.workerpool.price,
            stake: view.workerpool.price * U256::from(30) / U256::from(100),
            view,
        };
        self.freeze(deal.view.sponsor, deal.price * deal.view.botSize);
        self.freeze(deal.view.workerpool.owner, deal.stake * deal.view.botSize);
        self.by_deal.insert(id, self.deals.len());
        self.deals.push(deal);
    }

    fn learn_task(&mut self, id: B256, world: &mut World) {
        let view = world
            .chain
            .read(self.places.at.hub, &Hub::viewTaskCall { id });
        self.by_task.insert(id, self.tasks.len());
        self.open.push(self.tasks.len());
        self.tasks.push(Task {
            id,
            deal: self.by_deal[&view.dealid],
            status: 1,
            contributions: Vec::new(),
            consensus: B256::ZERO,
            reveal_deadline: U256::ZERO,
        });
    }

    /// A contribution with a stake follows its lock; the other kind is paid at once.
    fn learn_contribution(&mut self, given: &Hub::TaskContribute, before: Option<&Hub::HubEvents>) {
        let stake = match before {
            Some(Hub::HubEvents::Lock(lock)) => lock.amount,
            _ => U256::ZERO,
        };
        self.freeze(given.worker, stake);
        let task = &mut self.tasks[self.by_task[&given.taskid]];
        task.contributions.push(Contribution {
            worker: given.worker,
            hash: given.hash,
            stake,
            revealed: false,
        });
    }

    fn learn_consensus(&mut self, found: &Hub::TaskConsensus) {
        let index = self.by_task[&found.taskid];
        let timeref = self.deal_of(&self.tasks[index]).timeref;
        let task = &mut self.tasks[index];
        task.status = 2;
        task.consensus = found.consensus;
        task.reveal_deadline = self.now + timeref * U256::from(2);
    }

    fn learn_reveal(&mut self, shown: &Hub::TaskReveal) {
        let task = &mut self.tasks[self.by_task[&shown.taskid]];
        let mut contributions = task.contributions.iter_mut();
        if let Some(one) = contributions.find(|one| one.worker == shown.worker) {
            one.revealed = true;
        }
    }

    fn set_status(&mut self, task: B256, status: u8) {
        self.tasks[self.by_task[&task]].status = status;
    }

    /// A task ends once, and with it everything that was locked for it.
    fn settle(&mut self, id: B256, status: u8) {
        let Some(&index) = self.by_task.get(&id) else {
            // A task of Boost, which nobody initialized.
            return;
        };
        let task = self.tasks[index].clone();
        assert!(task.is_open(), "task {id} ends a second time");
        self.tasks[index].status = status;
        self.settled[usize::from(status - 3)] += 1;
        self.open.retain(|open| *open != index);
        let deal = self.deals[task.deal].clone();
        self.thaw(deal.view.sponsor, deal.price);
        self.thaw(deal.view.workerpool.owner, deal.stake);
        for one in &task.contributions {
            self.thaw(one.worker, one.stake);
        }
        let kitty = self.frozen.get(&KITTY).copied().unwrap_or_default();
        if status == 4 {
            self.freeze(KITTY, deal.stake);
        } else {
            let share = (kitty / U256::from(10))
                .max(U256::from(KITTY_MIN))
                .min(kitty);
            self.thaw(KITTY, share);
        }
    }

    fn freeze(&mut self, account: Address, amount: U256) {
        *self.frozen.entry(account).or_default() += amount;
    }

    fn thaw(&mut self, account: Address, amount: U256) {
        let frozen = self.frozen.entry(account).or_default();
        let left = frozen.checked_sub(amount);
        *frozen = left.unwrap_or_else(|| panic!("{account} gets back more than it locked"));
    }

    fn learn_owner(&mut self, registry: Address, moved: &AppRegistry::Transfer) {
        let at = self.places.at;
        let natural = [at.app_registry, at.dataset_registry, at.workerpool_registry];
        let generations = [self.places.common, self.places.ancestors, natural];
        let entry = Address::from_word(moved.tokenId.into());
        for (generation, registries) in generations.into_iter().enumerate() {
            let Some(kind) = registries.iter().position(|one| *one == registry) else {
                continue;
            };
            self.owners.insert(entry, moved.to);
            let lists = if generation == 2 {
                &mut self.natural
            } else {
                &mut self.entries
            };
            if moved.from.is_zero() {
                lists[kind].push(entry);
            }
        }
    }
}
