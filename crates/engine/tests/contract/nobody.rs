//! What is different when the worker is not root.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::{Command, Stdio};
use std::time::Duration;

use engine::{
    Bind, Error, ImageRef, Network, Pin, ProgressSink, Reason, RunSpec, Secret, log_channel,
};
use tokio_util::sync::CancellationToken;

use crate::World;

/// Who nobody is.
const NOBODY: u32 = 65_534;

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Runs one test of this binary as nobody.
///
/// # Panics
/// When it fails.
pub(crate) fn become_nobody(test: &str) {
    let dir = tempfile::tempdir().unwrap();
    chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    // By a descriptor, because the binary may be in a folder that is closed to others.
    let binary = File::open(std::env::current_exe().unwrap()).unwrap();
    let ids = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
    let ended = Command::new("setpriv")
        .args(ids)
        .args(["--clear-groups", "--bounding-set=-all", "/proc/self/fd/0"])
        .args(["--exact", test, "--nocapture"])
        .env("TMPDIR", dir.path())
        .current_dir("/")
        .stdin(Stdio::from(binary))
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (said(&ended.stdout), said(&ended.stderr));
    assert!(ended.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("1 passed"), "{stdout}\n{stderr}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "left behind");
}

pub(crate) async fn fork_bomb(world: &World) {
    // The first shell forks once, or it would end with the first fork that fails.
    let mut spec = world
        .script("(f() { f | f & }; f); while :; do :; done")
        .await;
    spec.limits.pids = 64;
    spec.deadline = Duration::from_secs(3);
    let exit = world.run(spec).await.exit;
    assert_eq!((exit.code, exit.reason), (137, Reason::Deadline));
    let next = world.run(world.script("echo well").await).await;
    assert_eq!(next.stdout(), "well\n");
}

pub(crate) async fn memory_hog(world: &World) {
    let mut spec = world.script("exec tail /dev/zero").await;
    spec.limits.memory_bytes = 64 << 20;
    let exit = world.run(spec).await.exit;
    // Noticed, or refused by the kernel before it was.
    match exit.reason {
        Reason::OutOfMemory => assert!(exit.usage.memory_bytes.unwrap() > 64 << 20, "{exit:?}"),
        reason => assert!(reason == Reason::Exited && exit.code != 0, "{exit:?}"),
    }
    let next = world.run(world.script("echo well").await).await;
    assert_eq!(next.stdout(), "well\n");
}

pub(crate) async fn the_images_user_is_the_only_one(world: &World) {
    let mut image = world.busybox();
    let script = "echo $(id -u) $(id -g); cat /proc/self/uid_map | tr -s ' '; \
        chown 7 /tmp 2>/dev/null || echo nobody else";
    for (user, id) in [
        ("", "0 0"),
        ("app", "1000 1000"),
        ("1234:4321", "1234 4321"),
    ] {
        image.user = user.into();
        let outcome = world.run_image(&image, &[script]).await;
        let uid = id.split(' ').next().unwrap();
        let expected = format!("{id}\n {uid} {NOBODY} 1\nnobody else\n");
        assert_eq!(outcome.stdout(), expected, "{}", outcome.stderr());
    }
}

pub(crate) async fn what_it_writes_is_the_workers(world: &World) {
    let mut image = world.busybox();
    for user in ["", "app"] {
        image.user = user.into();
        let out = world.dir.path().join(format!("out{user}"));
        fs::create_dir(&out).unwrap();
        let image = world.import(&image).await;
        let mut spec = RunSpec::new(world.name(), image, Duration::from_secs(60));
        spec.args = vec!["mkdir /out/d; echo x > /out/d/file; /bin/busybox chmod 0 /out/d".into()];
        spec.binds = vec![Bind::writable(&out, "/out")];
        assert_eq!(world.run(spec).await.exit.code, 0);
        assert_eq!(fs::metadata(out.join("d")).unwrap().uid(), NOBODY);
        engine::remove_tree(&out).unwrap();
    }
}

pub(crate) async fn layers_of_many_owners_are_unpacked(world: &World) {
    let owned = testing_layer();
    let tag = "contract/owners:1";
    let image = world.engine.import(owned, tag).await.unwrap();
    let reference = ImageRef::parse(tag).unwrap();
    let pin = Pin::local(image.id);
    let progress = ProgressSink::none();
    let image = world
        .engine
        .pull(&reference, &pin, &progress)
        .await
        .unwrap();
    let mut spec = RunSpec::new(world.name(), image, Duration::from_secs(60));
    spec.args = ["/bin/busybox", "sh", "-c"].map(str::to_owned).to_vec();
    spec.args
        .push("/bin/busybox cat /closed/file /closed/secret".to_owned());
    let outcome = world.run(spec).await;
    assert_eq!(outcome.stdout(), "inside\nsecret\n", "{}", outcome.stderr());
}

/// An image whose files belong to many, in a folder that nobody may write to.
fn testing_layer() -> bytes::Bytes {
    engine::testing::busybox()
        .unwrap()
        .with_owned("/closed", 33, 0o555, None)
        .with_owned("/closed/file", 1_000, 0o444, Some("inside\n"))
        .with_owned("/closed/secret", 70_000, 0o000, Some("secret\n"))
        .without_entrypoint()
        .archive()
        .unwrap()
}

pub(crate) async fn a_network_is_none_or_refused(world: &World) {
    let mut spec = world.script("ifconfig -a | grep -c encap").await;
    spec.network = Network::Outbound;
    assert_eq!(world.run(spec).await.stdout(), "1\n");
    let mut spec = world.script("true").await;
    spec.network = Network::Allowlist(vec!["example.com".to_owned()]);
    let (logs, _reader) = log_channel();
    let refused = world.engine.run(spec, logs, CancellationToken::new()).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, Error::CannotStart { .. }), "{error:?}");
    assert!(error.to_string().contains("root"), "{error}");
}

/// A process with secrets of its own has closed itself: not even it sees all of its own files.
pub(crate) async fn a_closed_process_runs_containers(world: &World) {
    engine::harden().unwrap();
    let mut spec = world.script("echo $SECRET; exit 5").await;
    let value = Secret::new("well".to_owned());
    spec.secrets = vec![("SECRET".to_owned(), value)];
    let outcome = world.run(spec).await;
    assert_eq!(
        (outcome.exit.code, outcome.stdout().as_str()),
        (5, "well\n")
    );
}
