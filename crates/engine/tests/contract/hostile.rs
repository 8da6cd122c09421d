//! Containers that mean harm: the host is unharmed, the cause is right, the next one runs.

use std::fs;
use std::time::Duration;

use engine::{Bind, Exit, Reason, RunSpec, log_channel};
use tokio_util::sync::CancellationToken;

use crate::World;

/// Long enough for the attack, short enough for a test.
const ATTACK: Duration = Duration::from_secs(4);
/// The daemon's own word is believed, and with control groups of version 1 it now and then takes
/// the end of a group for a lack of memory (containerd's issue 7102); not so often in a row.
const KILLS_MAX: u32 = 3;
/// What a disk takes between two looks of the engine, and much more.
const OVERSHOOT_BYTES: u64 = 4 << 30;

/// Runs the attack, and then a container that must not notice.
async fn attack(world: &World, spec: RunSpec) -> Exit {
    let name = spec.name.clone();
    let exit = world.run(spec).await.exit;
    assert!(!world.exists(&name).await);
    let next = world
        .run(world.script("echo well > /tmp/x; cat /tmp/x").await)
        .await;
    assert_eq!((next.exit.code, next.stdout().as_str()), (0, "well\n"));
    exit
}

pub(crate) async fn fork_bomb(world: &World) {
    // The first shell forks once, or it would end with the first fork that fails.
    let mut spec = world
        .script("(f() { f | f & }; f); while :; do :; done")
        .await;
    spec.limits.pids = 64;
    spec.deadline = ATTACK;
    let exit = attack(world, spec).await;
    assert_eq!((exit.code, exit.reason), (137, Reason::Deadline));
    let peak = exit.usage.pids.unwrap();
    assert!((2..=64).contains(&peak), "{exit:?}");
}

pub(crate) async fn memory_hog(world: &World) {
    let limit = 48 << 20;
    let mut spec = world.script("exec tail /dev/zero").await;
    spec.limits.memory_bytes = limit;
    let exit = attack(world, spec).await;
    assert_eq!((exit.code, exit.reason), (137, Reason::OutOfMemory));
    let peak = exit.usage.memory_bytes.unwrap();
    assert!(
        peak > limit / 10 * 9 && peak <= limit + (1 << 20),
        "{exit:?}"
    );
    assert!(exit.usage.cpu_ms.is_some(), "{exit:?}");
}

/// Fills a folder of the container with files that are small each.
fn fill(folder: &str) -> String {
    format!(
        "i=0; while :; do dd if=/dev/zero of={folder}/$i bs=1048576 count=8 2>/dev/null; \
         i=$((i+1)); done"
    )
}

pub(crate) async fn disk_filler_in_the_output(world: &World) {
    let out = world.dir.path().join("out");
    fs::create_dir(&out).unwrap();
    let mut spec = world.script(&fill("/iexec_out")).await;
    spec.binds = vec![Bind::writable(&out, "/iexec_out")];
    full(&attack_disk(world, spec).await);
    fs::remove_dir_all(&out).unwrap();
}

pub(crate) async fn disk_filler_in_its_own_root(world: &World) {
    full(&attack_disk(world, world.script(&fill("/tmp")).await).await);
}

pub(crate) async fn disk_filler_in_deleted_files(world: &World) {
    // What is in no folder any more is bounded by the size of a file and the number of open ones.
    let script = "exec 3>/tmp/hidden; rm /tmp/hidden; cat /dev/zero >&3";
    let exit = attack_disk(world, world.script(script).await).await;
    assert_ne!(exit.code, 0, "{exit:?}");
}

async fn attack_disk(world: &World, mut spec: RunSpec) -> Exit {
    spec.limits.disk_bytes = 64 << 20;
    attack(world, spec).await
}

fn full(exit: &Exit) {
    assert_eq!(
        (exit.code, exit.reason),
        (137, Reason::DiskFull),
        "{exit:?}"
    );
    let used = exit.usage.disk_bytes.unwrap();
    assert!((64 << 20..OVERSHOOT_BYTES).contains(&used), "{exit:?}");
}

pub(crate) async fn too_many_files(world: &World) {
    let script = "i=0; while :; do : > /tmp/$i; i=$((i+1)); done";
    let mut spec = world.script(script).await;
    spec.limits.files = 500;
    let exit = attack(world, spec).await;
    assert_eq!(
        (exit.code, exit.reason),
        (137, Reason::DiskFull),
        "{exit:?}"
    );
}

pub(crate) async fn folders_without_end(world: &World) {
    let script = "cd /tmp; i=0; while [ $i -lt 1500 ]; do mkdir d && cd d; i=$((i+1)); done; \
        sleep 600";
    let exit = attack(world, world.script(script).await).await;
    assert_eq!(
        (exit.code, exit.reason),
        (137, Reason::DiskFull),
        "{exit:?}"
    );
}

