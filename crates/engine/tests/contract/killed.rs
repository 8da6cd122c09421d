//! What is left of a process that was killed with a container running: nothing, after a sweep.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use engine::{Bind, RunSpec, log_channel};
use tokio_util::sync::CancellationToken;

use crate::World;
use crate::world::ROOT_DIR;

/// Tells this test binary to be the process that gets killed, and where to meet.
const MEETING_DIR: &str = "ENGINE_CONTRACT_MEETING_DIR";
/// The name of the container it runs.
const NAME: &str = "ENGINE_CONTRACT_NAME";

/// Holds a pipe open for as long as anything of the container lives.
const SCRIPT: &str = "exec 3>/meet/alive; echo begun >&3; sleep 600 & sleep 600";

/// Plays the victim when started as one; else there is nothing to test here.
pub(crate) async fn victim(world: &World) {
    let (Some(dir), Ok(name)) = (std::env::var_os(MEETING_DIR), std::env::var(NAME)) else {
        return;
    };
    let image = world.import(&world.busybox()).await;
    let mut spec = RunSpec::new(name, image, Duration::from_secs(60));
    spec.args = vec![SCRIPT.to_owned()];
    spec.binds = vec![Bind::writable(dir, "/meet")];
    let (logs, _reader) = log_channel();
    let exit = world.engine.run(spec, logs, CancellationToken::new()).await;
    panic!("not killed: {exit:?}");
}

pub(crate) async fn a_killed_process_leaves_nothing_after_a_sweep(world: &World) {
    let (dir, name) = (world.dir.path().join("meet"), world.name());
    fs::create_dir(&dir).unwrap();
    let alive = dir.join("alive");
    assert!(
        Command::new("mkfifo")
            .arg(&alive)
            .status()
            .unwrap()
            .success()
    );
    let mut victim = start_victim(world, &dir, &name);
    // Opening waits for the container to open its end.
    let mut alive = tokio::task::spawn_blocking(move || open(alive))
        .await
        .unwrap();
    let mut begun = [0; 6];
    alive.read_exact(&mut begun).unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    if world.engine.name() == "builtin" {
        // Dies with its parent, sweep or not.
        alive = until_closed(alive).await;
    }
    assert_eq!(world.engine.sweep(&name).await.unwrap(), 1);
    until_closed(alive).await;
    assert_eq!(world.engine.sweep(&name).await.unwrap(), 0);
    no_traces(&name);
}

fn start_victim(world: &World, dir: &Path, name: &str) -> Child {
    let test = format!("{}::victim", world.engine.name());
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &test])
        .env(MEETING_DIR, dir)
        .env(NAME, name)
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
