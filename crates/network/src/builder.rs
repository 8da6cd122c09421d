//! The builder that `iexec up`, the demo and the tests share.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io::Write,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use alloy::primitives::Address;
use axum::Router;
use chain::{Actor, Hub, Wallet};
use engine::{Choice, Engine};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Account, Error, Info, Role,
    front::Front,
    info, local_wallet,
    roles::Plan,
    setup::{self, WORKERS_MAX},
};

/// The port of the local network.
const PORT: u16 = 8545;
/// Enough workers that trust makes sense.
const WORKERS: u32 = 3;
/// Tasks each worker runs at once.
const WORKER_SLOTS: u32 = 2;
/// The seed of the simulated platform, in the data directory.
const SEED_FILE: &str = "simulator.seed";
/// How long a lock that is held is waited for: longer than a child needs to exec.
const LOCK_WAIT_MS: u64 = 1_000;
/// Between two looks at it.
const LOCK_LOOK_MS: u64 = 20;
/// How long the roles may take to stop before they are abandoned.
const STOP_WAIT_S: u64 = 10;

/// A chain that is not ours: the roles run against its hub, with these wallets.
#[derive(Clone, Debug)]
pub struct External {
    /// JSON-RPC, `ws://` preferred.
    pub rpc_url: String,
    /// JSON-RPC over HTTP, for clients.
    pub http_url: String,
    /// The hub, the official one or ours.
    pub hub: Address,
    /// Owns the workerpool; one is registered if it has none.
    pub pool_owner: Wallet,
    /// One worker each.
    pub workers: Vec<Wallet>,
}

/// Decides what a network looks like before it starts.
#[derive(Debug)]
pub struct Builder {
    data_dir: PathBuf,
    host: IpAddr,
    port: u16,
    workers: u32,
    engine: engine::Config,
    external: Option<External>,
    fresh: bool,
    finalizes_at_once: bool,
    own_engine: Option<Arc<dyn Engine>>,
    agent: Option<Vec<OsString>>,
    pipeline: secrets::Pipeline,
    slots: u32,
}

impl Builder {
    fn new(data_dir: PathBuf) -> Self {
        let engine = engine::Config::new(Choice::Auto, data_dir.join("engine"));
        Self {
            data_dir,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: PORT,
            workers: WORKERS,
            engine,
            external: None,
            fresh: false,
            finalizes_at_once: true,
            own_engine: None,
            agent: None,
            pipeline: secrets::Pipeline::default(),
            slots: WORKER_SLOTS,
        }
    }

    /// The port to listen on; 0 takes a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The address to listen on; loopback by default, because the accounts' keys are public.
    #[must_use]
    pub fn host(mut self, host: IpAddr) -> Self {
        self.host = host;
        self
    }

