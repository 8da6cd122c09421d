//! Bags of tasks.

use std::{collections::BTreeSet, sync::Arc};

use alloy::providers::Provider as _;
use anyhow::{Context as _, Result, ensure};
use chain::HubEvent;
use futures_util::future::try_join_all;
use iexec_tests::{
    app::Image,
    bench::Bench,
    cast::{Ask, Cast, Deal},
    idle::Idle,
};
use protocol::{Address, B256, Bytes, TaskId};

/// Its result is a folder: the index in a file of its own and one that is equal everywhere.
const TELL_INDEX: &str = r#"
mkdir "$IEXEC_OUT/result"
echo "$IEXEC_BOT_TASK_INDEX from $IEXEC_BOT_FIRST_INDEX of $IEXEC_BOT_SIZE" \
    > "$IEXEC_OUT/result/index.txt"
echo same > "$IEXEC_OUT/result/always.txt"
declare_result "$IEXEC_OUT/result"
"#;

async fn told(cast: &Cast, deal: &Deal) -> Result<Vec<String>> {
    for task in cast.ended(deal).await? {
        Cast::expect_end(&task, "COMPLETED", "")?;
    }
    let results = deal.tasks.iter().map(|task| cast.result(*task));
    let results = try_join_all(results).await?;
    let index =
        |result: &iexec_tests::archive::Archive| result.text("result/index.txt").map(str::to_owned);
    results.iter().map(index).collect()
}

pub(crate) async fn three_tasks(bench: Bench) -> Result<()> {
    let world = bench.network(3).await?;
    let cast = &world.cast;
    let app = Image::of_script(&cast.engine, bench.test, TELL_INDEX).await?;
    let app = app.deploy(&cast.developer).await?;
    let ask = Ask {
        volume: 3,
        ..Ask::default()
    };
    let deal = cast.deal(app, &ask).await?;
    let expected = ["0 from 0 of 3\n", "1 from 0 of 3\n", "2 from 0 of 3\n"];
    assert_eq!(told(cast, &deal).await?, expected);
    world.stop().await
}

/// One request order may take several deals; its indices go on counting.
pub(crate) async fn two_deals_of_one_request(bench: Bench) -> Result<()> {
    let world = bench.network(3).await?;
    let cast = &world.cast;
    let app = Image::of_script(&cast.engine, bench.test, TELL_INDEX).await?;
    let app = app.deploy(&cast.developer).await?;
    let all = Ask {
        volume: 3,
        ..Ask::default()
    };
    let request = cast.request_order(app, &all)?;
    let one = cast.app_order(
        app,
        &Ask {
            volume: 1,
            ..all.clone()
        },
    )?;
    let rest = cast.app_order(
        app,
        &Ask {
            volume: 2,
            ..all.clone()
        },
    )?;
    let first = cast.match_orders(&one, &request, &all).await?;
    let second = cast.match_orders(&rest, &request, &all).await?;
    assert_eq!(told(cast, &first).await?, ["0 from 0 of 1\n"]);
    assert_eq!(
        told(cast, &second).await?,
        ["1 from 1 of 2\n", "2 from 1 of 2\n"]
    );
    world.stop().await
}

/// The transactions in which each task of the deal got what `about` picks.
pub(crate) async fn transactions(
    cast: &Cast,
    deal: &Deal,
    about: impl Fn(&HubEvent) -> Option<TaskId>,
) -> Result<BTreeSet<B256>> {
    let mut events = cast.hub.events(deal.block);
    let (mut transactions, mut tasks) = (BTreeSet::new(), BTreeSet::new());
    while tasks.len() < deal.tasks.len() {
        let batch = events.next().await.context("the chain is gone")??;
        for located in batch.events {
            if let Some(task) = about(&located.event).filter(|task| deal.tasks.contains(task)) {
                ensure!(tasks.insert(task), "{task} twice");
                transactions.insert(located.tx);
            }
        }
    }
    Ok(transactions)
}

pub(crate) fn finalized(event: &HubEvent) -> Option<TaskId> {
    match event {
        HubEvent::TaskFinalize { task, .. } => Some(*task),
        _ => None,
    }
}

pub(crate) fn initialized(event: &HubEvent) -> Option<TaskId> {
    match event {
        HubEvent::TaskInitialize { task, .. } => Some(*task),
        _ => None,
    }
}

/// A worker that was killed after it sent may compute the result again, and its archive then has
/// another link: once, both transactions were mined.
pub(crate) async fn finished_by_one_transaction(bench: Bench) -> Result<()> {
    let network = bench.builder().own_engine(Arc::new(Idle::default()));
    let world = bench.world(network.workers(0), 0).await?;
    let cast = &world.cast;
    let image = Image {
        name: "idle:1".into(),
        checksum: B256::repeat_byte(1),
    };
    let app = image.deploy(&cast.developer).await?;
    let deal = cast.deal(app, &Ask::default()).await?;
    transactions(cast, &deal, initialized).await?;
    let (worker, owner) = (&cast.developer, &cast.pool_owner);
    let permit = chain::authorize(owner, deal.id, 0, worker.address(), Address::ZERO)?;
    let (task, digest) = (deal.tasks[0], B256::repeat_byte(7));
    let send = |link: &'static [u8]| {
        let link = Bytes::from_static(link);
        worker.contribute_and_finalize(task, digest, link, Bytes::new(), &permit, Bytes::new())
    };
    let first = send(b"/ipfs/first").await?;
    assert_eq!(first.tx, send(b"/ipfs/second").await?.tx);
    world.stop().await
}

/// On our hub, what is ready while a transaction waits for its block goes in the next one.
pub(crate) async fn finalized_in_few_transactions(bench: Bench) -> Result<()> {
    const SIZE: u64 = 200;
    let network = bench
        .builder()
        .own_engine(Arc::new(Idle::default()))
        .workers(2);
    let network = network.slots(SIZE as u32 / 2).finalizes_at_once(false);
    let world = bench.world(network, 0).await?;
    let cast = &world.cast;
    let image = Image {
        name: "idle:1".into(),
        checksum: B256::repeat_byte(1),
    };
    let app = image.deploy(&cast.developer).await?;
    let provider = cast.hub.provider();
    let _: serde_json::Value = provider
        .raw_request("evm_setIntervalMining".into(), (1,))
        .await?;
    let ask = Ask {
        volume: SIZE,
        ..Ask::default()
    };
    let deal = cast.deal(app, &ask).await?;
    let finalize = transactions(cast, &deal, finalized).await?;
    let initialize = transactions(cast, &deal, initialized).await?;
    assert_eq!(initialize.len(), 2, "a hundred tasks at a time");
    tracing::info!(transactions = finalize.len(), "{SIZE} tasks are finalized");
    ensure!(
        finalize.len() * 4 < SIZE as usize,
        "{} transactions",
        finalize.len()
    );
    for task in cast.ended(&deal).await? {
        Cast::expect_end(&task, "COMPLETED", "")?;
    }
    world.stop().await
}
