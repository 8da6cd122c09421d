//! What is left afterwards: nothing.

use engine::{Exit, LogReader, Reason, RunSpec, log_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::World;

type Running = JoinHandle<Result<Exit, engine::Error>>;

/// Starts a run that would last, and returns once it is under way.
async fn begin(world: &World, name: &str) -> (Running, LogReader) {
    let mut spec: RunSpec = world.script("echo begun; sleep 600").await;
    spec.name = name.to_owned();
    let (logs, mut reader) = log_channel();
    let engine = world.engine.clone();
    let running =
        tokio::spawn(async move { engine.run(spec, logs, CancellationToken::new()).await });
    assert_eq!(reader.recv().await.expect("it begins").bytes, "begun\n");
    (running, reader)
}

pub(crate) async fn kill_ends_a_run(world: &World) {
    let name = world.name();
    let (running, _reader) = begin(world, &name).await;
    world.engine.kill(&name).await.unwrap();
    let exit = running.await.unwrap().unwrap();
    assert_eq!((exit.code, exit.reason), (137, Reason::Cancelled));
    assert!(!world.exists(&name).await);
}

pub(crate) async fn killing_nothing_is_fine(world: &World) {
    world.engine.kill(&world.name()).await.unwrap();
}

pub(crate) async fn a_dropped_run_leaves_nothing(world: &World) {
    let name = world.name();
    let (running, mut reader) = begin(world, &name).await;
    running.abort();
    // The logs end with the container; after that nothing may be found of it.
    while reader.recv().await.is_some() {}
    world.engine.kill(&name).await.unwrap();
    assert!(!world.exists(&name).await);
}

pub(crate) async fn sweep_takes_the_prefix_only(world: &World) {
    let (ours, other) = (world.name(), world.name());
    let (first, _first_reader) = begin(world, &format!("{ours}-a")).await;
    let (second, _second_reader) = begin(world, &format!("{ours}-b")).await;
    let (third, _third_reader) = begin(world, &other).await;
    assert_eq!(world.engine.sweep(&format!("{ours}-")).await.unwrap(), 2);
    for swept in [first, second] {
        assert_eq!(swept.await.unwrap().unwrap().code, 137);
    }
    assert!(!third.is_finished());
    assert_eq!(world.engine.sweep(&other).await.unwrap(), 1);
    third.await.unwrap().unwrap();
    assert_eq!(world.engine.sweep(&ours).await.unwrap(), 0);
}
