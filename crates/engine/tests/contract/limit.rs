//! What a container may use, and for how long.

use std::net::TcpListener;
use std::time::Duration;

use engine::{Reason, log_channel};
use tokio_util::sync::CancellationToken;

use crate::World;

pub(crate) async fn memory(world: &World) {
    // The last program of the pipe must keep a line of 200 MB; the shell reports its end.
    let mut spec = world
        .script("head -c 200000000 /dev/zero | tr '\\0' x | sort >/dev/null")
        .await;
    spec.limits.memory_bytes = 32 << 20;
    let outcome = world.run(spec).await;
    assert_eq!(
        outcome.exit.reason,
        Reason::OutOfMemory,
        "{}",
        outcome.stderr()
    );
    assert_eq!(outcome.exit.code, 137);
}

pub(crate) async fn processes(world: &World) {
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo all";
    let mut spec = world.script(script).await;
    spec.limits.pids = 8;
    let outcome = world.run(spec).await;
    assert_ne!(outcome.exit.code, 0);
    assert!(outcome.stderr().contains("fork"), "{}", outcome.stderr());
}

pub(crate) async fn log_bytes(world: &World) {
    let mut spec = world.script("head -c 100000 /dev/zero; echo end >&2").await;
    spec.limits.log_bytes = 1000;
    let outcome = world.run(spec).await;
    assert_eq!(outcome.exit.code, 0);
    let kept: usize = outcome.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
    assert_eq!(kept, 1000);
    assert_eq!(outcome.exit.log_bytes_dropped, 100_004 - 1000);
}

pub(crate) async fn file_size(world: &World) {
    let mut spec = world
        .script("head -c 100000 /dev/zero > /tmp/big; stat -c %s /tmp/big")
        .await;
    spec.limits.file_bytes = 50_000;
    assert_eq!(world.run(spec).await.stdout(), "50000\n");
}

pub(crate) async fn deadline(world: &World) {
    let mut spec = world.script("echo begun; sleep 600 & sleep 600").await;
    spec.deadline = Duration::from_secs(2);
    let name = spec.name.clone();
    let outcome = world.run(spec).await;
    assert_eq!(
        (outcome.exit.code, outcome.exit.reason),
        (137, Reason::Deadline)
    );
    assert_eq!(outcome.stdout(), "begun\n");
    assert!(!world.exists(&name).await);
}

pub(crate) async fn cancel(world: &World) {
    let spec = world.script("echo begun; sleep 600").await;
    let (logs, mut reader) = log_channel();
    let (engine, token) = (world.engine.clone(), CancellationToken::new());
    let cancelled = token.clone();
    let running = tokio::spawn(async move { engine.run(spec, logs, cancelled).await });
    assert_eq!(reader.recv().await.unwrap().bytes, "begun\n");
    token.cancel();
    let exit = running.await.unwrap().unwrap();
    assert_eq!((exit.code, exit.reason), (137, Reason::Cancelled));
}

pub(crate) async fn privileges_are_few_and_cannot_grow(world: &World) {
    let script = "grep -E 'CapBnd|CapEff|NoNewPrivs' /proc/self/status; \
        mount -t tmpfs none /tmp || echo no mount; \
        ls /var/run/docker.sock /dev/sda 2>/dev/null; \
        echo x > /proc/sysrq-trigger || echo no sysrq";
    let outcome = world.run(world.script(script).await).await;
    let stdout = outcome.stdout();
    // CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, FSETID 4, KILL 5, SETGID 6, SETUID 7, NET_BIND_SERVICE 10.
    for line in [
        "CapEff:\t00000000000004fb",
        "CapBnd:\t00000000000004fb",
        "NoNewPrivs:\t1",
    ] {
        assert!(stdout.contains(line), "{line} in {stdout}");
    }
    assert!(
        stdout.contains("no mount") && stdout.contains("no sysrq"),
        "{stdout}"
    );
    assert!(
        !stdout.contains(".sock") && !stdout.contains("sda"),
        "{stdout}"
    );
    let mut image = world.busybox();
    image.user = "app".into();
    let outcome = world
        .run_image(&image, &["grep CapEff /proc/self/status"])
        .await;
    assert_eq!(outcome.stdout().trim(), "CapEff:\t0000000000000000");
}

pub(crate) async fn network_none_has_only_loopback(world: &World) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let script = format!(
        "ifconfig -a | grep -c HWaddr; ip addr show lo | grep -c 127.0.0.1; \
         echo | /bin/busybox nc -w 2 127.0.0.1 {port} || echo refused"
    );
    let outcome = world.run(world.script(&script).await).await;
    assert_eq!(outcome.stdout(), "0\n1\nrefused\n", "{}", outcome.stderr());
}
