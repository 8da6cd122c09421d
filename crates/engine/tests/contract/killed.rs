//! What is left of a process that was killed with a container running: nothing, after a sweep.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use engine::{Bind, Exit, LogReader, Reason, RunSpec, Stream, log_channel};
use tokio_util::sync::CancellationToken;

use crate::World;
use crate::world::ROOT_DIR;

/// Tells this test binary to be the process that gets killed, and where to meet.
const MEETING_DIR: &str = "ENGINE_CONTRACT_MEETING_DIR";
/// The name of the container it runs.
const NAME: &str = "ENGINE_CONTRACT_NAME";

/// The script the container runs.
const SCRIPT_OF_VICTIM: &str = "ENGINE_CONTRACT_SCRIPT";

/// An adopted container ends long before.
const DEADLINE: Duration = Duration::from_secs(60);

/// Holds a pipe open for as long as anything of the container lives.
const SCRIPT: &str = "exec 3>/meet/alive; echo begun >&3; sleep 600 & sleep 600";

/// The same, and ends when the test opens the gate.
const GATED: &str = "exec 3>/meet/alive; echo first; echo begun >&3; cat /meet/gate; \
    echo last >&2; exit 7";

/// Plays the victim when started as one; else there is nothing to test here.
pub(crate) async fn victim(world: &World) {
    let (Some(dir), Ok(name)) = (std::env::var_os(MEETING_DIR), std::env::var(NAME)) else {
        return;
    };
    let image = world.import(&world.busybox()).await;
    let mut spec = RunSpec::new(name, image, Duration::from_secs(60));
    spec.args = vec![std::env::var(SCRIPT_OF_VICTIM).unwrap()];
    spec.binds = vec![Bind::writable(dir, "/meet")];
    let (logs, _reader) = log_channel();
    let exit = world.engine.run(spec, logs, CancellationToken::new()).await;
    panic!("not killed: {exit:?}");
}

pub(crate) async fn a_killed_process_leaves_nothing_after_a_sweep(world: &World) {
    let name = world.name();
    let (_, mut alive) = orphan(world, &name, SCRIPT).await;
    if world.engine.name() == "builtin" {
        // Dies with its parent, sweep or not.
        alive = until_closed(alive).await;
    }
    assert_eq!(world.engine.sweep(&name).await.unwrap(), 1);
    until_closed(alive).await;
    assert_eq!(world.engine.sweep(&name).await.unwrap(), 0);
    no_traces(&name);
}

pub(crate) async fn an_orphan_is_adopted_while_it_runs(world: &World) {
    let name = world.name();
    let (dir, alive) = orphan(world, &name, GATED).await;
    let (logs, mut reader) = log_channel();
    let (engine, token) = (world.engine.clone(), CancellationToken::new());
    let adopting = {
        let name = name.clone();
        tokio::spawn(async move { engine.adopt(&name, DEADLINE, logs, token).await })
    };
    if world.engine.name() == "docker" {
        assert_eq!(reader.recv().await.unwrap().bytes, "first\n");
        tokio::fs::write(dir.join("gate"), "").await.unwrap();
    }
    let rest = [(Stream::Stderr, "last\n")];
    judge(world, adopting.await.unwrap().unwrap(), reader, &rest).await;
    until_closed(alive).await;
    assert_eq!(world.engine.sweep(&name).await.unwrap(), 0);
    no_traces(&name);
}

pub(crate) async fn an_orphan_is_adopted_after_its_end(world: &World) {
    let name = world.name();
    let (dir, alive) = orphan(world, &name, GATED).await;
    if world.engine.name() == "docker" {
        tokio::fs::write(dir.join("gate"), "").await.unwrap();
    }
    until_closed(alive).await;
    let (logs, reader) = log_channel();
    let token = CancellationToken::new();
    let adopted = world.engine.adopt(&name, DEADLINE, logs, token).await;
    let all = [(Stream::Stdout, "first\n"), (Stream::Stderr, "last\n")];
    judge(world, adopted.unwrap(), reader, &all).await;
    assert_eq!(world.engine.sweep(&name).await.unwrap(), 0);
}

pub(crate) async fn nobody_is_not_adopted(world: &World) {
    let (logs, mut reader) = log_channel();
    let token = CancellationToken::new();
    let name = world.name();
    let adopted = world.engine.adopt(&name, DEADLINE, logs, token).await;
    assert_eq!(adopted.unwrap(), None);
    assert_eq!(reader.recv().await, None);
}

/// Docker's containers are found again with all their output, those of the built-in engine are
/// certainly gone.
async fn judge(
    world: &World,
    adopted: Option<Exit>,
    mut reader: LogReader,
    rest: &[(Stream, &'static str)],
) {
    if world.engine.name() == "builtin" {
        assert_eq!(adopted, None);
        return;
    }
    let exit = adopted.unwrap();
    assert_eq!((exit.code, exit.reason), (7, Reason::Exited));
    let mut said = Vec::new();
    while let Some(chunk) = reader.recv().await {
        said.push((
            chunk.stream,
            String::from_utf8(chunk.bytes.to_vec()).unwrap(),
        ));
    }
    // The daemon reads both at once: which it writes down first is up to it.
    said.sort_by_key(|(stream, _)| *stream == Stream::Stderr);
    let rest = rest
        .iter()
        .map(|(stream, text)| (*stream, (*text).to_owned()));
    assert_eq!(said, rest.collect::<Vec<_>>());
}

/// A container whose process was killed, the folder it shares with us, and the pipe it holds.
async fn orphan(world: &World, name: &str, script: &str) -> (PathBuf, fs::File) {
    let dir = world.dir.path().join("meet");
    fs::create_dir(&dir).unwrap();
    let pipes = ["alive", "gate"].map(|pipe| dir.join(pipe));
    assert!(
        Command::new("mkfifo")
            .args(&pipes)
            .status()
            .unwrap()
            .success()
    );
    let mut victim = start_victim(world, &dir, name, script);
    // Opening waits for the container to open its end.
    let [alive, _] = pipes;
    let mut alive = tokio::task::spawn_blocking(move || open(alive))
        .await
        .unwrap();
    let mut begun = [0; 6];
    alive.read_exact(&mut begun).unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    (dir, alive)
}

fn start_victim(world: &World, dir: &Path, name: &str, script: &str) -> Child {
    let (module, _) = world.test.split_once("::").unwrap();
    let test = format!("{module}::victim");
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &test])
        .env(MEETING_DIR, dir)
        .env(NAME, name)
        .env(SCRIPT_OF_VICTIM, script)
        // What it cannot tidy up any more goes away with our own directory.
        .env("TMPDIR", world.dir.path())
        .env(ROOT_DIR, world.dir.path().join("engine"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn open(path: PathBuf) -> fs::File {
    fs::File::open(path).unwrap()
}

async fn until_closed(mut pipe: fs::File) -> fs::File {
    tokio::task::spawn_blocking(move || {
        std::io::copy(&mut pipe, &mut std::io::sink()).unwrap();
        pipe
    })
    .await
    .unwrap()
}

/// No mount and no control group of ours bears the name any more.
fn no_traces(name: &str) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(name), "{mounts}");
    let groups = fs::read_dir("/sys/fs/cgroup")
        .into_iter()
        .flatten()
        .flatten();
    for dir in groups.filter_map(|controller| fs::read_dir(controller.path()).ok()) {
        let left = dir
            .flatten()
            .find(|entry| entry.file_name().to_string_lossy().contains(name));
        assert!(left.is_none(), "{left:?}");
    }
}
