//! Variables that the program sees, and who else does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use engine::{Bind, Error, Exit, LogReader, Reason, RunSpec, Secret, log_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::World;
use crate::canary::{Canary, outsiders};
use crate::daemon::Daemon;

/// Docker's folder of what it knows of each container.
const DOCKER_CONTAINERS: &str = "/var/lib/docker/containers";
/// Podman's folder of everything, as our tests start it.
const PODMAN_ROOT: &str = "iexec-podman";

/// What a program can find out about how it was started.
const SELF_PORTRAIT: &str = "echo $$ $(id -u) $(id -g) $(id -G) $(pwd) $#; \
    cat /proc/1/cmdline | tr '\\0' '|'; echo; env | grep -v ^HOSTNAME= | sort; \
    /bin/busybox readlink /proc/self/fd/0; cat; ls /proc/self/fd; ulimit -a; \
    grep -e ^Cap -e ^SigB -e ^SigI -e ^SigC -e ^NoNew -e ^Seccomp: -e ^Groups /proc/self/status";

fn secret(name: &str, value: impl Into<String>) -> (String, Secret) {
    (name.to_owned(), Secret::new(value.into()))
}

pub(crate) async fn the_program_sees_its_secrets(world: &World) {
    let mut image = world.busybox();
    image.entrypoint = vec!["env".into()];
    image.cmd = Vec::new();
    image.env.push("OF_IMAGE=image".into());
    let image = world.import(&image).await;
    let mut spec = RunSpec::new(world.name(), image, Duration::from_secs(60));
    spec.env = vec![
        ("OPEN".into(), "open".into()),
        ("BOTH".into(), "open".into()),
    ];
    let large = "0123456789".repeat(12_000);
    let odd = "\u{10}\u{11} a=b \"'$HOME\\ é 🦀 \t";
    spec.secrets = vec![
        secret("BOTH", "secret"),
        secret("OF_IMAGE", "secret"),
        secret("EMPTY", ""),
        secret("ODD", odd),
        secret("LARGE", &large),
        secret("naïve.name", "unicode"),
    ];
    let many = (0..200).map(|number| secret(&format!("N{number}"), number.to_string()));
    spec.secrets.extend(many);
    let stdout = world.run(spec).await.stdout();
    let mut lines: Vec<_> = stdout.lines().collect();
    lines.sort_unstable();
    for line in ["BOTH=secret", "OF_IMAGE=secret", "OPEN=open", "EMPTY="] {
        assert!(lines.contains(&line), "{line} in {stdout}");
    }
    assert!(lines.contains(&&*format!("ODD={odd}")), "{stdout}");
    assert!(lines.contains(&&*format!("LARGE={large}")));
    assert!(lines.contains(&"naïve.name=unicode"));
    for number in 0..200 {
        assert!(lines.contains(&&*format!("N{number}={number}")));
    }
    let both = lines.iter().filter(|line| line.starts_with("BOTH="));
    assert_eq!(both.count(), 1);
}

/// The program finds itself started exactly as without secrets, down to its signals.
pub(crate) async fn nothing_else_is_different(world: &World) {
    let mut image = world.busybox();
    image.workdir = "/made/for/it".into();
    for user in ["", "app"] {
        image.user = user.into();
        let image = world.import(&image).await;
        let mut spec = RunSpec::new(world.name(), image, Duration::from_secs(60));
        spec.args = [SELF_PORTRAIT, "two", "thr ee"].map(str::to_owned).into();
        let without = world.run(spec.clone()).await;
        spec.secrets = vec![secret("SECRET_ONE", "x")];
        let with = world.run(spec).await;
        assert_eq!(with.exit.code, without.exit.code);
        assert_eq!(with.stderr(), without.stderr());
        let rest = with.stdout().replace("SECRET_ONE=x\n", "");
        assert_ne!(rest, with.stdout());
        assert_eq!(rest, without.stdout());
        assert!(rest.contains("/dev/null"), "{rest}");
    }
}

