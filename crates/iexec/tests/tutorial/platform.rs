//! All roles but workers, each in a process of its own, and the workers that join them.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use iexec_tests::{app::Image, bench::Bench};
use network::{ChainInfo, Role, local_wallet};
use serde_json::{Value, json};

use crate::process::{Place, Process, address};

/// What each worker has at once.
const SLOTS: u32 = 2;

/// The roles around a chain.
pub(crate) struct Platform {
    /// The embedded chain, unless the roles work on another one.
    pub(crate) chain: Option<Process>,
    pub(crate) store: Process,
    pub(crate) market: Process,
    pub(crate) sms: Process,
    pub(crate) pool: Process,
    /// Where the chain is and what is on it.
    pub(crate) on: ChainInfo,
    /// Goes last: what it is made of is removed when the processes have ended.
    pub(crate) place: Place,
}

impl Platform {
    /// On a new embedded chain, with a pool that lets so many workers in.
    pub(crate) fn start(place: Place, workers: u32) -> Result<Self> {
        let listen = place.free_address("chain")?;
        let chain = Process::start(&place, "chain", "chain run", &format!("--listen {listen}"))?;
        let on = serde_json::from_value(chain.ready.clone())?;
        Self::around(place, on, Some(chain), workers)
    }

    /// Around a chain that is there.
    pub(crate) fn around(
        place: Place,
        on: ChainInfo,
        chain: Option<Process>,
        workers: u32,
    ) -> Result<Self> {
        let service = |role: &str| service(&place, &on, role);
        let (store, market, sms) = (service("store")?, service("market")?, service("sms")?);
        pool_settings(&place, &on, [&store, &market, &sms], workers)?;
        let line = format!(
            "--config pool.toml --listen {}",
            place.free_address("pool")?
        );
        let pool = Process::start(&place, "pool", "pool", &line)?;
        Ok(Self {
            chain,
            store,
            market,
            sms,
            pool,
            on,
            place,
        })
    }

    /// Ends the pool's process as a power cut would, and starts it again where it was.
    pub(crate) fn kill_pool(&mut self) -> Result<()> {
        self.pool.kill()?;
        let line = format!("--config pool.toml --listen {}", address(self.pool.url()));
        self.pool = Process::start(&self.place, "pool", "pool", &line)?;
        Ok(())
    }

    /// The same with the result store.
    pub(crate) fn kill_store(&mut self) -> Result<()> {
        self.store.kill()?;
        let line = on_chain(&self.on, address(self.store.url()));
        self.store = Process::start(&self.place, "store", "store", &line)?;
        Ok(())
    }

    /// The same with the chain's node.
    pub(crate) fn kill_chain(&mut self) -> Result<()> {
        let chain = self.chain.as_mut().context("the chain is not ours")?;
        chain.kill()?;
        let line = format!("--listen {}", address(&self.on.rpc_url));
        *chain = Process::start(&self.place, "chain", "chain run", &line)?;
        Ok(())
    }

    fn worker_settings(&self, number: u32, engine: &str, more: &str) -> Result<()> {
        let name = worker_name(number);
        let key = self.place.key_file(Role::Worker, number)?;
        let settings = format!(
            "name = \"{name}\"\nslots = {SLOTS}\nengine = \"{engine}\"\n\
             allow-local-images = true\nallow-private-inputs = true\nipfs-gateway = \"{}\"\n\
             [chain]\nrpc-url = \"{}\"\nhub = \"{}\"\n[wallet]\nfile = \"{}\"\n\
             [[pool]]\nurl = \"{}\"\nworkerpool = \"{}\"\n{more}",
            self.store.url(),
            self.on.ws_url,
            self.on.hub,
            key.display(),
            self.pool.url(),
            self.on.workerpool,
        );
        Ok(fs::write(
            self.place.dir.join(format!("{name}.toml")),
            settings,
        )?)
    }

    pub(crate) fn worker(&self, number: u32) -> Result<Process> {
        self.worker_with(number, "builtin", "")
    }

