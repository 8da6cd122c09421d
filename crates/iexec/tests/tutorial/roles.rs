//! Each role as a process of its own, the pool killed in the middle of a task, and what an operator
//! asks and tells them.

use std::{
    collections::BTreeMap,
    fs,
    future::Future,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use chain::{Actor, Hub, NewAsset};
use iexec_tests::{app::Image, bench::Bench};
use network::{Role, local_wallet};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::person::{self, Person};

/// Between two looks; the test's own limit bounds them.
const LOOK: Duration = Duration::from_millis(20);
/// Runs long enough to be interrupted.
const SLOW: &str = "sleep 3; echo done > $IEXEC_OUT/x; declare_result $IEXEC_OUT/x";

/// A role in its own process; killed with SIGKILL when dropped.
pub(crate) struct Process {
    child: Child,
    /// What it said when it was ready.
    pub(crate) ready: Value,
}

impl Process {
    fn start(dir: &Path, role: &str, words: &[String]) -> Result<Self> {
        let data = dir.join(folder(role));
        Self::start_in(dir, role, &data, words)
    }

    fn start_in(dir: &Path, role: &str, data: &Path, words: &[String]) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iexec"));
        command
            .env_clear()
            .env("HOME", dir.join("home"))
            .current_dir(dir)
            .args(role.split(' '))
            .args(["--json", "--data"])
            .arg(data)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        for name in ["PATH", "RUST_LOG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().context("no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let ready = serde_json::from_str(&line);
        let ready = ready.with_context(|| format!("{role} {words:?} says `{line}`"))?;
        Ok(Self { child, ready })
    }

    pub(crate) fn said(&self, key: &str) -> &str {
        self.ready[key].as_str().unwrap_or_default()
    }

    pub(crate) fn url(&self) -> &str {
        self.said("url")
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(
            Pid::from_raw(i32::try_from(self.child.id())?),
            signal,
        )?)
    }

    fn ended(&mut self) -> Result<ExitStatus> {
        Ok(tokio::task::block_in_place(|| self.child.wait())?)
    }

    async fn get(&self, path: &str) -> Result<(u16, String)> {
        let answer = reqwest::get(format!("{}{path}", self.url())).await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    async fn json(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.get(path).await?.1)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `chain run` keeps its data in `chain`.
fn folder(role: &str) -> &str {
    role.split(' ').next().unwrap_or(role)
}

/// Waits until `found` finds something.
async fn until<T, F: Future<Output = Result<Option<T>>>>(
    mut found: impl FnMut() -> F,
) -> Result<T> {
    loop {
        if let Some(thing) = found().await? {
            return Ok(thing);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// All roles but workers.
pub(crate) struct Platform {
    dir: PathBuf,
    pub(crate) chain: Process,
    pub(crate) store: Process,
    market: Process,
    sms: Process,
    pub(crate) pool: Process,
}

impl Platform {
    fn start(dir: &Path) -> Result<Self> {
        Self::start_with(dir, 2)
    }

    /// With a pool that lets so many workers in.
    pub(crate) fn start_with(dir: &Path, workers: u32) -> Result<Self> {
        let chain = Process::start(dir, "chain run", &words("--listen 127.0.0.1:0"))?;
        let on_chain = Self::on_chain(&chain);
        let store = Process::start(dir, "store", &words(&on_chain))?;
        let market = Process::start(dir, "market", &words(&on_chain))?;
        let sms = Process::start(dir, "sms", &words(&on_chain))?;
        let services = [&chain, &store, &market, &sms];
        let pool = Self::pool_settings(dir, services, workers)?;
        let pool = Process::start(dir, "pool", &pool)?;
        Ok(Self {
            dir: dir.to_owned(),
            chain,
            store,
            market,
            sms,
            pool,
        })
    }

    fn on_chain(chain: &Process) -> String {
        Self::on_chain_at(chain, "127.0.0.1:0")
    }

    fn on_chain_at(chain: &Process, address: &str) -> String {
        let (url, hub) = (chain.said("wsUrl"), chain.said("hub"));
        format!("--chain-url {url} --hub {hub} --listen {address}")
    }

    /// So many wallets may log in as workers: one more may not.
    fn pool_settings(
        dir: &Path,
        [chain, store, market, sms]: [&Process; 4],
        workers: u32,
    ) -> Result<Vec<String>> {
        let key = key_file(dir, Role::PoolOwner, 0)?;
        let friends = (0..workers).map(|n| local_wallet(Role::Worker, n).address());
        let friends: Vec<_> = friends.map(|friend| format!("\"{friend}\"")).collect();
        let settings = format!(
            "workerpool = \"{}\"\nresult-proxy = \"{}\"\nmarket = \"{}\"\nsms = \"{}\"\n\
             whitelist = [{}]\n\
             [chain]\nrpc-url = \"{}\"\nhub = \"{}\"\n[wallet]\nfile = \"{}\"\n\
             [[offer]]\ncategory = 0\n",
            chain.said("workerpool"),
            store.url(),
            market.url(),
            sms.url(),
            friends.join(", "),
            chain.said("wsUrl"),
            chain.said("hub"),
            key.display(),
        );
        fs::write(dir.join("pool.toml"), settings)?;
        Ok(words("--config pool.toml --listen 127.0.0.1:0"))
    }

    /// Ends the pool's process as a power cut would, and starts it again where it was.
    pub(crate) fn kill_pool(&mut self) -> Result<()> {
        self.pool.kill()?;
        let line = format!("--config pool.toml --listen {}", address(self.pool.url()));
        self.pool = Process::start(&self.dir, "pool", &words(&line))?;
        Ok(())
    }

    /// The same with the result store.
    pub(crate) fn kill_store(&mut self) -> Result<()> {
        self.store.kill()?;
        let line = Self::on_chain_at(&self.chain, address(self.store.url()));
        self.store = Process::start(&self.dir, "store", &words(&line))?;
        Ok(())
    }

    /// The same with the chain's node.
    pub(crate) fn kill_chain(&mut self) -> Result<()> {
        self.chain.kill()?;
        let line = format!("--listen {}", address(self.chain.said("rpcUrl")));
        self.chain = Process::start(&self.dir, "chain run", &words(&line))?;
        Ok(())
    }

    fn worker_settings(&self, number: u32, more: &str) -> Result<()> {
        let key = key_file(&self.dir, Role::Worker, number)?;
        let settings = format!(
            "name = \"worker-{number}\"\nslots = 2\nengine = \"builtin\"\n\
             allow-local-images = true\nallow-private-inputs = true\n\
             [chain]\nrpc-url = \"{}\"\nhub = \"{}\"\n[wallet]\nfile = \"{}\"\n\
             [[pool]]\nurl = \"{}\"\nworkerpool = \"{}\"\n{more}",
            self.chain.said("wsUrl"),
            self.chain.said("hub"),
            key.display(),
            self.pool.url(),
            self.chain.said("workerpool"),
        );
        fs::write(self.dir.join(format!("worker-{number}.toml")), settings)?;
        Ok(())
    }

    pub(crate) fn worker(&self, number: u32) -> Result<Process> {
        self.worker_with(number, "")
    }

    /// A worker that has `more` in its settings.
    fn worker_with(&self, number: u32, more: &str) -> Result<Process> {
        self.worker_settings(number, more)?;
        let line = format!("--listen 127.0.0.1:0 --log-format json --config worker-{number}.toml");
        Process::start_in(&self.dir, "worker", &self.worker_dir(number), &words(&line))
    }

    pub(crate) fn worker_dir(&self, number: u32) -> PathBuf {
        self.dir.join(format!("worker-{number}"))
    }

    /// What a project has to know to use these services.
    fn chain_json(&self) -> Value {
        let store = self.store.url();
        json!({ "default": "roles", "chains": { "roles": {
            "id": self.chain.ready["chainId"].to_string(),
            "host": self.chain.said("rpcUrl"),
            "hub": self.chain.said("hub"),
            "sms": self.sms.url(),
            "iexecGateway": self.market.url(),
            "ipfsGateway": store,
            "ipfsNode": store,
            "resultProxy": store,
            "pool": self.pool.url(),
        } } })
    }

    async fn everybody_is_well(&self, workers: &[Process]) -> Result<()> {
        let services = [
            &self.chain,
            &self.store,
            &self.market,
            &self.sms,
            &self.pool,
        ];
        for process in services.into_iter().chain(workers) {
            let (status, body) = process.get("/healthz").await?;
            ensure!(status == 200, "{}: {body}", process.said("role"));
        }
        Ok(())
    }
}

/// Where a URL leads, as `--listen` wants it.
fn address(url: &str) -> &str {
    url.trim_start_matches("http://").trim_end_matches('/')
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn key_file(dir: &Path, role: Role, number: u32) -> Result<PathBuf> {
    let path = dir.join(format!("{role:?}-{number}.key"));
    fs::write(&path, local_wallet(role, number).key().to_string())?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(path)
}

async fn image(bench: &Bench, platform: &Platform, workers: u32) -> Result<Image> {
    image_of(SLOW, bench, platform, workers).await
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

async fn project(bench: &Bench, platform: &Platform, image: &Image) -> Result<Person> {
    let developer = Person::new(&bench.data_dir())?;
    developer.raw("init --skip-wallet").await?;
    let chains = platform.chain_json().to_string();
    fs::write(developer.project().join("chain.json"), chains)?;
    developer
        .import(&local_wallet(Role::Developer, 0).key().to_string())
        .await?;
    developer.raw("app init").await?;
    let checksum = json!(image.checksum.to_string());
    developer.edit_app(&[("multiaddr", json!(image.name)), ("checksum", checksum)])?;
    developer.raw("app deploy").await?;
    Ok(developer)
}

/// Waits until the pool is at `stage` with some task, or has so many workers.
async fn pool_has(platform: &Platform, what: impl Fn(&Value) -> bool) -> Result<Value> {
    until(async || {
        let status = platform.pool.json("/status").await?;
        Ok(what(&status).then_some(status))
    })
    .await
}

pub(crate) async fn each_alone(bench: Bench) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let dir = fs::canonicalize(folder.path())?;
    let mut platform = Platform::start(&dir)?;
    let image = image(&bench, &platform, 2).await?;
    let workers = vec![platform.worker(0)?, platform.worker(1)?];
    pool_has(&platform, |status| {
        status["workers"].as_array().is_some_and(|w| w.len() == 2)
    })
    .await?;
    platform.everybody_is_well(&workers).await?;
    stranger_is_refused(&platform)?;
    offered(&platform).await?;

    let developer = project(&bench, &platform, &image).await?;
    let run = developer.raw("app run --watch");
    let crash = async {
        pool_has(&platform, |status| status["busy"] == 1).await?;
        platform.kill_pool()
    };
    let (ran, crashed) = tokio::join!(run, crash);
    crashed?;
    let ran = ran.context("the run over a crash of the pool")?;
    ensure!(
        ran["failedTasks"].as_array().is_none_or(Vec::is_empty),
        "{ran}"
    );
    told(&platform, &workers).await?;
    workers_drained(&platform, workers, &developer).await?;
    pool_drained(&platform).await?;
    ends_cleanly(platform)
}

/// A second pool, of somebody else's workerpool.
async fn second_pool(platform: &Platform) -> Result<Process> {
    let hub = platform.chain.said("hub").parse()?;
    let hub = Hub::connect(platform.chain.said("wsUrl"), hub).await?;
    let owner = Actor::new(hub, local_wallet(Role::Developer, 0));
    let description = "another".to_owned();
    let asset = NewAsset::Workerpool {
        owner: owner.address(),
        description,
    };
    let (workerpool, _) = owner.create(&asset).await?;
    let key = key_file(&platform.dir, Role::Developer, 0)?;
    let line = format!(
        "--chain-url {} --hub {} --listen 127.0.0.1:0 --workerpool {workerpool} \
         --result-proxy {} --wallet {}",
        platform.chain.said("rpcUrl"),
        platform.chain.said("hub"),
        platform.store.url(),
        key.display()
    );
    let data = platform.dir.join("pool-2");
    Process::start_in(&platform.dir, "pool", &data, &words(&line))
}

/// One worker is logged in at two pools; the third that it is told of is none for it.
pub(crate) async fn pools_share_a_worker(_bench: Bench) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let dir = fs::canonicalize(folder.path())?;
    let platform = Platform::start(&dir)?;
    let second = second_pool(&platform).await?;
    let entry = |workerpool: &str| {
        format!(
            "[[pool]]\nurl = \"{}\"\nworkerpool = \"{workerpool}\"\n",
            second.url()
        )
    };
    let more = entry(second.said("workerpool")) + &entry(platform.chain.said("hub"));
    let mut worker = platform.worker_with(0, &more)?;
    let online = until(async || {
        let status = worker.json("/status").await?;
        let pools = status["pools"].as_array().context("no pools")?.clone();
        let online: Vec<bool> = pools.iter().map(|pool| pool["online"] == true).collect();
        Ok((online[0] && online[1]).then_some(online))
    });
    ensure!(online.await? == [true, true, false]);
    for pool in [&platform.pool, &second] {
        let status = pool.json("/status").await?;
        ensure!(status["slots"] == 2, "{status}");
    }
    worker.signal(Signal::SIGTERM)?;
    ensure!(worker.ended()?.success(), "the worker failed");
    Ok(())
}

async fn offered(platform: &Platform) -> Result<()> {
    let path = format!(
        "/workerpoolorders?chainId={}",
        platform.chain.ready["chainId"]
    );
    until(async || {
        let book = platform.market.json(&path).await?;
        Ok((book["count"] == 1).then_some(()))
    })
    .await
}

/// A wallet that is not on the list ends with what it has to know.
fn stranger_is_refused(platform: &Platform) -> Result<()> {
    let mut stranger = platform.worker(2)?;
    ensure!(!stranger.ended()?.success(), "a stranger logged in");
    Ok(())
}

/// Status and metrics, of the pool after its crash and of the worker that did the task.
async fn told(platform: &Platform, workers: &[Process]) -> Result<()> {
    let status = pool_has(platform, |status| status["open"] == 0).await?;
    ensure!(status["tasks"] == json!({ "COMPLETED": 1 }), "{status}");
    let (_, metrics) = platform.pool.get("/metrics").await?;
    for line in [
        "iexec_core_workers 2",
        "iexec_core_cpu_registered 4",
        "iexec_core_tasks_count{period=\"ALL\",status=\"COMPLETED\"} 1",
    ] {
        ensure!(
            metrics.lines().any(|said| said == line),
            "no `{line}`: {metrics}"
        );
    }
    let mut ended = BTreeMap::new();
    for worker in workers {
        let status = worker.json("/status").await?;
        for (how, count) in status["ended"].as_object().context("no `ended`")? {
            *ended.entry(how.clone()).or_insert(0) += count.as_u64().unwrap_or_default();
        }
        let (_, metrics) = worker.get("/metrics").await?;
        ensure!(metrics.contains("iexec_worker_slots 2\n"), "{metrics}");
        ensure!(
            metrics.contains("\niexec_app_compute_duration_samples_count "),
            "{metrics}"
        );
    }
    ensure!(
        ended.get("COMPLETED").is_some_and(|count| *count > 0),
        "{ended:?}"
    );
    let said = said(platform, &["pool", "status", "--url", platform.pool.url()]).await?;
    said.expect("2 workers online, 0 of 4 slots busy, 0 tasks waiting")
}

async fn said(platform: &Platform, words: &[&str]) -> Result<person::Said> {
    let mut command = person::program(&platform.dir.join("home"), Path::new("/nonexistent"));
    person::Said::by(command.args(words)).await?.success()
}

/// `drain` ends a worker; SIGTERM lets the other one finish its task.
async fn workers_drained(
    platform: &Platform,
    workers: Vec<Process>,
    developer: &Person,
) -> Result<()> {
    let data = platform.worker_dir(0).display().to_string();
    let shown = said(platform, &["worker", "status", "--data", &data]).await?;
    shown.expect("0 tasks in 2 slots, logged in at 1 of 1 pools")?;
    said(platform, &["worker", "drain", "--data", &data]).await?;
    let [mut drained, mut other] =
        <[Process; 2]>::try_from(workers).map_err(|_| anyhow::anyhow!("two workers are needed"))?;
    ensure!(drained.ended()?.success(), "a drained worker failed");
    let run = developer.raw("app run --watch");
    let stop = async {
        pool_has(platform, |status| status["busy"] == 1).await?;
        other.signal(Signal::SIGTERM)?;
        pool_has(platform, |status| {
            status["slots"] == 0 && status["busy"] == 1
        })
        .await
    };
    let (ran, stopped) = tokio::join!(run, stop);
    stopped?;
    ran.context("the run on a worker that drains")?;
    ensure!(other.ended()?.success(), "a stopped worker failed");
    Ok(())
}

/// A pool that drains takes its orders off the market and ends.
async fn pool_drained(platform: &Platform) -> Result<()> {
    let data = platform.dir.join("pool").display().to_string();
    said(platform, &["pool", "drain", "--data", &data]).await?;
    let path = format!(
        "/workerpoolorders?chainId={}",
        platform.chain.ready["chainId"]
    );
    let book = platform.market.json(&path).await?;
    ensure!(
        book["count"] == 0,
        "the order is still on the market: {book}"
    );
    Ok(())
}

/// SIGTERM ends each with success.
fn ends_cleanly(platform: Platform) -> Result<()> {
    let Platform {
        chain,
        store,
        market,
        sms,
        mut pool,
        ..
    } = platform;
    ensure!(pool.ended()?.success(), "the drained pool failed");
    for mut process in [sms, market, store, chain] {
        process.signal(Signal::SIGTERM)?;
        let ended = process.ended()?;
        ensure!(ended.success(), "{}: {ended}", process.said("role"));
    }
    Ok(())
}
