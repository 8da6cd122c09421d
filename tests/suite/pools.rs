//! One worker for several pools.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use chain::{Actor, NewAsset, Wallet};
use iexec_tests::{
    app::Image,
    bench::Bench,
    cast::{Ask, Cast, Deal},
    idle::Idle,
};
use network::{Info, Role, local_wallet};
use protocol::B256;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use worker::Board;

/// Between two looks at what a pool says.
const LOOK: Duration = Duration::from_millis(20);
const SLOTS: u32 = 2;

/// A second pool beside that of the network, and a worker of both.
struct Second {
    info: Info,
    owner: Wallet,
    stop: CancellationToken,
    roles: JoinSet<Result<()>>,
    _dir: TempDir,
}

impl Second {
    async fn start(cast: &Cast, first: &Info, engine: Arc<Idle>) -> Result<Self> {
        let owner = Wallet::random();
        let asset = NewAsset::Workerpool {
            owner: owner.address(),
            description: "second".into(),
        };
        let mut info = first.clone();
        info.workerpool = cast.developer.create(&asset).await?.0;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        info.pool = format!("http://{}", listener.local_addr()?);
        let config = pool::Config {
            workerpool: info.workerpool,
            database_url: "sqlite::memory:".into(),
            result_proxy: first.result_proxy.clone(),
            sms_url: None,
            market_url: None,
            offers: Vec::new(),
            whitelist: Vec::new(),
            finalizes_at_once: true,
            claims_for_requesters: false,
            logs_kept_s: pool::machine::LOGS_KEPT_S,
            start_block: 0,
        };
        let actor = Actor::new(cast.hub.clone(), owner.clone());
        let service = pool::Service::open(config, actor).await?;
        let (stop, mut roles) = (CancellationToken::new(), JoinSet::new());
        let served = axum::serve(listener, service.router());
        let stopped = stop.clone().cancelled_owned();
        roles.spawn(async move { Ok(served.with_graceful_shutdown(stopped).await?) });
        let shutdown = stop.clone();
        roles.spawn(async move { Ok(service.run(shutdown).await?) });

        let (dir, board) = (tempfile::tempdir()?, Board::new(SLOTS));
        let actor = Actor::new(cast.hub.clone(), local_wallet(Role::Worker, 0));
        for info in [first, &info] {
            let folder = dir.path().join(info.workerpool.to_string());
            let name = "of both".to_owned();
            let mut config = worker::Config::new(info.pool.clone(), info.workerpool, name, folder);
            config.allow_local_images = true;
            let service = worker::Service::new(config, actor.clone(), engine.clone())?;
            let service = service.with_board(board.clone());
            let shutdown = stop.child_token();
            roles.spawn(async move { Ok(service.run(shutdown).await?) });
        }
        Ok(Self {
            info,
            owner,
            stop,
            roles,
            _dir: dir,
        })
    }

    fn cast(&self, first: &Cast) -> Cast {
        let (developer, requester) = (first.developer.wallet(), first.requester.wallet());
        let wallets = [developer.clone(), requester.clone(), self.owner.clone()];
        Cast::new(first.hub.clone(), &self.info, wallets, first.engine.clone())
    }

    async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        while let Some(ended) = self.roles.join_next().await {
            ended??;
        }
        Ok(())
    }
}

async fn get(cast: &Cast, path: &str) -> Result<Value> {
    let answer = cast.http.get(format!("{}{path}", cast.origin)).send();
    Ok(answer.await?.error_for_status()?.json().await?)
}

/// Waits until the pool believes that its worker has so many slots for it.
async fn offered(cast: &Cast, slots: u32) -> Result<()> {
    loop {
        let workers = get(cast, "/workers").await?;
        if workers[0]["slots"] == slots {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn deal(cast: &Cast, volume: u64) -> Result<Deal> {
    let image = Image {
        name: format!("idle-{:x}:1", cast.workerpool),
        checksum: B256::repeat_byte(1),
    };
    let app = image.deploy(&cast.developer).await?;
    let ask = Ask {
        volume,
        pool_price: 1,
        ..Ask::default()
    };
    cast.deal(app, &ask).await
}

/// Both pools have more work than the worker has slots: it never runs more than it has, and a
/// pool gives nothing to a worker that the other one keeps busy.
pub(crate) async fn two_pools_share_the_slots_of_one_worker(bench: Bench) -> Result<()> {
    let engine = Arc::new(Idle::held());
    let builder = bench.builder().own_engine(engine.clone()).workers(0);
    let world = bench.world(builder, 0).await?;
    let one = &world.cast;
    let second = Second::start(one, world.network.info(), engine.clone()).await?;
    let two = &second.cast(one);
    offered(one, SLOTS).await?;
    offered(two, SLOTS).await?;

    let first = deal(one, 3).await?;
    engine.running(SLOTS as usize).await;
    offered(two, 0).await?;
    let other = deal(two, 3).await?;
    let mut heads = two.hub.heads();
    while two.hub.task(other.tasks[0]).await?.is_none() {
        heads.changed().await?;
    }
    let task = get(two, &format!("/tasks/{}", other.tasks[0])).await?;
    let replicates = task["replicates"].as_array().context("no replicates")?;
    ensure!(replicates.is_empty(), "given to a busy worker: {task}");

    engine.release();
    one.completed(&first, 3).await?;
    two.completed(&other, 3).await?;
    assert_eq!(engine.most(), SLOTS as usize);
    offered(one, SLOTS).await?;
    offered(two, SLOTS).await?;
    second.stop().await?;
    world.stop().await
}
