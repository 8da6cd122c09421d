//! Where a scenario is played: an engine, a data directory, and the network that `iexec up` runs.

use std::{future::Future, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use engine::{Choice, testing};
use network::{Builder, Network, Role, local_wallet};
use tempfile::TempDir;

use crate::cast::Cast;

/// No scenario takes so long, even one whose network is killed three times: what does, hangs.
const SCENARIO_MAX: Duration = Duration::from_secs(120);

/// One scenario's machine.
#[derive(Debug)]
pub struct Bench {
    /// The test's name.
    pub test: &'static str,
    /// Which engine it is about.
    pub choice: Choice,
    dir: TempDir,
}

impl Bench {
    /// None, with the reason printed, when this machine lacks the engine. Fails where `CI` is set.
    pub async fn new(test: &'static str, choice: Choice) -> Option<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        show_log();
        let dir = tempfile::tempdir().ok()?;
        match choice {
            Choice::Builtin => drop(testing::builtin(test, &dir.path().join("probe"))?),
            _ => drop(testing::docker(test).await?),
        }
        if let Err(reason) = testing::busybox() {
            testing::skip(test, &reason);
            return None;
        }
        Some(Self { test, choice, dir })
    }

    /// The network's data directory.
    pub fn data_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("network")
    }

    /// What every network here is built from.
    pub fn builder(&self) -> Builder {
        builder(&self.data_dir(), self.choice)
    }

    /// Starts the local network.
    pub async fn network(&self, workers: u32) -> Result<World> {
        self.world(self.builder().workers(workers), workers).await
    }

    /// The same for a builder with more to say.
    pub async fn world(&self, builder: Builder, workers: u32) -> Result<World> {
        let network = builder.start().await?;
        let cast = Cast::local(network.info(), network.engine().clone()).await?;
        Ok(World {
            network,
            cast,
            prefixes: self.prefixes(workers),
        })
    }

    /// How the names of the workers' containers begin.
    pub fn prefixes(&self, workers: u32) -> Vec<String> {
        let prefix = |number| {
            let worker = local_wallet(Role::Worker, number).address();
            let folder = self.data_dir().join(format!("worker-{number}"));
            worker::sandbox::container_prefix(worker, &folder)
        };
        (0..workers).map(prefix).collect()
    }
}

/// Prints what the roles log where `RUST_LOG` asks for it.
pub fn show_log() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_test_writer();
    // Another test of this process may have been first.
    let _ = log.try_init();
}

/// A network as tests start it, in this process or in another one.
pub fn builder(data_dir: &Path, choice: Choice) -> Builder {
    let helper = testing::helper();
    Network::builder(data_dir)
        .port(0)
        .engine(choice)
        .engine_helper(helper)
        .enclave_agent(crate::agent::agent())
}

/// A running network and everybody a deal needs.
#[derive(Debug)]
pub struct World {
    /// The network.
    pub network: Network,
    /// Requester, developer and the rest.
    pub cast: Cast,
    prefixes: Vec<String>,
}

impl World {
    /// Stops it and fails if a container is left.
    pub async fn stop(self) -> Result<()> {
        let engine = self.network.engine().clone();
        self.network.stop().await;
        for prefix in &self.prefixes {
            let left = engine.sweep(prefix).await?;
            ensure!(left == 0, "{left} containers {prefix}… are left");
        }
        Ok(())
    }
}

/// Plays one scenario, or skips it by name.
pub async fn play<F>(test: &'static str, choice: Choice, scenario: impl FnOnce(Bench) -> F)
where
    F: Future<Output = Result<()>>,
{
    play_within(SCENARIO_MAX, test, choice, scenario).await;
}

/// The same for a scenario that may take up to `max`.
pub async fn play_within<F>(
    max: Duration,
    test: &'static str,
    choice: Choice,
    scenario: impl FnOnce(Bench) -> F,
) where
    F: Future<Output = Result<()>>,
{
    let Some(bench) = Bench::new(test, choice).await else {
        return;
    };
    let played = tokio::time::timeout(max, scenario(bench)).await;
    if let Err(error) = played.context("it hangs").flatten() {
        panic!("{test}: {error:?}");
    }
}
