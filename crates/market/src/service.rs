//! The service: its parts, its routes, its loop.

use std::sync::Arc;

use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{
    Chain, Clock, Config, Error,
    database::Database,
    event::{EVENTS_KEPT_MAX, Event},
    http,
};

/// What all requests and the loop share.
pub(crate) struct Market {
    pub(crate) config: Config,
    pub(crate) database: Database,
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) clock: Clock,
    pub(crate) events: broadcast::Sender<Event>,
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
            events: broadcast::channel(EVENTS_KEPT_MAX).0,
        })
    }

    /// Tells an event to whoever listens; nobody has to.
    pub(crate) fn tell(&self, event: Event) {
        let _ = self.events.send(event);
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

/// Listens to the book. Cheap clone.
#[derive(Clone, Debug)]
pub struct Handle {
    events: broadcast::Sender<Event>,
}

impl Handle {
    /// Events from now on; a listener that lags by more than 512 misses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
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

    /// Listens to the book.
    pub fn handle(&self) -> Handle {
        Handle {
            events: self.market.events.clone(),
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
        let mut events = hub.events(self.market.cursor().await?);
        loop {
            let batch = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                batch = events.next() => batch,
            };
            let batch = match batch {
                None => {
                    tracing::error!("the connection to the chain is gone, the book goes stale");
                    return Ok(());
                }
                Some(Ok(batch)) => batch,
                Some(Err(error)) => {
                    tracing::warn!(%error, "cannot read events of the hub, trying again");
                    continue;
                }
            };
            let facts: Vec<_> = batch.events.iter().filter_map(crate::chain::fact).collect();
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = self.market.apply_until_done(&facts, batch.up_to) => {}
            }
        }
    }
}
