//! What the requester sees while an app runs, and the same reason for a failure wherever it looks.

use std::collections::HashSet;

use anyhow::{Context as _, Result, ensure};
use chain::Actor;
use futures_util::StreamExt as _;
use iexec_tests::{
    app::Image,
    bench::{Bench, World},
    cast::{Ask, Deal},
    cutter::Cutter,
    task,
};
use network::{Role, local_wallet};
use protocol::{B256, TaskId};
use sdk::{
    Client,
    chains::Chain,
    services::pool,
    watch::{Failure, Outcome, Update, follow},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Bytes of the stream before it is cut: more than the history of a task, less than its output.
const CUT_BYTES: u64 = 12_000;
/// What a login says of one image: a hash in JSON.
const IMAGE_BYTES: u64 = 70;
/// The category whose tasks end after a few seconds.
const QUICK: u64 = 5;

/// Prints lines with characters of several bytes, for about two seconds.
const LINES_SCRIPT: &str = r#"
i=0
while [ $i -lt 2000 ]; do
    i=$((i+1))
    echo "línea $i →"
    [ $((i % 100)) = 0 ] && sleep 0.1
done
echo 1 > $IEXEC_OUT/x
declare_result /iexec_out/x
"#;

fn lines() -> String {
    (1..=2000).map(|i| format!("línea {i} →\n")).collect()
}

/// The requester's program, which reaches the pool at `pool`.
pub(crate) async fn client(world: &World, pool: &str) -> Result<Client> {
    let info = world.network.info();
    let chain = Chain {
        name: "local".to_owned(),
        id: Some(info.chain_id),
        host: info.ws_url.clone(),
        hub: info.hub,
        sms: None,
        market: None,
        ipfs_gateway: info.ipfs_gateway.clone(),
        compass: None,
        pool: Some(pool.to_owned()),
        ipfs_node: Some(info.ipfs_node.clone()),
        ens_registry: None,
        ens_public_resolver: None,
        use_gas: false,
        warnings: Vec::new(),
    };
    Ok(Client::connect(chain).await?)
}

/// What a watch showed, and how it ended.
#[derive(Default)]
struct Shown {
    output: String,
    stages: Vec<String>,
    missing: u64,
}

async fn watch(world: &World, pool: &str, deal: &Deal) -> Result<(Outcome, Shown)> {
    let client = client(world, pool).await?;
    let on_chain = sdk::deal::show(&client, deal.id).await?;
    let mut shown = Shown::default();
    let wallet = world.cast.requester.wallet();
    let outcome = follow::task(&client, &on_chain, 0, Some(wallet), |update| match update {
        Update::Stage(stage) => shown.stages.push(stage.to_string()),
        Update::Output { text, .. } => shown.output.push_str(&text),
        Update::Missing { bytes, .. } => shown.missing += bytes,
        Update::ReplicateFailed { .. } => {}
    });
    let outcome = outcome.await?;
    Ok((outcome, shown))
}

async fn start(world: &World, bench: &Bench, script: &str, ask: &Ask) -> Result<Deal> {
    let cast = &world.cast;
    let image = Image::of_script(&cast.engine, bench.test, script).await?;
    let app = image.deploy(&cast.developer).await?;
    cast.deal(app, ask).await
}

/// The output of an app comes whole and once through a connection that breaks again and again.
pub(crate) async fn output_through_a_connection_that_breaks(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let deal = start(&world, &bench, LINES_SCRIPT, &Ask::default()).await?;
    let cutter = Cutter::before(&world.cast.origin, CUT_BYTES).await?;
    let (outcome, shown) = watch(&world, &cutter.url, &deal).await?;
    assert_eq!(outcome, Outcome::Completed);
    assert_eq!(shown.output, lines());
    assert_eq!(shown.missing, 0);
    ensure!(cutter.cuts() > 0, "nothing was cut");
    // The stored output has the same place in the stream.
    let (_, again) = watch(&world, &world.cast.origin, &deal).await?;
    assert_eq!(again.output, lines());
    world.stop().await
}

/// Nor does a connection between worker and pool that breaks cost a line.
pub(crate) async fn output_of_a_worker_whose_connection_breaks(bench: Bench) -> Result<()> {
    let world = bench.network(0).await?;
    // A login that tells of many images is long; it has to get through.
    let images = world.network.engine().images().await?.into_iter();
    let told: HashSet<_> = images.map(|one| one.digest.unwrap_or(one.id).0).collect();
    let bytes = CUT_BYTES + told.len() as u64 * IMAGE_BYTES;
    let cutter = Cutter::before(&world.cast.origin, bytes).await?;
    let shutdown = CancellationToken::new();
    let worker = worker(&bench, &world, &cutter.url)?;
    let working = tokio::spawn(worker.run(shutdown.clone()));
    let deal = start(&world, &bench, LINES_SCRIPT, &Ask::default()).await?;
    let (outcome, shown) = watch(&world, &world.cast.origin, &deal).await?;
    assert_eq!(outcome, Outcome::Completed);
    assert_eq!(shown.output, lines());
    assert_eq!(shown.missing, 0);
    ensure!(cutter.cuts() > 0, "nothing was cut");
    shutdown.cancel();
    working.await??;
    world.stop().await
}

/// The first worker of the local network, with its own way to the pool.
fn worker(bench: &Bench, world: &World, pool: &str) -> Result<worker::Service> {
    let (info, folder) = (world.network.info(), bench.data_dir().join("worker-0"));
    let mut config = worker::Config::new(pool.to_owned(), info.workerpool, "cut".into(), folder);
    config.allow_local_images = true;
    let actor = Actor::new(world.cast.hub.clone(), local_wallet(Role::Worker, 0));
    let engine = world.network.engine().clone();
    Ok(worker::Service::new(config, actor, engine)?)
}

/// An app says how far it is, and its result is the same as if it had not.
pub(crate) async fn progress_is_told_and_leaves_no_trace(bench: Bench) -> Result<()> {
    let script = "echo 0.42 > $IEXEC_OUT/.progress; echo 1 > $IEXEC_OUT/x; \
                  declare_result /iexec_out";
    let world = bench.network(1).await?;
    let deal = start(&world, &bench, script, &Ask::default()).await?;
    let story = story(&world, deal.tasks[0]).await?;
    let progress = events(&story, "progress");
    let told = progress
        .iter()
        .any(|event| event["phase"] == "app" && event["percent"] == 42);
    ensure!(told, "no progress in {story}");
    // Names, digest and the contract's word are compared here.
    let result = world.cast.result(deal.tasks[0]).await?;
    ensure!(
        !result.names().contains(&".progress"),
        "{:?}",
        result.names()
    );
    world.stop().await
}

/// `task debug --logs` of a task that runs: what there is so far.
pub(crate) async fn output_of_a_running_task(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let script = "echo so far; sleep 600";
    let deal = start(&world, &bench, script, &Ask::default()).await?;
    let (cast, id) = (&world.cast, deal.tasks[0]);
    task::reached(&cast.http, &cast.origin, id, "COMPUTING").await?;
    let client = client(&world, &cast.origin).await?;
    let (origin, wallet) = (cast.origin.as_str(), cast.requester.wallet());
    let token = pool::token(&client, origin, wallet).await?;
    let stream = pool::stream(&client, origin, id, Some(&token), None).await?;
    let mut logs = stream.filter_map(|event| {
        let is_log = matches!(event, pool::PoolEvent::Log { .. });
        std::future::ready(is_log.then_some(()))
    });
    logs.next().await.context("the stream ended")?;
    let logs = pool::logs(&client, origin, id, wallet).await?;
    assert_eq!(logs[0].stdout, "so far\n");
    world.stop().await
}

/// The whole stream of a task, up to its end.
async fn story(world: &World, id: TaskId) -> Result<String> {
    let cast = &world.cast;
    while task::show(&cast.http, &cast.origin, id).await?.is_none() {
        tokio::task::yield_now().await;
    }
    let url = format!("{}/tasks/{id}/stream", cast.origin);
    Ok(cast.http.get(url).send().await?.text().await?)
}

fn events(story: &str, name: &str) -> Vec<Value> {
    let name = format!("event: {name}\n");
    let events = story.split("\n\n").filter(|event| event.contains(&name));
    let data = events.filter_map(|event| event.lines().find_map(|l| l.strip_prefix("data: ")));
    data.filter_map(|data| serde_json::from_str(data).ok())
        .collect()
}

type Reason = (String, Option<String>);

fn reason_in(value: &Value, key: &str) -> Option<Reason> {
    let cause = value[key].as_str()?.to_owned();
    Some((cause, value["message"].as_str().map(str::to_owned)))
}

fn reason_of(failure: &Failure) -> Reason {
    (failure.cause.code().to_owned(), failure.message.clone())
}

/// Follows a task that fails, and compares its reason wherever it is told.
async fn one_reason(world: &World, deal: &Deal, code: &str) -> Result<()> {
    let (cast, id) = (&world.cast, deal.tasks[0]);
    let (watched, story) = tokio::join!(watch(world, &cast.origin, deal), story(world, id));
    let Outcome::Failed(Some(printed)) = watched?.0 else {
        anyhow::bail!("the watch told no reason");
    };
    let expected = reason_of(&printed);
    assert_eq!(expected.0, code);
    let model = task::show(&cast.http, &cast.origin, id).await?;
    let model = model.context("the pool forgot the task")?.0;
    let updates = model["replicates"][0]["statusUpdateList"].as_array();
    let history = updates.context("no history")?.iter().rev();
    let in_history = history
        .clone()
        .find_map(|update| reason_in(update, "cause"));
    assert_eq!(in_history.as_ref(), Some(&expected), "history: {model}");
    let story = story?;
    let end = events(&story, "end").pop().context("no end")?;
    let at_end = reason_in(&end["cause"], "code");
    assert_eq!(at_end.as_ref(), Some(&expected), "end: {end}");
    let client = client(world, &cast.origin).await?;
    let debug = pool::task(&client, &cast.origin, id).await?;
    let last = debug.context("no task")?.last_cause().context("no cause")?;
    assert_eq!((last.0.code().to_owned(), last.1), expected, "task debug");
    Ok(())
}

async fn fails(bench: Bench, script: &str, ask: &Ask, code: &str) -> Result<()> {
    let world = bench.network(1).await?;
    let deal = start(&world, &bench, script, ask).await?;
    one_reason(&world, &deal, code).await?;
    world.stop().await
}

pub(crate) async fn crash_has_one_reason(bench: Bench) -> Result<()> {
    fails(bench, "exit 3", &Ask::default(), "APP_COMPUTE_FAILED").await
}

pub(crate) async fn timeout_has_one_reason(bench: Bench) -> Result<()> {
    let ask = Ask {
        category: QUICK,
        ..Ask::default()
    };
    fails(bench, "sleep 600", &ask, "APP_COMPUTE_TIMEOUT").await
}

pub(crate) async fn too_much_memory_has_one_reason(bench: Bench) -> Result<()> {
    // `tail` keeps what has no line end.
    let script = "tail /dev/zero";
    fails(bench, script, &Ask::default(), "APP_COMPUTE_FAILED").await
}

pub(crate) async fn missing_result_has_one_reason(bench: Bench) -> Result<()> {
    fails(
        bench,
        "exit 0",
        &Ask::default(),
        "DETERMINISM_HASH_NOT_FOUND",
    )
    .await
}

/// A missing image is a result of its own, and still a failure for whoever asked for the app.
pub(crate) async fn missing_image_has_one_reason(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let cast = &world.cast;
    let image = Image {
        name: "127.0.0.1:1/nobody/nothing:1".to_owned(),
        checksum: B256::repeat_byte(7),
    };
    let app = image.deploy(&cast.developer).await?;
    let deal = cast.deal(app, &Ask::default()).await?;
    one_reason(&world, &deal, "APP_IMAGE_DOWNLOAD_FAILED").await?;
    world.stop().await
}