    /// A worker on this engine that has `more` at the end of its settings.
    pub(crate) fn worker_with(&self, number: u32, engine: &str, more: &str) -> Result<Process> {
        let name = worker_name(number);
        self.worker_settings(number, engine, more)?;
        let listen = self.place.free_address(&name)?;
        let line = format!("--listen {listen} --log-format json --config {name}.toml");
        Process::start(&self.place, &name, "worker", &line)
    }

    pub(crate) fn worker_dir(&self, number: u32) -> PathBuf {
        self.place.dir.join(worker_name(number))
    }

    /// What a project has to know to use these services.
    pub(crate) fn chain_json(&self) -> Value {
        let store = self.store.url();
        json!({ "default": "roles", "chains": { "roles": {
            "id": self.on.chain_id.to_string(),
            "host": self.on.rpc_url,
            "hub": self.on.hub.to_string(),
            "sms": self.sms.url(),
            "iexecGateway": self.market.url(),
            "ipfsGateway": store,
            "ipfsNode": store,
            "resultProxy": store,
            "pool": self.pool.url(),
        } } })
    }

    /// All that run, without workers.
    pub(crate) fn processes(&self) -> Vec<&Process> {
        let services = [&self.store, &self.market, &self.sms, &self.pool];
        self.chain.iter().chain(services).collect()
    }

    pub(crate) async fn everybody_is_well(&self, workers: &[Process]) -> Result<()> {
        for process in self.processes().into_iter().chain(workers) {
            let (status, body) = process.get("/healthz").await?;
            ensure!(status == 200, "{}: {body}", process.name);
        }
        Ok(())
    }
}

/// What a worker is called.
pub(crate) fn worker_name(number: u32) -> String {
    format!("worker-{number}")
}

fn on_chain(on: &ChainInfo, listen: &str) -> String {
    format!(
        "--chain-url {} --hub {} --listen {listen}",
        on.ws_url, on.hub
    )
}

fn service(place: &Place, on: &ChainInfo, role: &str) -> Result<Process> {
    let mut line = on_chain(on, &place.free_address(role)?);
    if let Some(special) = place.special.iter().find(|special| special.role == role) {
        let file = format!("{role}.toml");
        fs::write(place.dir.join(&file), &special.settings)?;
        line = format!("{line} --config {file}{}", special.words);
    }
    Process::start(place, role, role, &line)
}

/// So many wallets may log in as workers: one more may not.
fn pool_settings(
    place: &Place,
    on: &ChainInfo,
    [store, market, sms]: [&Process; 3],
    workers: u32,
) -> Result<()> {
    let key = place.key_file(Role::PoolOwner, 0)?;
    let friends = (0..workers).map(|n| local_wallet(Role::Worker, n).address());
    let friends: Vec<_> = friends.map(|friend| format!("\"{friend}\"")).collect();
    let settings = format!(
        "workerpool = \"{}\"\nresult-proxy = \"{}\"\nmarket = \"{}\"\nsms = \"{}\"\n\
         whitelist = [{}]\n\
         [chain]\nrpc-url = \"{}\"\nhub = \"{}\"\n[wallet]\nfile = \"{}\"\n\
         [[offer]]\ncategory = 0\n",
        on.workerpool,
        store.url(),
        market.url(),
        sms.url(),
        friends.join(", "),
        on.ws_url,
        on.hub,
        key.display(),
    );
    Ok(fs::write(place.dir.join("pool.toml"), settings)?)
}

/// The image in the engine of each worker, as it is in no registry.
pub(crate) async fn image_of(
    script: &str,
    bench: &Bench,
    platform: &Platform,
    workers: u32,
) -> Result<Image> {
    let mut image = None;
    for number in 0..workers {
        let root = platform.worker_dir(number).join("engine");
        let mut config = engine::Config::new(engine::Choice::Builtin, root);
        config.helper = engine::testing::helper();
        let engine = engine::detect(&config).await?;
        image = Some(Image::of_script(&engine, bench.test, script).await?);
    }
    image.context("no worker")
}
