//! A scripted chain for the tests of the service.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use chain::{Batch, HubEvent, Located, Settlement, Wallet};
use protocol::{
    Address, B256, DealId, Tag, TaskId, U256,
    deal::{Contribution, ContributionStatus, Deal, Resource, Task, TaskStatus},
    message::Authorization,
};
use tokio::sync::watch;

use crate::{
    Config, Error,
    ledger::{EventSource, Ledger, Turn},
    machine::terms::App,
    sms::Sms,
};

pub(crate) const WORKERPOOL: Address = Address::repeat_byte(0x77);
pub(crate) const CHAIN_ID: u64 = 65535;

/// A chain of which every event is a block of its own, starting with block 1.
#[derive(Clone)]
pub(crate) struct Script {
    state: Arc<Mutex<State>>,
    head: Arc<watch::Sender<u64>>,
    pub(crate) owner: Wallet,
}

#[derive(Default)]
struct State {
    deals: Vec<Deal>,
    tasks: Vec<Task>,
    events: Vec<HubEvent>,
    initialize_calls: Vec<Vec<u64>>,
    settle_calls: Vec<Vec<Settlement>>,
    refused: Vec<TaskId>,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self {
            state: Arc::default(),
            head: Arc::new(watch::channel(0).0),
            owner: Wallet::random(),
        }
    }

    pub(crate) fn emit(&self, event: HubEvent) {
        let mut state = self.state.lock().unwrap();
        state.events.push(event);
        self.head.send_replace(state.events.len() as u64);
    }

    /// A deal of `size` tasks that starts now.
    pub(crate) fn add_deal(&self, requester: Address, tag: Tag, size: u64) -> DealId {
        let byte = self.state.lock().unwrap().deals.len() as u8 + 1;
        let deal = deal(DealId::repeat(byte), requester, tag, size);
        let id = deal.id;
        self.state.lock().unwrap().deals.push(deal);
        let workerpool = WORKERPOOL;
        self.emit(HubEvent::SchedulerNotice {
            workerpool,
            deal: id,
        });
        id
    }

    /// What a worker's contributeAndFinalize does.
    pub(crate) fn finalize(&self, id: TaskId, worker: Address, results: &str) {
        let results: protocol::Bytes = results.as_bytes().to_vec().into();
        {
            let mut state = self.state.lock().unwrap();
            let task = state.tasks.iter_mut().find(|t| t.id == id).unwrap();
            task.status = TaskStatus::Completed;
            task.results = results.clone();
            task.contributors = vec![worker];
        }
        let result_hash = B256::ZERO;
        self.emit(HubEvent::TaskContribute {
            task: id,
            worker,
            result_hash,
        });
        self.emit(HubEvent::TaskFinalize { task: id, results });
    }

    /// The contract says no to every call about this task.
    pub(crate) fn refuse(&self, task: TaskId) {
        self.state.lock().unwrap().refused.push(task);
    }

    /// What was sent to settle tasks, transaction by transaction.
    pub(crate) fn settle_calls(&self) -> Vec<Vec<Settlement>> {
        self.state.lock().unwrap().settle_calls.clone()
    }

    pub(crate) fn initialize_calls(&self) -> Vec<Vec<u64>> {
        self.state.lock().unwrap().initialize_calls.clone()
    }
}

fn deal(id: DealId, requester: Address, tag: Tag, size: u64) -> Deal {
    Deal {
        id,
        app: Resource::default(),
        dataset: Resource::default(),
        workerpool: Resource {
            pointer: WORKERPOOL,
            ..Resource::default()
        },
        trust: U256::from(1),
        category: 0,
        tag,
        requester,
        beneficiary: requester,
        callback: Address::ZERO,
        params: r#"{"iexec_args":"Hello World"}"#.into(),
        start_time: crate::clock::Clock::default().now() / 1000,
        bot_first: 0,
        bot_size: size,
        worker_stake: U256::ZERO,
        scheduler_reward_ratio: U256::ZERO,
        sponsor: requester,
    }
}

fn task(deal: DealId, index: u64) -> Task {
    Task {
        id: deal.task(index),
        status: TaskStatus::Active,
        deal,
        index,
        timeref: 300,
        contribution_deadline: 0,
        reveal_deadline: 0,
        final_deadline: 0,
        consensus_value: B256::ZERO,
        reveal_counter: 0,
        winner_counter: 0,
        contributors: Vec::new(),
        result_digest: B256::ZERO,
        results: Default::default(),
        results_timestamp: 0,
        results_callback: Default::default(),
    }
}

