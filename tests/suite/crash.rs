//! A network that is killed in the middle of its work and started again.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use alloy::primitives::U256;
use anyhow::{Context as _, Result, ensure};
use chain::Account;
use iexec_tests::{
    app::Image,
    bench::{self, Bench},
    cast::{Ask, Cast, Deal},
};
use network::{Info, Role, local_wallet};

/// Tells this test binary to be the process that gets killed, and where its data are.
const DATA_DIR: &str = "IEXEC_SUITE_DATA_DIR";
/// Tells it how many workers to have.
const WORKERS_VAR: &str = "IEXEC_SUITE_WORKERS";
/// What it prints when the network is ready.
const READY: &str = "network is ready";
/// It has two slots: a bag of five is partly done, partly running, partly waiting.
const WORKERS: u32 = 1;
const TASKS: u64 = 5;
const POOL_PRICE: u64 = 1_000;
const APP_PRICE: u64 = 3;

/// Takes so long that some are always running.
const SLOW: &str = r#"
sleep 1
echo "$IEXEC_BOT_TASK_INDEX" > "$IEXEC_OUT/index.txt"
declare_result "$IEXEC_OUT/index.txt"
"#;

/// Plays the network when started as one; else there is nothing to test here.
#[expect(clippy::print_stdout, reason = "the other process reads it")]
pub(crate) async fn victim(bench: Bench) -> Result<()> {
    let Some(data_dir) = std::env::var_os(DATA_DIR) else {
        return Ok(());
    };
    let network = bench::builder(&PathBuf::from(data_dir), bench.choice);
    let workers = std::env::var(WORKERS_VAR)?.parse()?;
    let network = network.workers(workers).start().await?;
    println!("{READY}");
    // Its end is ours, should the other process die first.
    let input = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    tokio::select! {
        () = network.stopped() => anyhow::bail!("a role failed"),
        _ = tokio::task::spawn_blocking(input) => network.stop().await,
    }
    Ok(())
}

/// The network in another process; killed when dropped.
pub(crate) struct Victim(Child);

impl Victim {
    /// Returns when it is ready.
    pub(crate) fn start(bench: &Bench, workers: u32) -> Result<Self> {
        tokio::task::block_in_place(|| Self::spawn(bench, workers))
    }

    fn spawn(bench: &Bench, workers: u32) -> Result<Self> {
        let engine = bench.test.split("::").next().unwrap_or_default();
        let child = Command::new(std::env::current_exe()?)
            .args(["--exact", "--nocapture", &format!("{engine}::victim")])
            .env(DATA_DIR, bench.data_dir())
            .env(WORKERS_VAR, workers.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut victim = Self(child);
        let stdout = victim.0.stdout.take().context("no stdout")?;
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let ready = lines.by_ref().any(|line| line.contains(READY));
        ensure!(ready, "the network ended before it was ready");
        // Read on, or it would stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(victim)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // SIGKILL: nothing is tidied up.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The accounts of the network in the other process.
pub(crate) async fn cast(
    bench: &Bench,
    engine: &std::sync::Arc<dyn engine::Engine>,
) -> Result<Cast> {
    let info = Info::read(&bench.data_dir())?;
    Cast::local(&info, engine.clone()).await
}

async fn stakes(cast: &Cast) -> Result<[Account; 3]> {
    let account = |wallet| cast.hub.account(wallet);
    Ok([
        account(cast.requester.address()).await?,
        account(cast.developer.address()).await?,
        account(local_wallet(Role::Worker, 0).address()).await?,
    ])
}

/// The engine of the network in the other process.
pub(crate) async fn engine(bench: &Bench) -> Result<std::sync::Arc<dyn engine::Engine>> {
    let mut config = engine::Config::new(bench.choice, bench.data_dir().join("engine"));
    config.helper = engine::testing::helper();
    Ok(engine::detect(&config).await?)
}

async fn finished(cast: &Cast, deal: &Deal) -> Result<u64> {
    let mut count = 0;
    for task in &deal.tasks {
        let task = cast.hub.task(*task).await?;
        count += u64::from(task.is_some_and(|task| task.status.is_final()));
    }
    Ok(count)
}

/// Everything that was asked for before the crash is done after it, and paid once.
async fn check(cast: &Cast, deal: &Deal, before: [Account; 3]) -> Result<()> {
    for task in cast.ended(deal).await? {
        Cast::expect_end(&task, "COMPLETED", "")?;
    }
    for (index, task) in deal.tasks.iter().enumerate() {
        let result = cast.result(*task).await?;
        assert_eq!(result.text("index.txt")?, format!("{index}\n"));
    }
    let after = stakes(cast).await?;
    let [requester, developer, worker] = [0, 1, 2].map(|who| (before[who], after[who]));
    let paid = requester.0.stake - requester.1.stake;
    assert_eq!(paid, U256::from(TASKS * (POOL_PRICE + APP_PRICE)));
    assert_eq!(requester.0.locked, requester.1.locked);
    assert_eq!(
        developer.1.stake - developer.0.stake,
        U256::from(TASKS * APP_PRICE)
    );
    let share = POOL_PRICE - POOL_PRICE / 100;
    assert_eq!(worker.1.stake - worker.0.stake, U256::from(TASKS * share));
    Ok(())
}

/// How many tasks are completed when each of the networks is killed: right after the deal, with
/// some done, with most done. Some are running every time.
const KILLED_AT: [usize; 3] = [0, 1, 3];

pub(crate) async fn killed_in_a_bag(bench: Bench) -> Result<()> {
    let engine = engine(&bench).await?;
    let image = Image::of_script(&engine, bench.test, SLOW).await?;
    let mut victim = Victim::start(&bench, WORKERS)?;
    let mut now = cast(&bench, &engine).await?;
    let before = stakes(&now).await?;
    let app = image.deploy(&now.developer).await?;
    let ask = Ask {
        volume: TASKS,
        pool_price: POOL_PRICE,
        app_price: APP_PRICE,
        ..Ask::default()
    };
    let deal = now.deal(app, &ask).await?;
    for count in KILLED_AT {
        now.completed(&deal, count).await?;
        ensure!(finished(&now, &deal).await? < TASKS, "killed too late");
        drop((victim, now));
        victim = Victim::start(&bench, WORKERS)?;
        now = cast(&bench, &engine).await?;
    }
    let done = now.completed(&deal, TASKS as usize).await;
    done.context("after the crashes")?;
    check(&now, &deal, before).await?;
    drop(victim);
    for prefix in bench.prefixes(WORKERS) {
        assert_eq!(engine.sweep(&prefix).await?, 0, "a container is left");
    }
    Ok(())
}
