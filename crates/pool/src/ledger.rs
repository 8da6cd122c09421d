//! What the pool needs of a chain, and nothing more: tests put a scripted one in its place.

use async_trait::async_trait;
use chain::{Actor, Batch, HubEvent, Settlement, Step};
use protocol::{
    Address, DealId, TaskId,
    deal::{Contribution, Deal, Task},
    message::Authorization,
    multiaddr,
};
use tokio::sync::watch;

use crate::{Error, machine::terms::App};

/// A hub as the pool's owner sees it.
#[async_trait]
pub(crate) trait Ledger: Send + Sync + 'static {
    fn chain_id(&self) -> u64;
    /// The newest block number, pushed.
    fn heads(&self) -> watch::Receiver<u64>;
    /// The newest block's timestamp, seconds.
    async fn now(&self) -> Result<u64, Error>;
    async fn deal(&self, id: DealId) -> Result<Option<Deal>, Error>;
    async fn task(&self, id: TaskId) -> Result<Option<Task>, Error>;
    /// Seconds a run of this category may take.
    async fn timeref(&self, category: u64) -> Result<Option<u64>, Error>;
    /// What the pool wants to know of an app.
    async fn app(&self, app: Address) -> Result<Option<App>, Error>;
    /// A worker's contribution to a task.
    async fn contribution(
        &self,
        task: TaskId,
        worker: Address,
    ) -> Result<Option<Contribution>, Error>;
    /// A worker's score.
    async fn score(&self, worker: Address) -> Result<u64, Error>;
    /// Whether several calls go in one transaction.
    async fn takes_batches(&self) -> Result<bool, Error>;
    /// Does all of these or none, in one transaction.
    async fn settle(&self, all: &[Settlement]) -> Result<(), Error>;
    /// Initialises tasks; returns the block.
    async fn initialize(&self, deal: DealId, indices: &[u64]) -> Result<u64, Error>;
    /// Signs the permission for one worker; `enclave_challenge` is zero for standard tasks.
    fn authorize(
        &self,
        deal: DealId,
        index: u64,
        to: Address,
        enclave_challenge: Address,
    ) -> Result<Authorization, Error>;
    /// The hub's events from a block on.
    fn events(&self, from_block: u64) -> Box<dyn EventSource>;
}

/// What the chain does next.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Blocks above this one are not on the chain any more.
    Back(u64),
    /// New blocks.
    Forward(Batch),
}

/// A stream of the hub's events.
#[async_trait]
pub(crate) trait EventSource: Send {
    /// The next turn; none when there will be no more. An error is followed by the same turn.
    async fn next(&mut self) -> Option<Result<Turn, Error>>;
}

#[async_trait]
impl Ledger for Actor {
    fn chain_id(&self) -> u64 {
        self.hub().chain_id()
    }

    fn heads(&self) -> watch::Receiver<u64> {
        self.hub().heads()
    }

    async fn now(&self) -> Result<u64, Error> {
        Ok(self.hub().now().await?)
    }

    async fn deal(&self, id: DealId) -> Result<Option<Deal>, Error> {
        Ok(self.hub().deal(id).await?)
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>, Error> {
        Ok(self.hub().task(id).await?)
    }

    async fn timeref(&self, category: u64) -> Result<Option<u64>, Error> {
        let category = self.hub().category(category).await?;
        Ok(category.map(|c| c.work_clock_time_ref))
    }

    async fn app(&self, app: Address) -> Result<Option<App>, Error> {
        let app = self.hub().app(app).await?;
        Ok(app.map(|app| App {
            image: multiaddr::decode(&app.multiaddr),
            kind: app.kind,
            checksum: app.checksum,
        }))
    }

    async fn contribution(
        &self,
        task: TaskId,
        worker: Address,
    ) -> Result<Option<Contribution>, Error> {
        Ok(self.hub().contribution(task, worker).await?)
    }

    async fn score(&self, worker: Address) -> Result<u64, Error> {
        Ok(self.hub().score(worker).await?)
    }

    async fn takes_batches(&self) -> Result<bool, Error> {
        Ok(self.hub().has_multicall().await?)
    }

    async fn settle(&self, all: &[Settlement]) -> Result<(), Error> {
        Actor::settle(self, all).await?;
        Ok(())
    }

    async fn initialize(&self, deal: DealId, indices: &[u64]) -> Result<u64, Error> {
        Ok(Actor::initialize(self, deal, indices).await?.block)
    }

    fn authorize(
        &self,
        deal: DealId,
        index: u64,
        to: Address,
        enclave_challenge: Address,
    ) -> Result<Authorization, Error> {
        let wallet = self.wallet();
        Ok(chain::authorize(
            wallet,
            deal,
            index,
            to,
            enclave_challenge,
        )?)
    }

    fn events(&self, from_block: u64) -> Box<dyn EventSource> {
        Box::new(self.hub().branch(from_block, Vec::new()))
    }
}

#[async_trait]
impl EventSource for chain::Branch {
    async fn next(&mut self) -> Option<Result<Turn, Error>> {
        let step = chain::Branch::next(self).await?;
        Some(step.map_err(Error::from).map(|step| match step {
            Step::Back(to) => Turn::Back(to),
            Step::Forward(span) => Turn::Forward(Batch {
                events: span.events,
                up_to: span.up_to,
            }),
        }))
    }
}

/// Whether an event can concern the pool of `workerpool` at all.
pub(crate) fn concerns(event: &HubEvent, pool: Address) -> bool {
    match event {
        HubEvent::SchedulerNotice { workerpool, .. }
        | HubEvent::TaskInitialize { workerpool, .. } => *workerpool == pool,
        HubEvent::TaskContribute { .. }
        | HubEvent::TaskConsensus { .. }
        | HubEvent::TaskReveal { .. }
        | HubEvent::TaskReopen { .. }
        | HubEvent::TaskFinalize { .. }
        | HubEvent::TaskClaimed { .. } => true,
        _ => false,
    }
}
