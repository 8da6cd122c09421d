//! From a mined deal to a completed task, beside a bare run of the same container.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use chain::NewAsset;
use engine::Choice;
use iexec_tests::cast::{Ask, Cast};
use network::Network;
use protocol::{Address, B256, Bytes};

use crate::stats::{line, median, say};

/// Tasks measured on each engine, after one that warms up.
const TASKS: usize = 15;

/// Prints the medians of both engines and of `docker run`.
pub(crate) async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bare = None;
    for choice in [Choice::Docker, Choice::Builtin] {
        let name = format!("{choice:?}").to_lowercase();
        let data = folder.path().join(&name);
        let network = Network::builder(data).port(0).engine(choice);
        let network = match network.start().await {
            Ok(network) => network,
            Err(error) => {
                say(&format!("{name}: not measured: {error}"));
                continue;
            }
        };
        let times = tasks(&network).await;
        if choice == Choice::Docker {
            bare = Some(median(bare_runs()?));
            line(
                "docker run --rm, the same image (median)",
                bare.unwrap_or_default(),
                None,
            );
        }
        network.stop().await;
        let label = format!("deal mined -> task completed, {name}, warm image (median)");
        line(&label, median(times?), bare);
    }
    Ok(())
}

async fn tasks(network: &Network) -> anyhow::Result<Vec<Duration>> {
    let engine = network.engine().clone();
    let image = engine.import(demo::archive()?.into(), demo::TAG).await?;
    let cast = Cast::local(network.info(), engine).await?;
    let app = deploy(&cast, image.id.0.into()).await?;
    let mut times = Vec::new();
    for number in 0..=TASKS {
        let ask = Ask {
            args: Some(format!("run-{number}")),
            ..Ask::default()
        };
        let deal = cast.deal(app, &ask).await?;
        cast.completed(&deal, 1).await?;
        times.push(deal.matched.elapsed());
        let task = deal.tasks.first().context("a deal without a task")?;
        cast.result(*task).await?;
    }
    Ok(times.split_off(1))
}

/// An app of the demo's image.
pub(crate) async fn deploy(cast: &Cast, checksum: B256) -> anyhow::Result<Address> {
    let app = NewAsset::App {
        owner: cast.developer.address(),
        name: "bench".into(),
        kind: "DOCKER".into(),
        multiaddr: Bytes::from(demo::TAG),
        checksum,
        mrenclave: Bytes::new(),
    };
    Ok(cast.developer.create(&app).await?.0)
}

fn bare_runs() -> anyhow::Result<Vec<Duration>> {
    let run = || {
        let folder = tempfile::tempdir()?;
        let bind = format!("{}:/iexec_out", folder.path().display());
        let start = Instant::now();
        let status = Command::new("docker")
            .args(["run", "--rm", "-v", &bind, demo::TAG, "bare"])
            .stdout(Stdio::null())
            .status()?;
        ensure!(status.success(), "docker run failed");
        Ok(start.elapsed())
    };
    (0..TASKS).map(|_| run()).collect()
}
