//! A bag of tasks while processes are killed at random, or stop answering for a while: everything
//! that was asked for is done, once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use alloy::providers::Provider as _;
use anyhow::{Context as _, Result, ensure};
use chain::Hub;
use engine::Engine;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use iexec_tests::{
    app::Image,
    bench::Bench,
    cast::{Ask, Cast, Deal},
    task,
};
use network::{Info, Role, local_wallet};
use nix::sys::signal::Signal;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use crate::roles::{Platform, Process};

/// Workers with two slots each.
const WORKERS: u32 = 4;
const TASKS: u64 = 200;
const KILLS: u32 = 100;
/// Milliseconds between two kills: most of them hit something that has just begun.
const PAUSE_MS: std::ops::Range<u64> = 20..250;
/// Milliseconds that a process does not answer, as if its network were cut.
const SILENCE_MS: std::ops::Range<u64> = 200..2_500;
/// Questions at the same time.
const QUESTIONS: usize = 16;
const PRICE: u64 = 10;

/// Says which task it is, takes its time, and writes it down.
const APP: &str = r#"
echo "task $IEXEC_BOT_TASK_INDEX"
sleep 1
echo "$IEXEC_BOT_TASK_INDEX" > "$IEXEC_OUT/index.txt"
declare_result "$IEXEC_OUT/index.txt"
"#;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Blow {
    Worker(usize),
    Pool,
    Store,
    Chain,
    Silence(Option<usize>),
}

fn blow(rng: &mut StdRng) -> Blow {
    let worker = rng.gen_range(0..WORKERS as usize);
    match rng.gen_range(0..100) {
        0..45 => Blow::Worker(worker),
        45..65 => Blow::Pool,
        65..78 => Blow::Store,
        78..92 => Blow::Chain,
        92..97 => Blow::Silence(Some(worker)),
        _ => Blow::Silence(None),
    }
}

struct World {
    platform: Platform,
    workers: Vec<Process>,
}

impl World {
    async fn strike(&mut self, blow: Blow, rng: &mut StdRng) -> Result<()> {
        match blow {
            Blow::Worker(n) => {
                self.workers[n].kill()?;
                self.workers[n] = self.platform.worker(n as u32)?;
            }
            Blow::Pool => self.platform.kill_pool()?,
            Blow::Store => self.platform.kill_store()?,
            Blow::Chain => self.platform.kill_chain()?,
            Blow::Silence(worker) => {
                let process = match worker {
                    Some(n) => &self.workers[n],
                    None => &self.platform.pool,
                };
                process.signal(Signal::SIGSTOP)?;
                let silence = Duration::from_millis(rng.gen_range(SILENCE_MS));
                tokio::time::sleep(silence).await;
                process.signal(Signal::SIGCONT)?;
            }
        }
        Ok(())
    }
}

pub(crate) async fn survive(bench: Bench, seed: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let dir = std::fs::canonicalize(folder.path())?;
    let platform = Platform::start_with(&dir, WORKERS)?;
    let image = crate::roles::image_of(APP, &bench, &platform, WORKERS).await?;
    let workers = (0..WORKERS).map(|n| platform.worker(n));
    let workers = workers.collect::<Result<Vec<_>>>()?;
    let mut world = World { platform, workers };
    let cast = cast(&world.platform, world.platform.pool.url()).await?;
    let deal = deal(&cast, &image).await?;

    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..KILLS {
        let pause = Duration::from_millis(rng.gen_range(PAUSE_MS));
        tokio::time::sleep(pause).await;
        let blow = blow(&mut rng);
        world
            .strike(blow, &mut rng)
            .await
            .with_context(|| format!("{blow:?}, seed {seed}"))?;
    }
    let judged = judge(&world, &deal).await;
    judged.with_context(|| format!("seed {seed}"))
}

