//! Apps that mean harm with what they leave in the output folder, on both engines: the worker's
//! machine is unharmed, the cause is right, the folder goes, and the next task runs.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail so"
)]

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use engine::{Engine, Image, Limits, Network, testing};
use protocol::{Cause, message::Stream};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use worker::{
    Failure, read_outcome,
    sandbox::{self, Folders, Run},
};

/// A promise about `/iexec_out/result`.
const PROMISE: &str =
    r#"echo '{"deterministic-output-path":"/iexec_out/result"}' > /iexec_out/computed.json"#;
/// What an app must not get at.
const SECRET: &str = "nobody's business";

struct World {
    engine: Arc<dyn Engine>,
    image: Image,
    dir: TempDir,
    container: String,
}

/// What came of a task, before its folder went.
struct Task {
    failure: Option<Failure>,
    digest: Result<(), Failure>,
    packed: Result<Vec<String>, Failure>,
    content: Vec<u8>,
    printed: String,
}

impl World {
    async fn new(test: &str, engine: Option<Arc<dyn Engine>>, dir: TempDir) -> Option<Self> {
        let engine = engine?;
        let archive = match testing::busybox() {
            Ok(image) => image.archive().unwrap(),
            Err(reason) => {
                testing::skip(test, &reason);
                return None;
            }
        };
        let image = engine.import(archive, "hostile/output:1").await.unwrap();
        fs::write(dir.path().join("secret"), SECRET).unwrap();
        let test = test.rsplit("::").next().unwrap_or_default();
        Some(Self {
            container: format!("hostile-{}-{test}", std::process::id()),
            engine,
            image,
            dir,
        })
    }

    fn secret(&self) -> PathBuf {
        self.dir.path().join("secret")
    }

    /// Runs one task and looks at what it left, as a worker does; then the folder goes.
    async fn task(&self, script: &str) -> Task {
        let root = self.dir.path().join("task");
        let folders = Folders::create(&root).unwrap();
        let run = Run {
            name: self.container.clone(),
            image: self.image.clone(),
            args: vec![script.to_owned()],
            env: Vec::new(),
            secrets: Vec::new(),
            limits: Limits {
                disk_bytes: 64 << 20,
                ..Limits::default()
            },
            deadline: Duration::from_secs(120),
            network: Network::None,
            gpus: false,
        };
        let ignored = |_: Stream, _: &str| {};
        let cancel = CancellationToken::new();
        let engine = self.engine.as_ref();
        let ran = sandbox::run(engine, &folders, run, ignored, cancel).await;
        let ran = ran.unwrap();
        let packed = worker::pack(&folders.output(), &folders.archive());
        let task = Task {
            failure: ran.failure(),
            digest: read_outcome(&folders.output(), false).map(drop),
            content: content(&folders.archive()),
            packed: packed.map(|()| names(&folders.archive())),
            printed: ran.logs.stdout,
        };
        drop(folders);
        assert!(!root.exists(), "the folder of the task is left");
        task
    }

    /// An attack, and then a task that must not notice.
    async fn attack(&self, script: &str) -> Task {
        let task = self.task(script).await;
        let next = self
            .task(&format!("echo well > /iexec_out/result; {PROMISE}"))
            .await;
        assert!(next.failure.is_none() && next.digest.is_ok());
        assert!(next.packed.unwrap().contains(&"result".to_owned()));
        assert_eq!(fs::read_to_string(self.secret()).unwrap(), SECRET);
        task
    }
}

fn names(archive: &Path) -> Vec<String> {
    worker::names(fs::File::open(archive).unwrap()).unwrap()
}

/// All that is in an archive; nothing when it was not made.
fn content(archive: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    let Ok(file) = fs::File::open(archive) else {
        return all;
    };
    let Ok(mut zip) = zip::ZipArchive::new(file) else {
        return all;
    };
    for index in 0..zip.len() {
        zip.by_index(index).unwrap().read_to_end(&mut all).unwrap();
    }
    all
}