    /// How many workers; at most 64.
    #[must_use]
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = workers.min(WORKERS_MAX);
        self
    }

    /// Which container engine.
    #[must_use]
    pub fn engine(mut self, choice: Choice) -> Self {
        self.engine.choice = choice;
        self
    }

    /// The command that runs a bundle for the built-in engine; by default this program.
    #[must_use]
    pub fn engine_helper(mut self, helper: Vec<OsString>) -> Self {
        self.engine.helper = helper;
        self
    }

    /// The command that becomes an enclave's agent; by default this program.
    #[must_use]
    pub fn enclave_agent(mut self, agent: Vec<OsString>) -> Self {
        self.agent = Some(agent);
        self
    }

    /// Containers for the stages around confidential apps; by default enclaves do them with code of
    /// their own.
    #[must_use]
    pub fn pipeline(mut self, pipeline: secrets::Pipeline) -> Self {
        self.pipeline = pipeline;
        self
    }

    /// Docker's socket, when not the usual one (the value of `DOCKER_HOST`).
    #[must_use]
    pub fn docker_host(mut self, docker_host: Option<String>) -> Self {
        self.engine.docker_host = docker_host;
        self
    }

    /// Forgets chain, orders, tasks, secrets and results of earlier runs; the engine's images stay.
    #[must_use]
    pub fn fresh(mut self, fresh: bool) -> Self {
        self.fresh = fresh;
        self
    }

    /// Whether a worker contributes and finalizes in one transaction at trust 1; by default it
    /// does.
    #[must_use]
    pub fn finalizes_at_once(mut self, at_once: bool) -> Self {
        self.finalizes_at_once = at_once;
        self
    }

    /// An engine of the caller's instead of one of ours: for measurements and tests.
    #[must_use]
    pub fn own_engine(mut self, engine: Arc<dyn Engine>) -> Self {
        self.own_engine = Some(engine);
        self
    }

    /// Tasks each worker runs at once.
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = slots.max(1);
        self
    }

    /// Runs the roles against a chain that exists already instead of the embedded one.
    #[must_use]
    pub fn external(mut self, external: External) -> Self {
        self.external = Some(external);
        self
    }

    /// Starts everything and returns when it is ready for a first `app run`.
    ///
    /// # Errors
    /// Any [`Error`]; what was started is stopped again.
    pub async fn start(self) -> Result<Network, Error> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        fs::create_dir_all(&self.data_dir).map_err(Error::at(&self.data_dir))?;
        let lock = lock(&self.data_dir)?;
        if self.fresh {
            forget(&self.data_dir)?;
        }
        let engine = match &self.own_engine {
            Some(engine) => engine.clone(),
            None => engine::detect(&self.engine).await?,
        };
        let address = SocketAddr::new(self.host, self.port);
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| Error::Listen { address, source })?;
        let port = listener
            .local_addr()
            .map_err(Error::at(&self.data_dir))?
            .port();
        let (front, shutdown) = (Front::default(), CancellationToken::new());
        let mut running = Running {
            data_dir: self.data_dir.clone(),
            serving: front.clone().serve(listener, shutdown.clone()),
            shutdown,
            tracker: TaskTracker::new(),
            node: None,
            engine,
            _lock: lock,
        };
        match self.start_roles(&mut running, &front, port).await {
            Ok(info) => Ok(Network { info, running }),
            Err(error) => {
                running.stop().await;
                Err(error)
            }
        }
    }

    async fn start_roles(
        &self,
        running: &mut Running,
        front: &Front,
        port: u16,
    ) -> Result<Info, Error> {
        let engine = running.engine.clone();
        let origin = format!("http://{}", SocketAddr::new(self.reachable(), port));
        let base = self.base(running, front, port).await?;
        let plan = Plan {
            data_dir: &self.data_dir,
            origin: &origin,
            hub: &base.hub,
            workerpool: base.workerpool,
            pool_owner: base.pool_owner.clone(),
            workers: base.workers.clone(),
            engine: engine.clone(),
            finalizes_at_once: self.finalizes_at_once,
            slots: self.slots,
            enclave: self.enclave(base.hub.chain_id()),
            pipeline: self.pipeline.clone(),
            shutdown: &running.shutdown,
            tracker: &running.tracker,
        };
        let mut services = plan.open().await?;
        let info = base.info(&origin, engine.name());
        let pages = explorer::router(&serde_json::to_value(&info).unwrap_or_default());
        let router = std::mem::take(&mut services.router);
        front.set(match &running.node {
            Some(node) => devchain::rpc_router(node.clone(), router.merge(pages)),
            None => router.merge(pages),
        });
        let offers = plan.run(services);
        plan.run_workers().await?;
        plan.wait_ready(offers).await?;
        info.write(&self.data_dir)
            .map_err(Error::at(self.data_dir.join(info::FILE_NAME)))?;
        Ok(info)
    }

    /// A simulated platform, of which workers and secret manager share the seed; none on chains
    /// where something is at stake, and none for an engine that no other process can use.
    fn enclave(&self, chain_id: u64) -> Option<worker::Enclave> {
        if self.own_engine.is_some() || secrets::PRODUCTION_CHAINS.contains(&chain_id) {
            return None;
        }
        let attestation = worker::agent::Attestation {
            simulator: Some(self.data_dir.join(SEED_FILE)),
            ..Default::default()
        };
        let mut enclave = worker::Enclave::new(attestation, self.engine.clone());
        if let Some(agent) = &self.agent {
            enclave.program.clone_from(agent);
        }
        Some(enclave)
    }

    /// Loopback, when we listen on all addresses: that is where our own roles find us.
    fn reachable(&self) -> IpAddr {
        crate::reachable(self.host)
    }

    /// The chain with its hub and workerpool: the external one, or the embedded one brought up.
    async fn base(&self, running: &mut Running, front: &Front, port: u16) -> Result<Base, Error> {
        if let Some(external) = &self.external {
            return Base::external(external).await;
        }
        let node = setup::open_chain(&self.data_dir)?;
        front.set(devchain::rpc_router(node.clone(), Router::new()));
        running.node = Some(node);
        let address = SocketAddr::new(self.reachable(), port);
        let (rpc_url, ws_url) = (format!("http://{address}"), format!("ws://{address}"));
        let deployment = setup::prepare(&self.data_dir, &ws_url).await?;
        Ok(Base {
            hub: Hub::connect(&ws_url, deployment.hub).await?,
            workerpool: deployment.workerpool,
            pool_owner: local_wallet(Role::PoolOwner, 0),
            workers: (0..self.workers)
                .map(|n| local_wallet(Role::Worker, n))
                .collect(),
            accounts: setup::wallets(self.workers),
            name: "local",
            rpc_url,
            ws_url,
        })
    }
}

