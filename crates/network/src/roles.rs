//! Making and starting each role.

use std::{path::Path, sync::Arc, time::Duration};

use axum::Router;
use chain::{Actor, Hub, Wallet};
use engine::Engine;
use protocol::{Address, Tag};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::cors::CorsLayer;

use crate::{Error, compass, health::Health, rejection};

/// Trust that the pool offers: three workers without a score reach it.
const TRUST_MAX: u64 = 5;
/// Open orders a wallet may have on the local market: generous, the pool alone has a dozen.
const OPEN_ORDERS_MAX: u64 = 1_000;
/// How long the roles may take to find each other.
const READY_WAIT_S: u64 = 20;
/// Between two looks whether they have.
const READY_LOOK_MS: u64 = 10;

/// What all roles need.
pub(crate) struct Plan<'a> {
    pub(crate) data_dir: &'a Path,
    pub(crate) origin: &'a str,
    pub(crate) hub: &'a Hub,
    pub(crate) workerpool: Address,
    pub(crate) pool_owner: Wallet,
    pub(crate) workers: Vec<Wallet>,
    pub(crate) engine: Arc<dyn Engine>,
    /// How trust 1 gets on chain: see [`pool::Config::finalizes_at_once`].
    pub(crate) finalizes_at_once: bool,
    /// Tasks each worker runs at once.
    pub(crate) slots: u32,
    /// For confidential tasks; always a simulation.
    pub(crate) enclave: Option<worker::Enclave>,
    pub(crate) pipeline: secrets::Pipeline,
    pub(crate) shutdown: &'a CancellationToken,
    pub(crate) tracker: &'a TaskTracker,
}

/// The services, opened but not yet running.
pub(crate) struct Services {
    market: market::Service,
    pool: pool::Service,
    secrets: secrets::Service,
    offers: usize,
    /// Everything but the chain.
    pub(crate) router: Router,
}

