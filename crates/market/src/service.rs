//! The service: its parts, its routes, its loop.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;

use crate::{
    Chain, Clock, Config, Error, TaskView,
    challenge::Kept,
    database::{Counter, Database},
    event::Event,
    http,
};

/// Pause before the hub is followed again after an error.
const RETRY_PAUSE_MS: u64 = 1_000;

/// What all requests and the loop share.
pub(crate) struct Market {
    pub(crate) config: Config,
    pub(crate) database: Database,
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) clock: Clock,
    pub(crate) challenges: Mutex<Kept>,
    /// A place for each listener of the live feed.
    pub(crate) listeners: Arc<Semaphore>,
}

impl Market {
    pub(crate) async fn open(
        config: Config,
        chain: Arc<dyn Chain>,
        clock: Clock,
    ) -> Result<Self, Error> {
        let database = Database::open(&config.database_url).await?;
        Ok(Self {
            config,
            database,
            chain,
            clock,
            challenges: Mutex::default(),
            listeners: Arc::new(Semaphore::new(http::LISTENERS_MAX)),
        })
    }
}

/// A market, ready to answer. Nothing follows the chain until [`Service::run`].
pub struct Service {
    market: Arc<Market>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("config", &self.market.config)
            .finish_non_exhaustive()
    }
}

/// Listens to the book and looks at the index. Cheap clone.
#[derive(Clone)]
pub struct Handle {
    market: Arc<Market>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// Tasks of one deal that are shown at once.
pub const TASKS_MAX: u64 = 1000;

impl Handle {
    /// Events from now on; a listener that lags by more than 512 misses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.market.database.news.sender().subscribe()
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn check(&self) -> Result<(), Error> {
        let counter = self.market.database.counter(Counter::LastBlock).await;
        counter.map(drop)
    }

    /// A task, once it is initialised.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn task(&self, id: protocol::TaskId) -> Result<Option<TaskView>, Error> {
        self.market.database.task(id).await
    }

    /// The initialised tasks of a deal by their index, [`TASKS_MAX`] at most, from index `from` on.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn tasks(&self, deal: protocol::DealId, from: u64) -> Result<Vec<TaskView>, Error> {
        self.market.database.tasks(deal, from, TASKS_MAX).await
    }
}

impl Service {
    /// Opens the database, bringing it to the present schema.
    ///
    /// # Errors
    /// [`Error::Database`] or [`Error::Migration`].
    pub async fn open(config: Config, chain: Arc<dyn Chain>) -> Result<Self, Error> {
        Self::open_at(config, chain, Clock::system()).await
    }

    /// The same with a clock of the caller's, for tests and simulation.
    ///
    /// # Errors
    /// As [`Service::open`].
    pub async fn open_at(
        config: Config,
        chain: Arc<dyn Chain>,
        clock: Clock,
    ) -> Result<Self, Error> {
        let market = Arc::new(Market::open(config, chain, clock).await?);
        Ok(Self { market })
    }

    /// The market API (spec/market-explorer.md §4). It has no fallback, so it can be merged with
    /// other routers. The rate limit works only on a server that provides
    /// `ConnectInfo<SocketAddr>`.
    pub fn router(&self) -> axum::Router {
        http::router(Arc::clone(&self.market))
    }

    /// The market API on an origin of its own: what no route knows is answered as upstream does.
    pub fn app(&self) -> axum::Router {
        self.router().fallback(http::not_found)
    }

    /// Listens to the book.
    pub fn handle(&self) -> Handle {
        Handle {
            market: Arc::clone(&self.market),
        }
    }

    /// Follows the hub from the stored cursor until `shutdown`. Order status and deals come from
    /// here; without it the book goes stale.
    ///
    /// # Errors
    /// [`Error::Database`] if the cursor cannot be read. Later failures are retried.
    pub async fn run(self, hub: chain::Hub, shutdown: CancellationToken) -> Result<(), Error> {
        let ended = self.follow(hub, shutdown).await;
        self.market.database.close().await;
        ended
    }

    async fn follow(&self, hub: chain::Hub, shutdown: CancellationToken) -> Result<(), Error> {
        let mut branch = self.resume(&hub).await?;
        loop {
            let step = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                step = branch.next() => step,
            };
            let step = match step {
                None => {
                    tracing::error!("the connection to the chain is gone, the book goes stale");
                    return Ok(());
                }
                Some(Ok(step)) => step,
                Some(Err(error)) => {
                    tracing::warn!(%error, "cannot read events of the hub, trying again");
                    continue;
                }
            };
            let followed = async {
                if let Err(error) = self.market.take_step(&step).await {
                    tracing::warn!(%error, source = ?error, "cannot follow the hub, starting over");
                    branch = self.resume_soon(&hub).await;
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = followed => {}
            }
        }
    }

    /// Goes on after the last whole range, as after a death in the middle of one.
    async fn resume(&self, hub: &chain::Hub) -> Result<chain::Branch, Error> {
        self.market.start_over().await?;
        let trail = self.market.database.trail().await?;
        Ok(hub.branch(self.market.cursor().await?, trail))
    }

    /// The same, as soon as it works.
    async fn resume_soon(&self, hub: &chain::Hub) -> chain::Branch {
        loop {
            tokio::time::sleep(Duration::from_millis(RETRY_PAUSE_MS)).await;
            match self.resume(hub).await {
                Ok(branch) => return branch,
                Err(error) => tracing::warn!(%error, "cannot start over, trying again"),
            }
        }
    }
}
