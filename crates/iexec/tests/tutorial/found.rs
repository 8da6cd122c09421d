//! A worker's process is killed while its app runs in Docker: the container lives on, the worker
//! that is started again finds it, and nothing is started twice.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use engine::Choice;
use iexec_tests::{
    app::Image,
    bench::Bench,
    cast::{Ask, Cast},
    task,
};
use nix::sys::signal::Signal;
use protocol::TaskId;

use crate::{
    chaos::cast,
    platform::Platform,
    process::{Place, Process},
};

/// Between two looks; the test's own limit bounds them.
const LOOK: Duration = Duration::from_millis(20);
const PRICE: u64 = 10;
/// Runs until it is told to end, and says how often it was begun.
const APP: &str = r#"
echo begun
while [ ! -e "$IEXEC_IN/go" ]; do sleep 0.1; done
echo ended
echo once > "$IEXEC_OUT/x"
declare_result "$IEXEC_OUT/x"
"#;

/// The lines that `docker` says.
fn docker(words: &[&str]) -> Result<Vec<String>> {
    let output = Command::new("docker").args(words).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "docker {words:?}: {}", said.trim());
    let lines = String::from_utf8(output.stdout)?;
    Ok(lines.lines().map(str::to_owned).collect())
}

/// The containers of one task, whose id their names end with.
struct Containers(TaskId);

impl Containers {
    fn all(&self, more: &[&str]) -> Result<Vec<String>> {
        let name = format!("name={}", self.0);
        let mut words = vec!["ps", "--no-trunc", "-q", "--filter", "label=iexec=1"];
        words.extend(["--filter", &name]);
        words.extend(more);
        docker(&words)
    }

    fn running(&self) -> Result<Vec<String>> {
        self.all(&[])
    }

    /// Waits until the app of the one task runs.
    async fn one(&self) -> Result<String> {
        loop {
            if let Some(id) = self.running()?.pop() {
                return Ok(id);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The app may end. One that is begun anew has an empty folder, and never does.
fn go(platform: &Platform, task: TaskId) -> Result<()> {
    let tasks = platform.worker_dir(0).join("tasks");
    let pool = tasks.join(platform.on.workerpool.to_string());
    let path = pool.join(task.to_string()).join("input/go");
    fs::write(&path, "").with_context(|| path.display().to_string())
}

async fn busy(pool: &Process) -> Result<()> {
    loop {
        let status = pool.json("/status").await?;
        let online = status["workers"].as_array().is_some_and(|w| w.len() == 1);
        if online && status["busy"] == 1 {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub(crate) async fn again(bench: Bench) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let place = Place::local(fs::canonicalize(folder.path())?);
    let platform = Platform::start(place, 1)?;
    let config = engine::Config::new(Choice::Docker, platform.worker_dir(0).join("engine"));
    let engine = engine::detect(&config).await?;
    let image = Image::of_script(&engine, bench.test, APP).await?;
    let mut worker = platform.worker_with(0, "docker", "")?;
    let cast = cast(&platform, platform.pool.url()).await?;
    let ask = Ask {
        pool_price: PRICE,
        ..Ask::default()
    };
    let deal = cast
        .deal(image.deploy(&cast.developer).await?, &ask)
        .await?;
    let task = deal.tasks[0];
    let containers = Containers(task);
    let container = containers.one().await?;

    worker.kill()?;
    ensure!(containers.running()? == [container.clone()], "it is gone");
    let mut worker = platform.worker_with(0, "docker", "")?;
    busy(&platform.pool).await?;
    ensure!(containers.running()? == [container], "it is another one");
    go(&platform, task)?;
    Cast::expect_end(&cast.ended_one(&deal).await?, "COMPLETED", "")?;
    delivered(&platform, &cast, task).await?;
    worker.signal(Signal::SIGTERM)?;
    ensure!(worker.ended()?.success(), "the worker failed");
    ensure!(containers.all(&["-a"])?.is_empty(), "it is left");
    Ok(())
}

/// The result and all the output, also that of before the kill.
async fn delivered(platform: &Platform, pool: &Cast, task: TaskId) -> Result<()> {
    let store = cast(platform, platform.store.url()).await?;
    ensure!(store.result(task).await?.text("x")? == "once\n");
    let wallet = pool.requester.wallet();
    let (_, logs) = task::logs(&pool.http, &pool.origin, wallet, task).await?;
    let output = logs["computeLogsList"][0]["stdout"].as_str();
    ensure!(output == Some("begun\nended\n"), "{logs}");
    Ok(())
}
