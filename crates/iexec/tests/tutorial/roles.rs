//! Each role as a process of its own, the pool killed in the middle of a task, and what an operator
//! asks and tells them.

use std::{collections::BTreeMap, fs, future::Future, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use chain::{Actor, Hub, NewAsset};
use iexec_tests::{app::Image, bench::Bench};
use network::{Role, local_wallet};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    person::{self, Person},
    platform::{self, Platform},
    process::{Place, Process},
};

/// Workers that the pool knows.
const WORKERS: u32 = 2;
/// Between two looks; the test's own limit bounds them.
const LOOK: Duration = Duration::from_millis(20);
/// Runs long enough to be interrupted.
const SLOW: &str = "sleep 3; echo done > $IEXEC_OUT/x; declare_result $IEXEC_OUT/x";

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

async fn image(bench: &Bench, platform: &Platform, workers: u32) -> Result<Image> {
    platform::image_of(SLOW, bench, platform, workers).await
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
    let mut platform = Platform::start(Place::local(dir), WORKERS)?;
    let image = image(&bench, &platform, WORKERS).await?;
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
    let hub = Hub::connect(&platform.on.ws_url, platform.on.hub).await?;
    let owner = Actor::new(hub, local_wallet(Role::Developer, 0));
    let description = "another".to_owned();
    let asset = NewAsset::Workerpool {
        owner: owner.address(),
        description,
    };
    let (workerpool, _) = owner.create(&asset).await?;
    let key = platform.place.key_file(Role::Developer, 0)?;
    let line = format!(
        "--chain-url {} --hub {} --listen 127.0.0.1:0 --workerpool {workerpool} \
         --result-proxy {} --wallet {}",
        platform.on.rpc_url,
        platform.on.hub,
        platform.store.url(),
        key.display()
    );
    Process::start(&platform.place, "pool-2", "pool", &line)
}

/// One worker is logged in at two pools; the third that it is told of is none for it.
pub(crate) async fn pools_share_a_worker(_bench: Bench) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let dir = fs::canonicalize(folder.path())?;
    let platform = Platform::start(Place::local(dir), WORKERS)?;
    let second = second_pool(&platform).await?;
    let entry = |workerpool: &dyn std::fmt::Display| {
        format!(
            "[[pool]]\nurl = \"{}\"\nworkerpool = \"{workerpool}\"\n",
            second.url()
        )
    };
    let more = entry(&second.said("workerpool")) + &entry(&platform.on.hub);
    let mut worker = platform.worker_with(0, "builtin", &more)?;
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
    let path = format!("/workerpoolorders?chainId={}", platform.on.chain_id);
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
    let mut command = person::program(&platform.place.dir.join("home"), Path::new("/nonexistent"));
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
    let data = platform.place.dir.join("pool").display().to_string();
    said(platform, &["pool", "drain", "--data", &data]).await?;
    let path = format!("/workerpoolorders?chainId={}", platform.on.chain_id);
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
    for mut process in [sms, market, store].into_iter().chain(chain) {
        process.signal(Signal::SIGTERM)?;
        let ended = process.ended()?;
        ensure!(ended.success(), "{}: {ended}", process.name);
    }
    Ok(())
}