impl Plan<'_> {
    fn database(&self, name: &str) -> String {
        format!("sqlite://{}", self.data_dir.join(name).display())
    }

    /// Opens the services and puts their routes together.
    pub(crate) async fn open(&self) -> Result<Services, Error> {
        let chain_id = self.hub.chain_id();
        let mut config = market::Config::new(self.database("market.sqlite"), chain_id);
        config.max_open_orders_per_wallet = OPEN_ORDERS_MAX;
        let market = market::Service::open(config, Arc::new(self.hub.clone()));
        let store = store::Config::new(self.data_dir.join("store"));
        let gate = store::ChainGate::new(self.hub.clone());
        let store = store::Service::open(store, Arc::new(gate));
        let mut secrets = secrets::Config::new(self.data_dir.join("secrets"));
        secrets.framework = Some(secrets::Framework::Tdx);
        secrets.public_url = self.origin.to_owned();
        secrets.attestation = self.attestation();
        secrets.ipfs_gateway = Some(self.origin.to_owned());
        secrets.pipeline = self.pipeline.clone();
        let secrets = secrets::Service::open(secrets, Arc::new(self.hub.clone()));
        let offers = self.offers().await?;
        let count = offers.len();
        let owner = Actor::open(self.hub.clone(), self.pool_owner.clone(), self.data_dir).await?;
        let pool = pool::Service::open(self.pool_config(offers), owner);
        let (market, store, secrets, pool) = tokio::join!(market, store, secrets, pool);
        let (market, store, secrets, pool) = (market?, store?, secrets?, pool?);
        let compass = compass::router(chain_id, self.workerpool, self.origin.to_owned());
        // The market and the chain answer browsers by rules of their own.
        let open = store
            .router()
            .merge(secrets.router())
            .merge(pool.router())
            .merge(pool.handle().status_router())
            .merge(Health::default().chain(self.hub.clone()).router())
            .merge(compass)
            .layer(axum::middleware::map_response(rejection::as_json));
        let router = market
            .router()
            .merge(open.layer(CorsLayer::very_permissive()));
        Ok(Services {
            market,
            pool,
            secrets,
            offers: count,
            router,
        })
    }

    /// What the workers simulate, the secret manager believes.
    fn attestation(&self) -> Option<secrets::Attestation> {
        let seed = self.enclave.as_ref()?.attestation.simulator.clone()?;
        tracing::warn!("SIMULATED TEE: confidential tasks are protected from nobody here");
        Some(secrets::Attestation::Simulation {
            seed,
            insecure_simulation: true,
            production_chains: Vec::new(),
        })
    }

    /// The same with the secret manager's key, the only one whose word the enclaves take.
    async fn pinned_enclave(&self) -> Option<worker::Enclave> {
        let mut enclave = self.enclave.clone()?;
        let info = self.get(&reqwest::Client::new(), "/attest/v1/info").await;
        enclave.attestation.sms_id = info["sms_id"].as_str().and_then(|id| id.parse().ok());
        Some(enclave)
    }

    fn pool_config(&self, offers: Vec<pool::Offer>) -> pool::Config {
        pool::Config {
            workerpool: self.workerpool,
            database_url: self.database("pool.sqlite"),
            result_proxy: self.origin.to_owned(),
            sms_url: Some(self.origin.to_owned()),
            market_url: Some(self.origin.to_owned()),
            offers,
            whitelist: Vec::new(),
            finalizes_at_once: self.finalizes_at_once,
            claims_for_requesters: false,
            logs_kept_s: pool::machine::LOGS_KEPT_S,
            start_block: 0,
        }
    }

    /// Every category at price 0, with and without the tag of the published SDK.
    async fn offers(&self) -> Result<Vec<pool::Offer>, Error> {
        let categories = self.hub.category_count().await?;
        let offer = |category, tag| pool::Offer {
            category,
            tag,
            price: 0,
            trust: TRUST_MAX,
            volume: 1_000_000,
        };
        let both = |c| [offer(c, Tag::NONE), offer(c, Tag::TEE_TDX)];
        Ok((0..categories).flat_map(both).collect())
    }

    /// Starts the loops of market, pool and secret manager.
    pub(crate) fn run(&self, services: Services) -> usize {
        let Services {
            market,
            pool,
            secrets,
            offers,
            ..
        } = services;
        let (hub, shutdown) = (self.hub.clone(), self.shutdown.clone());
        self.spawn("market", async move {
            market.run(hub, shutdown).await.map_err(Error::from)
        });
        let shutdown = self.shutdown.clone();
        self.spawn("pool", async move {
            pool.run(shutdown).await.map_err(Error::from)
        });
        let shutdown = self.shutdown.clone();
        self.spawn("secrets", async move {
            secrets.run(shutdown).await;
            Ok(())
        });
        offers
    }

    /// Starts the workers.
    pub(crate) async fn run_workers(&self) -> Result<(), Error> {
        let enclave = self.pinned_enclave().await;
        for (number, wallet) in self.workers.iter().enumerate() {
            let name = format!("worker-{number}");
            let folder = self.data_dir.join(&name);
            let mut config =
                worker::Config::new(self.origin.to_owned(), self.workerpool, name, folder);
            config.slots = self.slots;
            config.allow_local_images = true;
            config.allow_private_inputs = true;
            config.ipfs_gateway = Some(self.origin.to_owned());
            let actor = Actor::open(self.hub.clone(), wallet.clone(), self.data_dir).await?;
            let mut worker = worker::Service::new(config, actor, self.engine.clone())?;
            if let Some(enclave) = &enclave {
                worker = worker.with_enclave(enclave.clone());
            }
            let shutdown = self.shutdown.clone();
            self.spawn("worker", async move {
                worker.run(shutdown).await.map_err(Error::from)
            });
        }
        Ok(())
    }

    /// A role that fails takes the network down: half of it would only confuse.
    fn spawn(
        &self,
        role: &'static str,
        work: impl Future<Output = Result<(), Error>> + Send + 'static,
    ) {
        let shutdown = self.shutdown.clone();
        self.tracker.spawn(async move {
            if let Err(error) = work.await {
                tracing::error!(role, error = ?error, "a role failed, stopping");
                shutdown.cancel();
            }
        });
    }

    /// Waits until every offer is on the market and every worker is logged in.
    pub(crate) async fn wait_ready(&self, offers: usize) -> Result<(), Error> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(READY_WAIT_S);
        let http = reqwest::Client::new();
        loop {
            let (published, online) = tokio::join!(self.published(&http), self.online(&http));
            if published >= offers && online >= self.workers.len() {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline || self.shutdown.is_cancelled() {
                let workers = self.workers.len();
                let missing =
                    format!("{published} of {offers} offers, {online} of {workers} workers");
                return Err(Error::NotReady {
                    seconds: READY_WAIT_S,
                    missing,
                });
            }
            tokio::time::sleep(Duration::from_millis(READY_LOOK_MS)).await;
        }
    }

    async fn published(&self, http: &reqwest::Client) -> usize {
        let (chain, pool) = (self.hub.chain_id(), self.workerpool);
        let path = format!("/workerpoolorders?chainId={chain}&workerpool={pool}&minTrust=0");
        let answer = self.get(http, &path).await;
        answer["count"].as_u64().unwrap_or_default() as usize
    }

    async fn online(&self, http: &reqwest::Client) -> usize {
        let answer = self.get(http, "/workers").await;
        answer.as_array().map(Vec::len).unwrap_or_default()
    }

    async fn get(&self, http: &reqwest::Client, path: &str) -> serde_json::Value {
        let Ok(answer) = http.get(format!("{}{path}", self.origin)).send().await else {
            return serde_json::Value::Null;
        };
        answer.json().await.unwrap_or_default()
    }
}