fn has(content: &[u8], text: &str) -> bool {
    content
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

macro_rules! both {
    ($($name:ident,)*) => {
        mod docker {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let test = concat!("docker::", stringify!($name));
                let engine = engine::testing::docker(test).await;
                let dir = tempfile::tempdir().unwrap();
                if let Some(world) = crate::World::new(test, engine, dir).await {
                    crate::$name(&world).await;
                }
            }
        )*}
        mod builtin {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let test = concat!("builtin::", stringify!($name));
                let dir = tempfile::tempdir().unwrap();
                let engine = engine::testing::builtin(test, &dir.path().join("engine"));
                if let Some(world) = crate::World::new(test, engine, dir).await {
                    crate::$name(&world).await;
                }
            }
        )*}
    };
}

both! {
    links_to_files_of_the_host,
    a_promise_behind_a_link,
    links_in_place_of_what_the_worker_writes,
    hard_links,
    pipes_sockets_and_devices,
    long_names,
    strange_names,
    ten_thousand_levels,
    giants_with_holes,
}

async fn links_to_files_of_the_host(world: &World) {
    let secret = world.secret();
    let script = format!(
        "cd /iexec_out; ln() {{ /bin/busybox ln -s \"$1\" $2; }}; \
         ln {0} absolute; ln ../../../secret relative; ln ../../../../../../../../..{0} climbing; \
         ln /etc/shadow shadow; ln / root; ln .. parent; ln . self; mkdir inner; \
         ln {0} inner/absolute; ln /proc/self/root/etc proc; echo fine > result; {PROMISE}",
        secret.display()
    );
    let task = world.attack(&script).await;
    assert!(task.failure.is_none() && task.digest.is_ok());
    let names = task.packed.unwrap();
    assert_eq!(
        names,
        ["computed.json", "result", "stderr.txt", "stdout.txt"]
    );
    assert!(has(&task.content, "fine") && !has(&task.content, SECRET));
}

async fn a_promise_behind_a_link(world: &World) {
    let secret = world.secret();
    let folder = world.dir.path();
    for target in [
        secret.as_path(),
        folder,
        Path::new("/etc/shadow"),
        Path::new(".."),
    ] {
        let target = target.display();
        let script = format!("/bin/busybox ln -s {target} /iexec_out/result; {PROMISE}");
        let task = world.attack(&script).await;
        let cause = task.digest.unwrap_err().cause;
        assert_eq!(cause, Cause::ResultDigestComputationFailed, "{target}");
        assert!(!has(&task.content, SECRET));
    }
    let script = format!(
        "/bin/busybox ln -s {} /iexec_out/computed.json",
        secret.display()
    );
    let task = world.attack(&script).await;
    assert_eq!(
        task.digest.unwrap_err().cause,
        Cause::DeterminismHashNotFound
    );
}

async fn links_in_place_of_what_the_worker_writes(world: &World) {
    let secret = world.secret();
    let script = format!(
        "for name in stdout.txt stderr.txt .progress; do \
         /bin/busybox ln -s {} /iexec_out/$name; done; echo x > /iexec_out/result; \
         echo overwritten; echo overwritten >&2; {PROMISE}",
        secret.display()
    );
    // That the secret is as it was, is looked at after every attack.
    let task = world.attack(&script).await;
    assert!(has(&task.content, "overwritten") && !has(&task.content, SECRET));
}

async fn hard_links(world: &World) {
    let script = format!(
        "cd /iexec_out; echo mine > result; /bin/busybox ln result twice; \
         for file in /etc/hostname /etc/hosts /bin/busybox; do \
         /bin/busybox ln $file . 2>/dev/null && echo linked; done; {PROMISE}"
    );
    let task = world.attack(&script).await;
    assert_eq!(task.printed, "");
    let expected = [
        "computed.json",
        "result",
        "stderr.txt",
        "stdout.txt",
        "twice",
    ];
    assert_eq!(task.packed.unwrap(), expected);
}

