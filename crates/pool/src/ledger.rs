//! What the pool needs of a chain, and nothing more: tests put a scripted one in its place.

use async_trait::async_trait;
use chain::{Actor, Batch, HubEvent};
use protocol::{
    Address, DealId, TaskId,
    deal::{Deal, Task},
    message::Authorization,
    multiaddr,
};
use tokio::sync::watch;

use crate::Error;

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
    /// Type and image of an app.
    async fn app(&self, app: Address) -> Result<Option<(String, String)>, Error>;
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

/// A stream of the hub's events.
#[async_trait]
pub(crate) trait EventSource: Send {
    /// The next range; none when there will be no more. An error is followed by the same range.
    async fn next(&mut self) -> Option<Result<Batch, Error>>;
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

    async fn app(&self, app: Address) -> Result<Option<(String, String)>, Error> {
        let app = self.hub().app(app).await?;
        Ok(app.map(|app| (app.kind, multiaddr::decode(&app.multiaddr))))
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
        Box::new(self.hub().events(from_block))
    }
}

#[async_trait]
impl EventSource for chain::Events {
    async fn next(&mut self) -> Option<Result<Batch, Error>> {
        Some(chain::Events::next(self).await?.map_err(Error::from))
    }
}

/// Whether an event can concern the pool of `workerpool` at all.
pub(crate) fn concerns(event: &HubEvent, pool: Address) -> bool {
    match event {
        HubEvent::SchedulerNotice { workerpool, .. }
        | HubEvent::TaskInitialize { workerpool, .. } => *workerpool == pool,
        HubEvent::TaskContribute { .. }
        | HubEvent::TaskFinalize { .. }
        | HubEvent::TaskClaimed { .. } => true,
        _ => false,
    }
}
