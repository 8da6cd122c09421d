//! What became of a bag of tasks: whether it is what was asked for, and where everything stands
//! when it is not.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use alloy::providers::Provider as _;
use anyhow::{Context as _, Result, ensure};
use chain::Hub;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use iexec_tests::{
    cast::{Cast, Deal},
    task,
};
use network::{Role, local_wallet};
use protocol::TaskId;
use serde_json::Value;

use crate::{
    chaos::{World, cast},
    platform::Platform,
    process::state_of,
};

/// Questions at the same time.
const QUESTIONS: usize = 16;
/// Tasks that are not done and told in full.
const TOLD_MAX: usize = 3;
/// Who does not answer by then does not.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The characters of a call's selector and first argument, in hex with `0x`.
const FIRST_ARGUMENT: std::ops::Range<usize> = 10..74;

/// Every task is completed with its own result and its output, and nothing was sent twice.
pub(crate) async fn judge(platform: &Platform, deal: &Deal) -> Result<()> {
    let pool = cast(platform, platform.pool.url()).await?;
    let store = cast(platform, platform.store.url()).await?;
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
    nothing_twice(&pool.hub, deal).await
}

async fn kept(pool: &Cast, store: &Cast, index: usize, id: TaskId) -> Result<()> {
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

/// No wallet has two mined transactions that say the same, or that do the same to one task; and
/// the pool has none that failed: that is what a second attempt at something done would do.
async fn nothing_twice(hub: &Hub, deal: &Deal) -> Result<()> {
    let head = hub.provider().get_block_number().await?;
    let pool_owner = local_wallet(Role::PoolOwner, 0).address();
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for number in 0..=head {
        for tx in transactions(hub, number).await? {
            *seen.entry(intent(&tx, deal)).or_default() += 1;
            if tx["from"] == format!("{pool_owner:#x}") {
                let receipt = hub.provider().raw_request::<_, Value>(
                    "eth_getTransactionReceipt".into(),
                    (tx["hash"].clone(),),
                );
                ensure!(receipt.await?["status"] == "0x1", "it failed: {tx}");
            }
        }
    }
    let twice: Vec<_> = seen.into_iter().filter(|(_, times)| *times > 1).collect();
    ensure!(twice.is_empty(), "sent more than once: {twice:?}");
    Ok(())
}

async fn transactions(hub: &Hub, block: u64) -> Result<Vec<Value>> {
    let block = (format!("0x{block:x}"), true);
    let asked = hub.provider();
    let mut block: Value = asked
        .raw_request("eth_getBlockByNumber".into(), block)
        .await?;
    match block["transactions"].take() {
        Value::Array(transactions) => Ok(transactions),
        _ => Ok(vec![]),
    }
}

/// What a transaction is for.
fn intent(tx: &Value, deal: &Deal) -> String {
    let input = tx["input"].as_str().unwrap_or_default();
    let argument = input.get(FIRST_ARGUMENT).unwrap_or_default();
    let is_task = |task: &TaskId| format!("{task}").trim_start_matches("0x") == argument;
    let said = match deal.tasks.iter().any(is_task) {
        true => &input[..FIRST_ARGUMENT.end],
        false => input,
    };
    format!("{} {} {said} {}", tx["from"], tx["to"], tx["value"])
}

/// Where everything stands, for whoever has to find out why.
pub(crate) async fn state(world: &World, deal: &Deal) -> String {
    let mut text = String::new();
    for process in world.platform.processes().into_iter().chain(&world.workers) {
        let (name, id) = (&process.name, process.id());
        let state = state_of(id);
        let log = world.platform.place.log_end(name);
        let _ = writeln!(text, "== {name}, process {id} ({state})\n{log}");
    }
    let pool = &world.platform.pool;
    let status = within(async { Ok(pool.get("/status").await?.1) }).await;
    let _ = writeln!(text, "== the pool says\n{status}");
    let tasks = within(tasks(world, deal)).await;
    text + &tasks
}

async fn tasks(world: &World, deal: &Deal) -> Result<String> {
    let pool = cast(&world.platform, world.platform.pool.url()).await?;
    let head = pool.hub.provider().get_block_number().await?;
    let mut text = format!("== block {head}\n");
    let mut told = 0;
    for (index, id) in deal.tasks.iter().enumerate() {
        let shown = task::show(&pool.http, &pool.origin, *id).await?;
        let status = shown.as_ref().map_or("unknown", |task| task.status());
        if status == "COMPLETED" {
            continue;
        }
        let on_chain = pool.hub.task(*id).await?.map(|task| task.status);
        let _ = writeln!(text, "task {index} {id}: {status}, on chain {on_chain:?}");
        if let Some(shown) = shown.filter(|_| told < TOLD_MAX) {
            told += 1;
            let _ = writeln!(text, "{}", shown.0);
        }
    }
    Ok(text)
}

async fn within(answer: impl Future<Output = Result<String>>) -> String {
    match tokio::time::timeout(ANSWER_MAX, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "no answer".to_owned(),
    }
}