pub(crate) async fn what_cannot_start_is_named(world: &World) {
    let mut image = world.busybox();
    for (program, because) in [
        ("no-such-program", "no-such-program"),
        ("/no/such/path", "/no/such/path"),
        ("/etc/passwd", "/etc/passwd"),
        ("/tmp", "/tmp"),
    ] {
        image.entrypoint = vec![program.into()];
        let image = world.import(&image).await;
        let mut spec = RunSpec::new(world.name(), image, Duration::from_secs(60));
        spec.secrets = vec![secret("SECRET_ONE", "canary")];
        let name = spec.name.clone();
        let (logs, mut reader) = log_channel();
        let ran = world.engine.run(spec, logs, CancellationToken::new()).await;
        let error = ran.unwrap_err();
        assert!(matches!(error, Error::CannotStart { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(because) && !text.contains("canary"),
            "{error}"
        );
        assert_eq!(reader.recv().await, None);
        assert!(!world.exists(&name).await);
    }
}

/// What ends with the codes that a failed start has is a program all the same.
pub(crate) async fn codes_of_a_failed_start_are_the_programs_too(world: &World) {
    for code in [125, 126, 127] {
        let mut spec = world.script(&format!("echo said >&2; exit {code}")).await;
        spec.secrets = vec![secret("SECRET_ONE", "x")];
        let outcome = world.run(spec).await;
        assert_eq!(
            (outcome.exit.code, outcome.exit.reason),
            (code, Reason::Exited)
        );
        assert_eq!(outcome.stderr(), "said\n");
    }
}

/// A container that has been told a secret, and waits.
struct Gated {
    running: JoinHandle<Result<Exit, Error>>,
    reader: LogReader,
    gate: PathBuf,
    name: String,
    image: String,
}

impl Gated {
    async fn begin(world: &World, canary: &Canary) -> Self {
        let dir = world.dir.path().join("gate");
        fs::create_dir(&dir).unwrap();
        let gate = dir.join("gate");
        let made = Command::new("mkfifo").arg(&gate).status().unwrap();
        assert!(made.success());
        let mut spec = world
            .script("echo ${#CANARY}; cat /gate/gate; exit 3")
            .await;
        spec.secrets = vec![secret("CANARY", canary.text())];
        spec.binds = vec![Bind::writable(&dir, "/gate")];
        let (name, image) = (spec.name.clone(), spec.image.id.to_string());
        let (logs, mut reader) = log_channel();
        let (engine, token) = (world.engine.clone(), CancellationToken::new());
        let running = tokio::spawn(async move { engine.run(spec, logs, token).await });
        // The program is running, and has it.
        let told = reader.recv().await.unwrap().bytes;
        assert_eq!(told, format!("{}\n", canary.text().len()));
        Self {
            running,
            reader,
            gate,
            name,
            image,
        }
    }

    async fn end(mut self) {
        tokio::fs::write(&self.gate, "").await.unwrap();
        assert_eq!(self.running.await.unwrap().unwrap().code, 3);
        assert_eq!(self.reader.recv().await, None);
    }
}

pub(crate) async fn nobody_outside_sees_a_secret(world: &World) {
    let canary = Canary::new();
    let gated = Gated::begin(world, &canary).await;
    let mut looked = vec![world.dir.path().to_owned()];
    if let Some(daemon) = Daemon::of(world) {
        let (name, image) = (&gated.name, &gated.image);
        for path in [
            format!("/containers/{name}/json?size=1"),
            format!("/containers/{name}/top"),
            format!("/containers/{name}/changes"),
            format!("/containers/{name}/logs?stdout=1&stderr=1"),
            "/containers/json?all=1".to_owned(),
            format!("/images/{image}/json"),
            format!("/images/{image}/history"),
        ] {
            let (status, said) = daemon.get(&path);
            assert_eq!(status, 200, "{path}");
            assert!(!canary.is_in(&said), "{path}");
        }
        looked.extend(folders(&daemon, name));
    }
    let searched = looked.iter().map(|dir| canary.search(dir));
    let (found, counts): (Vec<_>, Vec<_>) = searched.unzip();
    assert_eq!(found.concat(), Vec::<PathBuf>::new());
    assert!(counts.iter().sum::<usize>() > 2, "{counts:?} in {looked:?}");
    let (outside, inside) = outsiders();
    for process in &outside {
        for file in ["cmdline", "environ", "comm"] {
            // One that has ended meanwhile, or is not ours to see, tells nothing.
            let text = fs::read(process.join(file)).unwrap_or_default();
            assert!(!canary.is_in(&text), "{}/{file}", process.display());
        }
    }
    // This way of looking finds it where it is.
    let environ = |process: &PathBuf| fs::read(process.join("environ")).unwrap_or_default();
    assert!(inside.iter().any(|process| canary.is_in(&environ(process))));
    let cmdline = |process: &PathBuf| fs::read(process.join("cmdline")).unwrap_or_default();
    assert!(
        inside
            .iter()
            .all(|process| !canary.is_in(&cmdline(process)))
    );
    gated.end().await;
}

/// What the daemon has on its disk of a container.
fn folders(daemon: &Daemon, name: &str) -> Vec<PathBuf> {
    let container = daemon.inspect(name);
    let id = container["Id"].as_str().unwrap();
    let mut folders = match daemon.is_podman {
        true => vec![std::env::temp_dir().join(PODMAN_ROOT)],
        false => vec![Path::new(DOCKER_CONTAINERS).join(id)],
    };
    let layer = container["GraphDriver"]["Data"]["UpperDir"].as_str();
    folders.extend(layer.map(PathBuf::from));
    folders
}

/// One of another user, in the same container, who has all rights to look.
pub(crate) async fn another_user_in_the_container_finds_nothing(world: &World) {
    let canary = Canary::new();
    let look = "for f in /proc/1/environ /proc/1/cmdline /proc/1/fd/0 /proc/self/fd/0; do \
        cat $f; done; cat /.iexec-launcher >/dev/null; env; id; echo looked";
    let script =
        format!("echo ${{#CANARY}}; unset CANARY; /bin/busybox su -s /bin/sh app -c '{look}' 2>&1");
    let mut spec = world.script(&script).await;
    spec.secrets = vec![secret("CANARY", canary.text())];
    let outcome = world.run(spec).await;
    let stdout = outcome.stdout();
    assert!(
        stdout.starts_with(&format!("{}\n", canary.text().len())),
        "{stdout}"
    );
    assert!(stdout.contains("uid=1000(app)"), "{stdout}");
    assert!(stdout.ends_with("looked\n"), "{stdout}");
    assert!(!canary.is_in(stdout.as_bytes()), "{stdout}");
}

/// A process that is killed between creation and start, or before it has sent the variables,
/// leaves a container that nobody ever was in.
pub(crate) async fn what_was_never_told_is_not_adopted(world: &World) {
    let daemon = Daemon::of(world).expect("the built-in engine adopts nothing");
    let gated = Gated::begin(world, &Canary::new()).await;
    let alike = daemon.inspect(&gated.name);
    gated.end().await;
    for is_started in [false, true] {
        let name = world.name();
        daemon.create_alike(&name, &alike);
        if is_started {
            // As when the process dies that should have sent them.
            let line = daemon.attach(&name);
            daemon.start(&name);
            drop(line);
        }
        let (logs, mut reader) = log_channel();
        let token = CancellationToken::new();
        let patience = Duration::from_secs(50);
        let adopted = world.engine.adopt(&name, patience, logs, token).await;
        assert_eq!(adopted.unwrap(), None, "started: {is_started}");
        assert_eq!(reader.recv().await, None);
        assert!(!world.exists(&name).await);
        assert_eq!(daemon.get(&format!("/containers/{name}/json")).0, 404);
    }
}

pub(crate) async fn unsound_ones_are_refused(world: &World) {
    let mut spec = world.script("true").await;
    spec.secrets = vec![secret("A=B", "canary")];
    let (logs, _reader) = log_channel();
    let refused = world.engine.run(spec, logs, CancellationToken::new()).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, Error::BadSpec { .. }), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("canary"), "{error}");
}
