//! A hundred containers through an engine, beside as many bare `docker run`, as many at a time.

use std::{
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use engine::{Choice, Engine, Image, RunSpec};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::stats::{line, say};

/// Containers of one measurement.
const CONTAINERS: usize = 100;
/// At the same time.
const AT_ONCE: usize = 4;
/// None of them takes so long.
const DEADLINE: Duration = Duration::from_secs(60);

/// Prints both engines beside `docker run`.
pub(crate) async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bare = None;
    for choice in [Choice::Docker, Choice::Builtin] {
        let name = format!("{choice:?}").to_lowercase();
        let config = engine::Config::new(choice, folder.path().join(&name));
        let engine = match engine::detect(&config).await {
            Ok(engine) => engine,
            Err(error) => {
                say(&format!("{name}: not measured: {error}"));
                continue;
            }
        };
        let image = engine.import(demo::archive()?.into(), demo::TAG).await?;
        // One that warms up.
        run(&engine, &image, CONTAINERS).await?;
        if choice == Choice::Docker {
            bare = Some(all(bare_run).await?);
            let label = format!("{CONTAINERS} x docker run --rm, {AT_ONCE} at once");
            line(&label, bare.unwrap_or_default(), None);
        }
        let took = all(|number| run(&engine, &image, number)).await?;
        let label = format!("{CONTAINERS} containers, {AT_ONCE} at once, {name}");
        line(&label, took, bare);
    }
    Ok(())
}

async fn all<F>(one: impl Fn(usize) -> F) -> anyhow::Result<Duration>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let start = Instant::now();
    stream::iter((0..CONTAINERS).map(one))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(start.elapsed())
}

async fn run(engine: &Arc<dyn Engine>, image: &Image, number: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut spec = RunSpec::new(format!("iexec-bench-{number}"), image.clone(), DEADLINE);
    spec.args = vec!["bare".into()];
    spec.binds = vec![engine::Bind::writable(folder.path(), "/iexec_out")];
    spec.env = vec![("IEXEC_OUT".into(), "/iexec_out".into())];
    let (logs, mut reader) = engine::log_channel();
    let ran = engine.run(spec, logs, Default::default());
    let drained = async { while reader.recv().await.is_some() {} };
    let (exit, ()) = tokio::join!(ran, drained);
    let code = exit?.code;
    ensure!(code == 0, "a container ended with {code}");
    Ok(())
}

async fn bare_run(_: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let bind = format!("{}:/iexec_out", folder.path().display());
    let status = tokio::process::Command::new("docker")
        .args([
            "run",
            "--rm",
            "--network",
            "none",
            "-v",
            &bind,
            demo::TAG,
            "bare",
        ])
        .stdout(Stdio::null())
        .status()
        .await
        .context("docker cannot be started")?;
    ensure!(status.success(), "docker run failed");
    Ok(())
}