#[async_trait]
impl Ledger for Script {
    fn chain_id(&self) -> u64 {
        CHAIN_ID
    }

    fn heads(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    async fn now(&self) -> Result<u64, Error> {
        Ok(0)
    }

    async fn deal(&self, id: DealId) -> Result<Option<Deal>, Error> {
        let state = self.state.lock().unwrap();
        Ok(state.deals.iter().find(|deal| deal.id == id).cloned())
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>, Error> {
        let state = self.state.lock().unwrap();
        Ok(state.tasks.iter().find(|task| task.id == id).cloned())
    }

    async fn timeref(&self, _: u64) -> Result<Option<u64>, Error> {
        Ok(Some(300))
    }

    async fn app(&self, _: Address) -> Result<Option<App>, Error> {
        Ok(Some(App {
            kind: "DOCKER".into(),
            image: "docker.io/hello:1".into(),
            checksum: B256::ZERO,
        }))
    }

    async fn contribution(
        &self,
        _: TaskId,
        worker: Address,
    ) -> Result<Option<Contribution>, Error> {
        Ok(Some(Contribution {
            worker,
            status: ContributionStatus::Proved,
            result_hash: B256::ZERO,
        }))
    }

    async fn score(&self, _: Address) -> Result<u64, Error> {
        Ok(0)
    }

    async fn takes_batches(&self) -> Result<bool, Error> {
        Ok(true)
    }

    async fn settle(&self, all: &[Settlement]) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap();
        state.settle_calls.push(all.to_vec());
        let mut tasks = all.iter().flat_map(Settlement::tasks);
        if tasks.any(|task| state.refused.contains(task)) {
            return Err(Error::Chain(chain::Error::Reverted {
                what: "settle",
                reason: "not this one".into(),
                data: Default::default(),
            }));
        }
        Ok(())
    }

    async fn initialize(&self, deal: DealId, indices: &[u64]) -> Result<u64, Error> {
        {
            let mut state = self.state.lock().unwrap();
            state.initialize_calls.push(indices.to_vec());
            state
                .tasks
                .extend(indices.iter().map(|index| task(deal, *index)));
        }
        for index in indices {
            self.emit(HubEvent::TaskInitialize {
                task: deal.task(*index),
                workerpool: WORKERPOOL,
            });
        }
        Ok(*self.head.borrow())
    }

    fn authorize(
        &self,
        deal: DealId,
        index: u64,
        to: Address,
        enclave_challenge: Address,
    ) -> Result<Authorization, Error> {
        let owner = &self.owner;
        Ok(chain::authorize(owner, deal, index, to, enclave_challenge)?)
    }

    fn events(&self, from_block: u64) -> Box<dyn EventSource> {
        Box::new(Source {
            script: self.clone(),
            heads: self.head.subscribe(),
            next: from_block.max(1),
        })
    }
}

struct Source {
    script: Script,
    heads: watch::Receiver<u64>,
    next: u64,
}

#[async_trait]
impl EventSource for Source {
    async fn next(&mut self) -> Option<Result<Turn, Error>> {
        let head = *self.heads.wait_for(|head| *head >= self.next).await.ok()?;
        let state = self.script.state.lock().unwrap();
        let located = |block: u64| Located {
            event: state.events[block as usize - 1].clone(),
            block,
            tx: B256::ZERO,
            index: 0,
        };
        let events = (self.next..=head).map(located).collect();
        self.next = head + 1;
        Some(Ok(Turn::Forward(Batch {
            events,
            up_to: head,
        })))
    }
}

/// A secret manager that refuses a few times first.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pub(crate) refusals: AtomicUsize,
}

pub(crate) const ENCLAVE: Address = Address::repeat_byte(0xec);

#[async_trait]
impl Sms for Keys {
    async fn challenge(&self, _: TaskId) -> Result<Address, Error> {
        let fewer = |left: usize| left.checked_sub(1);
        let refused = self.refusals.fetch_update(SeqCst, SeqCst, fewer);
        match refused {
            Ok(_) => Err(Error::SmsRefused("not now".into())),
            Err(_) => Ok(ENCLAVE),
        }
    }
}

pub(crate) fn config(database_url: &str) -> Config {
    Config {
        workerpool: WORKERPOOL,
        database_url: database_url.into(),
        result_proxy: "http://store".into(),
        sms_url: None,
        market_url: None,
        offers: Vec::new(),
        whitelist: Vec::new(),
        finalizes_at_once: true,
        claims_for_requesters: false,
        logs_kept_s: crate::machine::LOGS_KEPT_S,
        start_block: 0,
    }
}