pub(crate) async fn folders_of_long_names(world: &World) {
    // Their path is soon longer than the kernel takes, and what is below is out of sight.
    let name = "n".repeat(255);
    let script = format!(
        "cd /tmp; i=0; while [ $i -lt 30 ]; do mkdir {name} && cd -P {name}; i=$((i+1)); done; \
         sleep 600"
    );
    let exit = attack(world, world.script(&script).await).await;
    assert_eq!(
        (exit.code, exit.reason),
        (137, Reason::DiskFull),
        "{exit:?}"
    );
}

pub(crate) async fn a_giant_with_a_hole(world: &World) {
    let out = world.dir.path().join("out");
    fs::create_dir(&out).unwrap();
    let script = "/bin/busybox truncate -s 1099511627776 /iexec_out/giant; echo $?";
    let mut spec = world.script(script).await;
    spec.binds = vec![Bind::writable(&out, "/iexec_out")];
    spec.limits.disk_bytes = 64 << 20;
    let outcome = world.run(spec).await;
    assert_ne!(outcome.stdout(), "0\n");
    assert_eq!(fs::metadata(out.join("giant")).unwrap().len(), 0);
    attack(world, world.script("true").await).await;
}

pub(crate) async fn endless_log(world: &World) {
    let mut spec = world
        .script("while :; do echo all work and no play; done")
        .await;
    spec.limits.log_bytes = 10_000;
    spec.deadline = ATTACK;
    let (logs, mut reader) = log_channel();
    let exit = world
        .engine
        .run(spec, logs, CancellationToken::new())
        .await
        .unwrap();
    let mut kept = 0;
    while let Some(chunk) = reader.recv().await {
        kept += chunk.bytes.len();
    }
    assert_eq!((exit.reason, kept), (Reason::Deadline, 10_000));
    assert!(exit.log_bytes_dropped > 0);
    attack(world, world.script("true").await).await;
}

pub(crate) async fn ignores_sigterm(world: &World) {
    let script = "trap '' TERM INT HUP QUIT; echo begun; while :; do sleep 1; done";
    let mut spec = world.script(script).await;
    spec.deadline = Duration::from_secs(2);
    let exit = attack(world, spec).await;
    assert_eq!((exit.code, exit.reason), (137, Reason::Deadline));
}

pub(crate) async fn docker_socket(world: &World) {
    let script = "ls /var/run/docker.sock /run/docker.sock /run/containerd 2>/dev/null; \
        grep -Fc docker.sock /proc/self/mountinfo";
    let outcome = world.run(world.script(script).await).await;
    assert_eq!(outcome.stdout(), "0\n");
}

pub(crate) async fn killed_by_somebody_else(world: &World) {
    let mut exit = killed(world).await;
    for _ in 1..KILLS_MAX {
        if exit.reason != Reason::OutOfMemory || world.engine.name() != "docker" {
            break;
        }
        exit = killed(world).await;
    }
    assert_eq!((exit.code, exit.reason), (137, Reason::Killed));
}

async fn killed(world: &World) -> Exit {
    let mut spec = world.script("echo begun; exec sleep 600").await;
    let mark = format!("60{}", std::process::id());
    spec.args = vec![format!("echo begun; exec sleep {mark}")];
    let (logs, mut reader) = log_channel();
    let engine = world.engine.clone();
    let running =
        tokio::spawn(async move { engine.run(spec, logs, CancellationToken::new()).await });
    assert_eq!(reader.recv().await.unwrap().bytes, "begun\n");
    kill_sleeper(world, &mark);
    running.await.unwrap().unwrap()
}

/// As an operator would: by its command line, seen from the host.
fn kill_sleeper(world: &World, mark: &str) {
    let mine = |pid: &str| {
        let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let groups = String::from_utf8_lossy(&read("cgroup")).into_owned();
        let docker = groups.contains("docker");
        let line = read("cmdline");
        line == format!("sleep\0{mark}\0").as_bytes() && docker == (world.engine.name() == "docker")
    };
    let found = loop {
        // It may still be the shell that is about to become it.
        let mut pids = fs::read_dir("/proc").unwrap().flatten();
        let found = pids.find(|entry| mine(&entry.file_name().to_string_lossy()));
        if let Some(entry) = found {
            break entry.file_name();
        }
        std::thread::yield_now();
    };
    let killed = std::process::Command::new("kill")
        .arg("-9")
        .arg(found)
        .status();
    assert!(killed.unwrap().success());
}