/// A chain that is ready for the roles.
struct Base {
    hub: Hub,
    workerpool: Address,
    pool_owner: Wallet,
    workers: Vec<Wallet>,
    accounts: Vec<(Role, Wallet)>,
    name: &'static str,
    rpc_url: String,
    ws_url: String,
}

impl Base {
    async fn external(external: &External) -> Result<Self, Error> {
        let hub = Hub::connect(&external.rpc_url, external.hub).await?;
        let owner = Actor::new(hub.clone(), external.pool_owner.clone());
        Ok(Self {
            workerpool: setup::workerpool(&owner).await?,
            hub,
            pool_owner: external.pool_owner.clone(),
            workers: external.workers.clone(),
            accounts: Vec::new(),
            name: "external",
            rpc_url: external.http_url.clone(),
            ws_url: external.rpc_url.clone(),
        })
    }

    fn info(&self, origin: &str, engine: &str) -> Info {
        let token = self.hub.token();
        Info {
            name: self.name.to_owned(),
            chain_id: self.hub.chain_id(),
            hub: self.hub.address(),
            token: (!token.is_zero()).then(|| token.to_checksum(None)),
            native: token.is_zero(),
            workerpool: self.workerpool,
            engine: engine.to_owned(),
            rpc_url: self.rpc_url.clone(),
            ws_url: self.ws_url.clone(),
            market: origin.to_owned(),
            sms: origin.to_owned(),
            result_proxy: origin.to_owned(),
            ipfs_gateway: origin.to_owned(),
            ipfs_node: origin.to_owned(),
            compass: origin.to_owned(),
            pool: origin.to_owned(),
            explorer: origin.to_owned(),
            accounts: self
                .accounts
                .iter()
                .map(|(r, w)| Account::of(*r, w))
                .collect(),
        }
    }
}

/// Name of the file that a running network holds locked; it contains the process id.
pub const LOCK_FILE: &str = "lock";
/// What survives `fresh`: the lock we hold, and images, which are no state.
const KEPT: [&str; 2] = [LOCK_FILE, "engine"];

fn forget(data_dir: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(data_dir)
        .map_err(Error::at(data_dir))?
        .flatten()
    {
        let path = entry.path();
        if KEPT.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.map_err(Error::at(path))?;
    }
    Ok(())
}

/// Locks a data directory for this process, whose id the lock file [`LOCK_FILE`] tells; the lock
/// goes with the process.
///
/// # Errors
/// [`Error::Running`] when another process has it, [`Error::DataDir`].
pub fn lock(data_dir: &Path) -> Result<File, Error> {
    let path = data_dir.join(LOCK_FILE);
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Error::at(&path))?;
    match wait_for_lock(&file) {
        Ok(()) => {
            let id = std::process::id().to_string();
            file.set_len(0)
                .and_then(|()| file.write_all(id.as_bytes()))
                .map_err(Error::at(&path))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => Err(Error::Running(data_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(Error::DataDir { path, source }),
    }
}

/// A process that was just killed may have left a child between fork and exec, which holds its lock
/// for a moment; a look at a running network takes one as well.
fn wait_for_lock(file: &File) -> Result<(), TryLockError> {
    let deadline = Instant::now() + Duration::from_millis(LOCK_WAIT_MS);
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(LOCK_LOOK_MS));
            }
            locked => return locked,
        }
    }
}

/// A running network. Dropping it abandons the roles; [`Network::stop`] ends them in order.
#[derive(Debug)]
pub struct Network {
    info: Info,
    running: Running,
}

/// What a network consists of, ready or not: all that has to be stopped.
#[derive(Debug)]
struct Running {
    data_dir: PathBuf,
    shutdown: CancellationToken,
    tracker: TaskTracker,
    serving: JoinHandle<()>,
    node: Option<devchain::Node>,
    engine: Arc<dyn Engine>,
    _lock: File,
}

impl Network {
    /// A network with its data in `data_dir`, which is made when it does not exist.
    pub fn builder(data_dir: impl Into<PathBuf>) -> Builder {
        Builder::new(data_dir.into())
    }

    /// The content of `network.json`.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// The workers' engine: an image that was never pushed has to be imported into it.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.running.engine
    }

    /// Ends when the network stops by itself: a role failed.
    pub async fn stopped(&self) {
        self.running.shutdown.cancelled().await;
    }

    /// Stops every role; running containers are killed and their tasks continue at the next start.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

impl Running {
    async fn stop(self) {
        Info::remove(&self.data_dir);
        self.shutdown.cancel();
        self.tracker.close();
        let wait = Duration::from_secs(STOP_WAIT_S);
        if tokio::time::timeout(wait, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!("some roles did not stop in {STOP_WAIT_S} s");
        }
        self.serving.abort();
        if let Some(Err(error)) = self.node.map(|node| node.close()) {
            tracing::warn!(%error, "the chain did not close");
        }
    }
}
