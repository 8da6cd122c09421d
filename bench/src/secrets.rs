//! Pushes of secrets at a steady rate over HTTP, with signatures checked and every acknowledgement
//! on the disk, beside a bare synced write of a few bytes: the least that any of it could cost.

use std::{
    io::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use async_trait::async_trait;
use chain::{AppInfo, DatasetInfo, Wallet};
use futures_util::future::join_all;
use protocol::{
    Address, DealId, TaskId,
    deal::{Deal, Task},
    order::{DatasetOrder, Signed},
    sms,
};
use secrets::{Config, Grant, Ledger, Service, Unavailable};
use tokio::net::TcpListener;

use crate::stats::{line, median, percentile, say};

/// Pushes a second: the goal is to stay below [`GOAL_MS`] at this rate.
const RATE: u32 = 200;
/// Pushes in all.
const PUSHES: u32 = 2_000;
/// Of the slowest in a hundred.
const GOAL_MS: u64 = 20;
/// Synced writes that are measured as the yardstick.
const SYNCS: u32 = 200;

/// No chain is asked: a requester signs for itself.
struct NoChain;

fn never<T>() -> Result<T, Unavailable> {
    Err(Unavailable("there is none".into()))
}

#[async_trait]
impl Ledger for NoChain {
    fn place(&self) -> (u64, Address) {
        (1, Address::ZERO)
    }
    async fn owner_of(&self, _: Address) -> Result<Option<Address>, Unavailable> {
        never()
    }
    async fn now(&self) -> Result<u64, Unavailable> {
        never()
    }
    async fn task(&self, _: TaskId) -> Result<Option<Task>, Unavailable> {
        never()
    }
    async fn deal(&self, _: DealId) -> Result<Option<Deal>, Unavailable> {
        never()
    }
    async fn app(&self, _: Address) -> Result<Option<AppInfo>, Unavailable> {
        never()
    }
    async fn dataset(&self, _: Address) -> Result<Option<DatasetInfo>, Unavailable> {
        never()
    }
    async fn grant(&self, _: &Signed<DatasetOrder>, _: DealId) -> Result<Grant, Unavailable> {
        never()
    }
}

/// Prints p50 and p99 of a push, and the yardstick.
pub(crate) async fn measure() -> anyhow::Result<()> {
    // Not where temporary files are: that may be memory.
    let folder = tempfile::tempdir_in(std::env::current_dir()?)?;
    let sync = median(syncs(folder.path())?);
    let config = Config::new(folder.path().join("sms"));
    let service = Service::open(config, Arc::new(NoChain)).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let serving = tokio::spawn(async move { axum::serve(listener, service.router()).await });
    let times = pushes(&origin).await?;
    serving.abort();
    line("a synced write to the same disk, p50", sync, None);
    for percent in [50, 99] {
        let name = format!("a push at {RATE}/s on SQLite, p{percent}");
        line(&name, percentile(&times, percent), Some(sync));
    }
    let goal = Duration::from_millis(GOAL_MS);
    let is_met = percentile(&times, 99) <= goal;
    say(&format!(
        "p99 within {GOAL_MS} ms: {}",
        if is_met { "yes" } else { "no" }
    ));
    Ok(())
}

fn syncs(folder: &Path) -> anyhow::Result<Vec<Duration>> {
    let mut file = std::fs::File::create(folder.join("yardstick"))?;
    let mut one = || {
        let start = Instant::now();
        file.write_all(&[0; 256])?;
        file.sync_data()?;
        Ok(start.elapsed())
    };
    (0..SYNCS).map(|_| one()).collect()
}

/// Each starts when its time has come, whether the one before is answered or not: a slow answer
/// does not slow the load down.
async fn pushes(origin: &str) -> anyhow::Result<Vec<Duration>> {
    let (client, wallet) = (reqwest::Client::new(), Wallet::random());
    let owner = wallet.address();
    let mut requests = Vec::new();
    for number in 0..PUSHES {
        let (name, value) = (format!("secret-{number}"), "v".repeat(100));
        let signature = wallet.sign_message_hash(sms::named(owner, &name, &value))?;
        let request = client
            .post(format!("{origin}/requesters/{owner}/secrets/{name}"))
            .header("authorization", signature.to_string())
            .body(value);
        requests.push(request);
    }
    let start = Instant::now();
    let push = move |(number, request): (usize, reqwest::RequestBuilder)| async move {
        let due = Duration::from_secs(1) * u32::try_from(number)? / RATE;
        tokio::time::sleep(due.saturating_sub(start.elapsed())).await;
        let begun = Instant::now();
        let status = request.send().await?.status();
        ensure!(status == 204, "a push was answered with {status}");
        Ok(begun.elapsed())
    };
    let tasks = requests.into_iter().enumerate().map(push).map(tokio::spawn);
    let times = join_all(tasks.collect::<Vec<_>>()).await;
    let times: Result<Result<Vec<_>, _>, _> = times.into_iter().collect();
    let mut times = times??;
    times.sort_unstable();
    Ok(times)
}
