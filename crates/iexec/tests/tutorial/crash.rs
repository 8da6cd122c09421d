//! The program is killed in the middle of a bag of tasks and started again.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use chain::Account;
use engine::Engine;
use iexec_tests::{
    app::Image,
    bench::Bench,
    cast::{Ask, Cast, Deal},
};
use network::{Info, Role, local_wallet};
use protocol::U256;
use serde_json::{Value, json};

use crate::person::Person;

/// It has two slots: a bag of five is partly done, partly running, partly waiting.
const WORKERS: u32 = 1;
const ANY_PORT: &str = "0";
const TASKS: u64 = 5;
/// Between two looks at the processes; the test's own limit bounds them.
const LOOK: Duration = Duration::from_millis(10);
const POOL_PRICE: u64 = 1_000;
const APP_PRICE: u64 = 3;

/// Takes so long that some are always running.
const SLOW: &str = r#"
sleep 1
echo "$IEXEC_BOT_TASK_INDEX" > "$IEXEC_OUT/index.txt"
declare_result "$IEXEC_OUT/index.txt"
"#;

/// `iexec up` in the foreground; killed with SIGKILL when dropped.
struct Up(Child);

impl Up {
    /// Returns when it is ready.
    fn start(bench: &Bench, port: &str) -> Result<Self> {
        let home = bench.data_dir().with_file_name("home");
        let mut command = Command::new(env!("CARGO_BIN_EXE_iexec"));
        command.args(["up", "--port", port, "--engine", "builtin", "--json"]);
        command
            .args(["--workers", &WORKERS.to_string(), "--data"])
            .arg(bench.data_dir());
        command
            .env_clear()
            .env("HOME", home)
            .env("PATH", std::env::var("PATH")?);
        if let Ok(log) = std::env::var("RUST_LOG") {
            command.env("RUST_LOG", log);
        }
        let mut up = Self(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()?,
        );
        let stdout = up.0.stdout.take().context("no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line.starts_with('{'), "it is not ready: `{line}`");
        Ok(up)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn engine(bench: &Bench) -> Result<Arc<dyn Engine>> {
    let mut config = engine::Config::new(bench.choice, bench.data_dir().join("engine"));
    config.helper = engine::testing::helper();
    Ok(engine::detect(&config).await?)
}

/// Requester, developer and worker.
async fn accounts(cast: &Cast) -> Result<[Account; 3]> {
    let account = |who| cast.hub.account(who);
    Ok([
        account(cast.requester.address()).await?,
        account(cast.developer.address()).await?,
        account(local_wallet(Role::Worker, 0).address()).await?,
    ])
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
    let after = accounts(cast).await?;
    let [requester, developer, worker] = [0, 1, 2].map(|who| (before[who], after[who]));
    let paid = requester.0.stake - requester.1.stake;
    assert_eq!(paid, U256::from(TASKS * (POOL_PRICE + APP_PRICE)));
    assert_eq!(
        developer.1.stake - developer.0.stake,
        U256::from(TASKS * APP_PRICE)
    );
    let share = POOL_PRICE - POOL_PRICE / 100;
    assert_eq!(worker.1.stake - worker.0.stake, U256::from(TASKS * share));
    let locked =
        [requester, developer, worker].map(|(before, after)| before.locked == after.locked);
    ensure!(locked == [true; 3], "something stays locked: {after:?}");
    Ok(())
}

/// How many processes of this machine have `word` among their arguments.
fn processes_with(word: &str) -> Result<usize> {
    let lines = fs::read_dir("/proc")?.filter_map(|entry| {
        let path = entry.ok()?.path().join("cmdline");
        fs::read(path).ok()
    });
    let named = lines.filter(|line| {
        let mut args = line.split(|byte| *byte == 0);
        args.any(|arg| arg == word.as_bytes())
    });
    Ok(named.count())
}

/// Waits until a container runs: that is what is to be interrupted.
async fn running(word: &str) -> Result<()> {
    while processes_with(word)? == 0 {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// A word that only the containers of this test have in their command line.
fn marker(data_dir: &Path) -> String {
    format!(
        "bag-of-{}",
        data_dir.display().to_string().replace('/', "-")
    )
}

pub(crate) async fn killed_in_a_bag(bench: Bench) -> Result<()> {
    let engine = engine(&bench).await?;
    let image = Image::of_script(&engine, bench.test, SLOW).await?;
    let marker = marker(&bench.data_dir());
    let up = Up::start(&bench, ANY_PORT)?;
    let cast = Cast::local(&Info::read(&bench.data_dir())?, engine.clone()).await?;
    let before = accounts(&cast).await?;
    let app = image.deploy(&cast.developer).await?;
    let ask = Ask {
        volume: TASKS,
        args: Some(marker.clone()),
        pool_price: POOL_PRICE,
        app_price: APP_PRICE,
        ..Ask::default()
    };
    let deal = cast.deal(app, &ask).await?;
    cast.completed(&deal, 1).await?;
    running(&marker).await?;
    drop((up, cast));

    let up = Up::start(&bench, ANY_PORT)?;
    let cast = Cast::local(&Info::read(&bench.data_dir())?, engine.clone()).await?;
    cast.completed(&deal, TASKS as usize)
        .await
        .context("after the crash")?;
    check(&cast, &deal, before).await?;
    drop(up);
    for prefix in bench.prefixes(WORKERS) {
        assert_eq!(engine.sweep(&prefix).await?, 0, "a container is left");
    }
    assert_eq!(processes_with(&marker)?, 0, "a process is left");
    Ok(())
}

/// Never declares a result, so that only the pool knows how it ends.
const FORGETFUL: &str = "sleep 3";

/// Somebody watches their task: the network comes back and the watch goes on to the task's end;
/// the network stays away and the watch ends.
pub(crate) async fn watched(bench: Bench) -> Result<()> {
    let engine = engine(&bench).await?;
    let image = Image::of_script(&engine, bench.test, FORGETFUL).await?;
    let up = Up::start(&bench, ANY_PORT)?;
    let info = Info::read(&bench.data_dir())?;
    let developer = Person::new(&bench.data_dir())?;
    developer.raw("init --skip-wallet").await?;
    developer
        .import(&local_wallet(Role::Developer, 0).key().to_string())
        .await?;
    developer.raw("app init").await?;
    developer.edit_app(&[("multiaddr", json!(image.name)), ("checksum", Value::Null)])?;
    developer.raw("app deploy --chain local").await?;

    let marker = marker(&bench.data_dir());
    // Two arguments for the app, one for our own program: only the container has the marker.
    let run = format!(r#"app run --watch --chain local --args "here {marker}""#);
    let port = info
        .rpc_url
        .rsplit(':')
        .next()
        .context("no port")?
        .to_owned();
    let restart = async {
        running(&marker).await?;
        drop(up);
        Up::start(&bench, &port)
    };
    let (ended, up) = tokio::join!(developer.raw_fails(&run), restart);
    let (ended, up) = (ended?, up?);
    let cause = &ended["failedTasks"][0]["cause"];
    ensure!(cause == "DETERMINISM_HASH_NOT_FOUND", "{ended}");

    let stop = async {
        running(&marker).await?;
        drop(up);
        anyhow::Ok(())
    };
    let (ended, stopped) = tokio::join!(developer.raw_fails(&run), stop);
    stopped?;
    ensure!(ended?["deals"].is_null(), "there is no end to tell of");
    Ok(())
}