async fn pipes_sockets_and_devices(world: &World) {
    let script = format!(
        "cd /iexec_out; /bin/busybox mkfifo pipe; \
         /bin/busybox mknod disk b 8 0 2>/dev/null && echo a disk; \
         /bin/busybox mknod zero c 1 5 2>/dev/null && echo a device; \
         mkdir result; /bin/busybox mkfifo result/pipe .progress; echo x > result/file; \
         (/bin/busybox nc -lU socket & sleep 1; kill $!) 2>/dev/null; {PROMISE}"
    );
    let task = world.attack(&script).await;
    assert!(task.digest.is_ok() && task.failure.is_none());
    assert_eq!(task.printed, "");
    let names = task.packed.unwrap();
    let expected = ["computed.json", "result/file", "stderr.txt", "stdout.txt"];
    assert_eq!(names, expected);
    let script = format!("/bin/busybox mkfifo /iexec_out/result; {PROMISE}");
    let task = world.attack(&script).await;
    assert_eq!(
        task.digest.unwrap_err().cause,
        Cause::ResultDigestComputationFailed
    );
    let script = "/bin/busybox mkfifo /iexec_out/computed.json";
    let cause = world.attack(script).await.digest.unwrap_err().cause;
    assert_eq!(cause, Cause::DeterminismHashNotFound);
}

async fn long_names(world: &World) {
    let name = "n".repeat(255);
    let script = format!("echo x > /iexec_out/{name}; echo x > /iexec_out/result; {PROMISE}");
    let task = world.attack(&script).await;
    assert_eq!(task.digest.unwrap_err().cause, Cause::TooLongResultFileName);
    let script = format!(
        "mkdir -p /iexec_out/d/{name}/{name}; echo x > /iexec_out/d/{name}/{name}/{name}; \
         echo x > /iexec_out/result; {PROMISE}"
    );
    let task = world.attack(&script).await;
    assert!(task.digest.is_ok());
    let long = format!("d/{name}/{name}/{name}");
    assert!(task.packed.unwrap().contains(&long));
}

async fn strange_names(world: &World) {
    let script = format!(
        "cd /iexec_out; mkdir result; for name in 'new\nline' $(printf '\\377\\376') '-rf' ' ' \
         '..\\up' '$(reboot)' '*'; do echo x > \"result/$name\"; done; {PROMISE}"
    );
    let task = world.attack(&script).await;
    assert!(task.failure.is_none() && task.digest.is_ok());
    let names = task.packed.unwrap();
    assert!(names.contains(&"result/new\nline".to_owned()), "{names:?}");
    assert!(
        names.contains(&"result/\u{fffd}\u{fffd}".to_owned()),
        "{names:?}"
    );
    assert_eq!(names.len(), 7 + 3);
}

async fn ten_thousand_levels(world: &World) {
    for name in ["d".to_owned(), "n".repeat(200)] {
        let script = format!(
            "cd /iexec_out; echo x > result; {PROMISE}; i=0; \
             while [ $i -lt 10000 ]; do mkdir {name} && cd -P {name}; i=$((i+1)); done"
        );
        let task = world.attack(&script).await;
        let failure = task.failure.expect("it is too deep");
        assert_eq!(failure.cause, Cause::AppComputeFailed, "{failure}");
        assert!(failure.message.contains("too much"), "{failure}");
        // Whoever would pack it all the same is told when that does not work.
        if let Err(failure) = task.packed {
            assert_eq!(failure.cause, Cause::OutFolderZipFailed);
        }
    }
}

async fn giants_with_holes(world: &World) {
    let script = format!(
        "cd /iexec_out; /bin/busybox truncate -s 1099511627776 result 2>/dev/null && echo a giant; \
         i=0; while [ $i -lt 40 ]; do /bin/busybox truncate -s 60000000 hole-$i; i=$((i+1)); done; \
         echo x > result; {PROMISE}"
    );
    let task = world.attack(&script).await;
    assert_eq!(task.printed, "");
    assert!(task.failure.is_none(), "{:?}", task.failure);
    assert_eq!(task.packed.unwrap_err().cause, Cause::OutFolderZipFailed);
    let script = format!(
        "mkdir /iexec_out/result; cd /iexec_out/result; \
         i=0; while [ $i -lt 40 ]; do /bin/busybox truncate -s 60000000 hole-$i; i=$((i+1)); done; \
         {PROMISE}"
    );
    let task = world.attack(&script).await;
    let failure = task.digest.unwrap_err();
    assert_eq!(failure.cause, Cause::ResultDigestComputationFailed);
    assert!(failure.message.contains("larger than"), "{failure}");
}
