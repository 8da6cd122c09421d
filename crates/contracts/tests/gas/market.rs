//! A busy market: everyone has been here before, so no row pays for what happens once.
use std::ops::{Deref, DerefMut};

use alloy::primitives::{B256, Bytes, U256, keccak256};
use alloy::sol_types::SolCall;
use contracts::Hub;

use crate::chain::Receipt;
use crate::orders::Orders;
use crate::side::Side;
use crate::stage::{Contribution, Stage, TIMEREF, key};

/// What a task returns: a directory on IPFS, in 84 bytes.
pub(crate) const RESULTS: &[u8] =
    br#"{"storage":"ipfs","location":"/ipfs/QmUbh7ugQ9WVprTVYjzrCS4d9cCy73zUz4MMchsrqzzu1w"}"#;
/// What it returns when the result went to a callback, in 60 bytes.
const RESULTS_ELSEWHERE: &[u8] = br#"{"storage":"none","location":"callback","sizeInBytes":"192"}"#;
/// What a requester asks for, in 139 bytes.
const PARAMS: &str = concat!(
    r#"{"iexec_args":"--hello world","iexec_result_storage_provider":"ipfs","#,
    r#""iexec_result_storage_proxy":"https://result.v8-bellecour.iex.ec:443"}"#,
);
const _: () = assert!(RESULTS.len() == 84 && RESULTS_ELSEWHERE.len() == 60 && PARAMS.len() == 139);
/// The bit of a tag that asks for an enclave.
const TEE: u64 = 1;
/// Whose key stands for every enclave.
const ENCLAVE: u8 = 77;

/// How many tasks everyone has finished: a score that survives one mistake.
const TASKS_BEFORE: u64 = 2;

/// A stage whose orders are as long as in real life and never the same twice.
pub(crate) struct Market {
    stage: Stage,
    salts: u64,
}

impl Deref for Market {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl DerefMut for Market {
    fn deref_mut(&mut self) -> &mut Stage {
        &mut self.stage
    }
}

impl Market {
    /// Everyone has a deposit and nothing else.
    pub(crate) fn quiet(side: &Side) -> Self {
        Self {
            stage: side.stage(),
            salts: 0,
        }
    }

    /// Everyone has earned, has a score and has something locked in a task that never ends.
    pub(crate) fn busy(side: &Side) -> Self {
        let mut market = Self::quiet(side);
        let workers = market.workers.len();
        let mut orders = market.orders_with_dataset().for_volume(TASKS_BEFORE + 1);
        orders = orders.with_trust(U256::from(1 << workers));
        let deal = market.deal(orders);
        let tasks = (0..=TASKS_BEFORE).map(|index| market.initialize(deal, index).value);
        for task in tasks.collect::<Vec<_>>() {
            for worker in 0..workers {
                market.contribute(task, worker);
            }
        }
        for index in 0..TASKS_BEFORE {
            let task = task(deal, index);
            for worker in 0..workers {
                market.reveal(task, worker);
            }
            market.finalize(task);
        }
        market
    }

    /// Puts something into the kitty: less than the next success takes out of it.
    pub(crate) fn feed_kitty(&mut self) {
        let orders = self.orders();
        let task = self.one_task(orders);
        self.expire();
        self.act(&Hub::claimCall { taskId: task });
    }

    /// Waits until every task of today is over.
    pub(crate) fn expire(&mut self) {
        self.chain.wait(10 * TIMEREF);
    }

    /// Random, in eight bytes.
    fn salt(&mut self) -> B256 {
        self.salts += 1;
        B256::left_padding_from(&keccak256(self.salts.to_be_bytes())[..8])
    }

    fn dressed(&mut self, mut orders: Orders) -> Orders {
        orders.app.salt = self.salt();
        orders.dataset.salt = self.salt();
        orders.workerpool.salt = self.salt();
        orders.request.salt = self.salt();
        PARAMS.clone_into(&mut orders.request.params);
        orders.request.trust = U256::from(1);
        orders.workerpool.trust = U256::from(1);
        orders
    }

    /// New orders for one task without a dataset.
    pub(crate) fn orders(&mut self) -> Orders {
        let mut offers = self.offers();
        offers.request.datasetmaxprice = U256::ZERO;
        let mut orders = self.dressed(offers);
        orders.dataset.salt = B256::ZERO;
        orders
    }