/// Everybody on the chain, with their services at `origin`.
async fn cast(platform: &Platform, origin: &str) -> Result<Cast> {
    let chain = &platform.chain;
    let (rpc, ws) = (chain.said("rpcUrl"), chain.said("wsUrl"));
    let info: Info = serde_json::from_value(json!({
        "name": "chaos", "chainId": chain.ready["chainId"], "hub": chain.said("hub"),
        "token": null, "native": false, "workerpool": chain.said("workerpool"),
        "engine": "builtin", "rpcUrl": rpc, "wsUrl": ws, "market": origin, "sms": origin,
        "resultProxy": origin, "ipfsGateway": origin, "ipfsNode": origin, "compass": origin,
        "pool": origin, "explorer": origin, "accounts": [],
    }))?;
    let hub = Hub::connect(ws, info.hub).await?;
    let wallets = [Role::Developer, Role::Requester, Role::PoolOwner];
    let wallets = wallets.map(|role| local_wallet(role, 0));
    Ok(Cast::new(hub, &info, wallets, nothing(platform).await?))
}

/// The cast runs nothing here.
async fn nothing(platform: &Platform) -> Result<Arc<dyn Engine>> {
    let root = platform.worker_dir(0).join("engine");
    let mut config = engine::Config::new(engine::Choice::Builtin, root);
    config.helper = engine::testing::helper();
    Ok(engine::detect(&config).await?)
}

async fn deal(cast: &Cast, image: &Image) -> Result<Deal> {
    let ask = Ask {
        volume: TASKS,
        pool_price: PRICE,
        ..Ask::default()
    };
    cast.deal(image.deploy(&cast.developer).await?, &ask).await
}

/// Every task is completed with its own result and its output, and nothing was sent twice.
async fn judge(world: &World, deal: &Deal) -> Result<()> {
    let pool = cast(&world.platform, world.platform.pool.url()).await?;
    let store = cast(&world.platform, world.platform.store.url()).await?;
    let ended = pool.ended(deal).await?;
    for (index, task) in ended.iter().enumerate() {
        Cast::expect_end(task, "COMPLETED", "").with_context(|| format!("task {index}"))?;
    }
    let indices = stream::iter(deal.tasks.iter().enumerate());
    indices
        .map(|(index, task)| kept(&pool, &store, index, *task))
        .buffer_unordered(QUESTIONS)
        .try_collect::<Vec<()>>()
        .await?;
    nothing_twice(&pool.hub).await
}

async fn kept(pool: &Cast, store: &Cast, index: usize, id: protocol::TaskId) -> Result<()> {
    let result = store.result(id).await?;
    ensure!(
        result.text("index.txt")? == format!("{index}\n"),
        "result of {index}"
    );
    let wallet = pool.requester.wallet();
    let (status, logs) = task::logs(&pool.http, &pool.origin, wallet, id).await?;
    ensure!(status == 200, "output of {index}: {status}");
    let all = logs["computeLogsList"].as_array().context("no output")?;
    let line = format!("task {index}\n");
    let has_line = |logs: &Value| logs["stdout"].as_str().is_some_and(|text| text == line);
    ensure!(all.iter().any(has_line), "output of {index}: {logs}");
    Ok(())
}

/// No wallet has two mined transactions that say the same.
async fn nothing_twice(hub: &Hub) -> Result<()> {
    let provider = hub.provider();
    let head = provider.get_block_number().await?;
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for number in 0..=head {
        let number = format!("0x{number:x}");
        let block: Value = provider
            .raw_request("eth_getBlockByNumber".into(), (number, true))
            .await?;
        for tx in block["transactions"].as_array().into_iter().flatten() {
            let same = format!(
                "{} {} {} {}",
                tx["from"], tx["to"], tx["input"], tx["value"]
            );
            *seen.entry(same).or_default() += 1;
        }
    }
    let twice: Vec<_> = seen.into_iter().filter(|(_, times)| *times > 1).collect();
    ensure!(twice.is_empty(), "sent more than once: {twice:?}");
    Ok(())
}