    /// New orders for one task with a dataset.
    pub(crate) fn orders_with_dataset(&mut self) -> Orders {
        let offers = self.offers_with_dataset();
        self.dressed(offers)
    }

    /// All used orders signed; nobody signs for a dataset that is not there.
    pub(crate) fn sealed(&self, orders: Orders) -> Orders {
        let mut signed = self.signed(orders);
        if signed.dataset.dataset.is_zero() {
            signed.dataset.sign = Bytes::new();
        }
        signed
    }

    /// Matched by somebody who is no party to the deal.
    pub(crate) fn match_orders(&mut self, orders: Orders) -> Receipt<B256> {
        let (anyone, hub) = (self.deployer, self.at.hub);
        let call = self.sealed(orders).call();
        self.chain.act(anyone, hub, &call)
    }

    pub(crate) fn deal(&mut self, orders: Orders) -> B256 {
        self.match_orders(orders).value
    }

    pub(crate) fn one_task(&mut self, orders: Orders) -> B256 {
        let deal = self.deal(orders);
        self.initialize(deal, 0).value
    }

    pub(crate) fn initialize(&mut self, deal: B256, index: u64) -> Receipt<B256> {
        let call = Hub::initializeCall {
            dealId: deal,
            index: U256::from(index),
        };
        self.act(&call)
    }

    /// Sent by the scheduler.
    pub(crate) fn act<C: SolCall>(&mut self, call: &C) -> Receipt<C::Return> {
        let (scheduler, hub) = (self.scheduler.address(), self.at.hub);
        self.chain.act(scheduler, hub, call)
    }

    pub(crate) fn contribute(&mut self, task: B256, worker: usize) -> u64 {
        self.contribute_result(task, worker, digest(task))
    }

    pub(crate) fn contribute_result(&mut self, task: B256, worker: usize, digest: B256) -> u64 {
        let call = self.contribution(task, worker, digest).call();
        self.act_as(worker, &call).gas
    }

    pub(crate) fn contribute_from_enclave(&mut self, task: B256, worker: usize) -> u64 {
        let call = self.attested(task, worker, digest(task)).call();
        self.act_as(worker, &call).gas
    }

    fn attested(&self, task: B256, worker: usize, digest: B256) -> Contribution {
        let address = self.workers[worker].address();
        let plain = self.contribution(task, worker, digest);
        plain.with_enclave(address, &key(ENCLAVE), &self.scheduler)
    }

    pub(crate) fn reveal(&mut self, task: B256, worker: usize) -> u64 {
        self.stage.reveal(task, worker, digest(task)).gas
    }

    pub(crate) fn finalize(&mut self, task: B256) -> u64 {
        let call = Hub::finalizeCall {
            taskId: task,
            results: RESULTS.into(),
            resultsCallback: Bytes::new(),
        };
        self.act(&call).gas
    }

    pub(crate) fn contribute_and_finalize(&mut self, task: B256, tee: bool) -> u64 {
        let contribution = match tee {
            true => self.attested(task, 0, digest(task)),
            false => self.contribution(task, 0, digest(task)),
        };
        self.settle(contribution.final_call(Bytes::new()), RESULTS)
    }

    /// With bytes for the callback, which the digest covers.
    pub(crate) fn contribute_and_call_back(&mut self, task: B256, told: Bytes) -> u64 {
        let contribution = self.attested(task, 0, keccak256(&told));
        self.settle(contribution.final_call(told), RESULTS_ELSEWHERE)
    }

    fn settle(&mut self, mut call: Hub::contributeAndFinalizeCall, results: &[u8]) -> u64 {
        call.results = Bytes::copy_from_slice(results);
        self.act_as(0, &call).gas
    }
}

/// The app runs in an enclave.
pub(crate) fn in_enclave(orders: Orders) -> Orders {
    orders.with_tag(TEE)
}

/// The id of a task, whether it is initialized or not.
pub(crate) fn task(deal: B256, index: u64) -> B256 {
    keccak256([deal, B256::from(U256::from(index))].concat())
}

/// What the task's result hashes to.
pub(crate) fn digest(task: B256) -> B256 {
    keccak256([task.as_slice(), RESULTS].concat())
}
