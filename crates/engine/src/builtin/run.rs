//! One container from creation to removal, through the helper.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::bundle::{Bundle, Link, Outcome, Plan};
use super::rootless::{self, Ids};
use super::tally::Tally;
use super::{Builtin, cgroup, line, user};
use crate::disk::{self, Disk};
use crate::log::CappedLog;
use crate::running::Entry;
use crate::security::KILLED_CODE;
use crate::{
    Error, Exit, LogSink, Loopback, Network, Reason, RunSpec, Stream, Usage, network, secret,
};

/// The helper kills at once; one that has not ended by then is killed itself.
const KILL_TIMEOUT_MS: u64 = 5_000;
/// Both pipes end with the last process of the container.
const DRAIN_TIMEOUT_MS: u64 = 10_000;
const READ_BYTES: usize = 64 * 1024;

pub(super) async fn run(
    engine: &Builtin,
    spec: RunSpec,
    logs: LogSink,
    cancel: CancellationToken,
) -> Result<Exit, Error> {
    spec.validate()?;
    let _image = engine.store.leases.hold(spec.image.id.to_string()).await;
    let entry = engine.running.enter(&spec.name, &cancel).await;
    let remains = Remains {
        bundle: engine.bundle(&spec.name),
        group: engine.group(&spec.name),
    };
    let left = remains.clone();
    blocking(move || left.discard()).await?;
    let cancel = entry.cancel().clone();
    let mut guard = Removal(Some((remains.clone(), entry)));
    let link = link(&spec).await?;
    prepare(engine, &spec, &remains, link)?;
    let logs = CappedLog::new(logs, spec.limits.log_bytes);
    let result = drive(engine, &spec, &remains, logs, cancel).await;
    let entry = guard.0.take();
    blocking(move || remains.discard()).await?;
    drop(entry);
    result
}

/// What a run leaves on the machine.
#[derive(Debug, Clone)]
pub(super) struct Remains {
    pub(super) bundle: Bundle,
    pub(super) group: String,
}

impl Remains {
    /// Ends and removes all of it; blocks until the helper has gone too.
    pub(super) fn discard(&self) -> Result<(), Error> {
        let dir = &self.bundle.0;
        let group = Path::new(&self.group);
        cgroup::destroy(&self.group).map_err(Error::io("remove the control group", group))?;
        if !dir.exists() {
            return Ok(());
        }
        if let Ok(lock) = File::open(self.bundle.lock()) {
            let locked = flock(&lock, FlockOperation::LockExclusive).map_err(Into::into);
            locked.map_err(Error::io("lock", dir))?;
        }
        // The helper may have been about to start the container when we killed its group.
        cgroup::destroy(&self.group).map_err(Error::io("remove the control group", group))?;
        crate::remove_tree(dir).map_err(Error::io("remove", dir))
    }
}

/// Removes what is left of a run that failed or whose future was dropped.
struct Removal(Option<(Remains, Entry)>);

impl Drop for Removal {
    fn drop(&mut self) {
        let (Some((remains, entry)), Ok(runtime)) =
            (self.0.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        runtime.spawn_blocking(move || {
            if let Err(error) = remains.discard() {
                tracing::warn!(name = entry.name(), %error, "container left behind");
            }
        });
    }
}

/// Runs file system work where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => Err(Error::Unavailable {
            reason: format!("internal failure: {panic}"),
        }),
    }
}

/// The container's way out, with the rules that bound it in place.
async fn link(spec: &RunSpec) -> Result<Option<Link>, Error> {
    if spec.network == Network::None {
        return Ok(None);
    }
    if let Some(reason) = lacks_network() {
        return without_network(spec, reason);
    }
    let only = network::resolve(spec).await?;
    let name = spec.name.clone();
    blocking(move || {
        let ready = network::forward().and_then(|()| network::protect());
        ready.map_err(|error| Error::CannotStart {
            name,
            reason: format!("a network needs iptables: {error}"),
        })
    })
    .await?;
    Ok(Some(Link { only }))
}

/// Why containers have no network on this machine; none when they have.
pub(super) fn lacks_network() -> Option<String> {
    if rootless::is_needed() {
        return Some("a network needs root; start Docker or run as root".to_owned());
    }
    let program = network::missing_program()?;
    Some(format!(
        "a network needs `{program}`, which is missing: apt-get install iproute2 iptables, or \
         start Docker"
    ))
}

/// Nothing less than was asked for is safe to give, so a container that may reach the world
/// reaches nothing, and one that needs some hosts is refused.
fn without_network(spec: &RunSpec, reason: String) -> Result<Option<Link>, Error> {
    match &spec.network {
        Network::Allowlist(_) => Err(Error::CannotStart {
            name: spec.name.clone(),
            reason,
        }),
        Network::None | Network::Outbound => Ok(None),
    }
}

fn prepare(
    engine: &Builtin,
    spec: &RunSpec,
    remains: &Remains,
    link: Option<Link>,
) -> Result<(), Error> {
    let cannot = |reason: String| Error::CannotStart {
        name: spec.name.clone(),
        reason,
    };
    if !engine.store.contains(spec.image.id) {
        return Err(Error::NotFound {
            image: spec.image.id.to_string(),
        });
    }
    let missing = spec.binds.iter().find(|bind| !bind.host.exists());
    if let Some(bind) = missing {
        return Err(cannot(format!("`{}` does not exist", bind.host.display())));
    }
    let image = engine.store.config(spec.image.id)?;
    if image.command(&spec.args).is_empty() {
        return Err(cannot("the image has no command".to_owned()));
    }
    let root = engine.store.root(spec.image.id);
    let mut user = user::lookup(&root, &image.user).map_err(cannot)?;
    let ids = rootless::is_needed().then(|| Ids::of(&user));
    if ids.is_some() {
        user.groups.clear();
    }
    let plan = Plan {
        lower: root,
        workdir: image.workdir().to_owned(),
        link,
        ids,
        is_grouped: engine.is_grouped,
        has_secrets: !spec.secrets.is_empty(),
        loopback: spec.loopback.as_ref().map(Loopback::port),
    };
    remains
        .bundle
        .write(spec, &image, &user, &plan, &remains.group)
}

async fn drive(
    engine: &Builtin,
    spec: &RunSpec,
    remains: &Remains,
    logs: CappedLog,
    cancel: CancellationToken,
) -> Result<Exit, Error> {
    let own = ["upper", "rootfs"].map(|name| remains.bundle.path(name));
    let before = Disk::before(&spec.binds).await;
    let disk = Disk::new(disk::writable(&spec.binds), own, before, &spec.limits);
    let (mut helper, mut line) = spawn(engine, &remains.bundle)?;
    let tally = Tally::new(helper.id(), spec.limits.memory_bytes);
    let pump = pump(helper.stdout.take(), helper.stderr.take(), logs);
    let reason = tokio::select! {
        ended = helper.wait() => {
            ended.map_err(Error::io("wait for", &remains.bundle.0))?;
            None
        }
        () = tokio::time::sleep(spec.deadline) => Some(Reason::Deadline),
        () = cancel.cancelled() => Some(Reason::Cancelled),
        () = disk.exceeded() => Some(Reason::DiskFull),
        () = tally.exceeded(), if !engine.is_grouped => Some(Reason::OutOfMemory),
        error = feed(&mut line, spec) => return Err(error),
    };
    // The helper sees the end of the line and kills the container.
    drop(line);
    let patience = Duration::from_millis(KILL_TIMEOUT_MS);
    if tokio::time::timeout(patience, helper.wait()).await.is_err() {
        helper
            .kill()
            .await
            .map_err(Error::io("kill", &remains.bundle.0))?;
    }
    let drained = tokio::time::timeout(Duration::from_millis(DRAIN_TIMEOUT_MS), pump).await;
    let (code, reason) = match reason {
        Some(reason) => (KILLED_CODE, reason),
        None => match self_ended(spec, remains)? {
            (code, _) if disk.is_exceeded().await => (code, Reason::DiskFull),
            ended => ended,
        },
    };
    let disk_bytes = Some(disk.added_bytes());
    Ok(Exit {
        code,
        reason,
        log_bytes_dropped: drained.ok().and_then(Result::ok).unwrap_or_default(),
        usage: Usage {
            disk_bytes,
            ..cgroup::usage(&remains.group).max(tally.usage())
        },
    })
}

fn spawn(engine: &Builtin, bundle: &Bundle) -> Result<(Child, UnixStream), Error> {
    let program = engine.helper.first().cloned().unwrap_or_default();
    let (ours, theirs) = line::pair().map_err(Error::io("reach", Path::new(&program)))?;
    let helper = Command::new(&program)
        .args(engine.helper.iter().skip(1))
        .arg(&bundle.0)
        .env_clear()
        .stdin(theirs)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Not to be interrupted from the terminal: how a run ends is decided here.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(Error::io("start", Path::new(&program)))?;
    Ok((helper, ours))
}

/// Serves the loopback, then sends the secrets to the container, which reads them as the last thing
/// before its program. One that ends before needs neither. Returns only when there is no way to
/// serve.
async fn feed(line: &mut UnixStream, spec: &RunSpec) -> Error {
    if let Some(loopback) = &spec.loopback
        && let Err(error) = serve(line, loopback).await
    {
        return loopback.refusal(&spec.name, &error);
    }
    if !spec.secrets.is_empty() {
        let _ = line.write_all(&secret::line(&spec.secrets)).await;
    }
    std::future::pending().await
}

/// Gives the caller the listener that the helper makes; how one ended that does not is seen
/// elsewhere.
async fn serve(line: &UnixStream, loopback: &Loopback) -> io::Result<()> {
    match line::receive(line).await? {
        Some(listener) => loopback.hand_over(listener),
        None => std::future::pending().await,
    }
}

/// Moves output until the container ends; returns how much was dropped.
fn pump(
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    logs: CappedLog,
) -> AbortOnDropHandle<u64> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let stdout = copy(stdout, Stream::Stdout, &logs);
        let stderr = copy(stderr, Stream::Stderr, &logs);
        tokio::join!(stdout, stderr);
        logs.dropped()
    }))
}

async fn copy(pipe: Option<impl AsyncRead + Unpin>, stream: Stream, logs: &CappedLog) {
    let Some(pipe) = pipe else { return };
    let (mut pipe, mut buffer) = (pin!(pipe), vec![0; READ_BYTES]);
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        logs.push(stream, &buffer[..count]);
    }
}

/// How a container ended that we did not kill.
fn self_ended(spec: &RunSpec, remains: &Remains) -> Result<(i64, Reason), Error> {
    let name = spec.name.clone();
    let text = fs::read(remains.bundle.outcome()).unwrap_or_default();
    match serde_json::from_slice(&text) {
        Ok(Outcome::Exited(code)) => {
            let starved = code != 0 && cgroup::oom_kills(&remains.group) > 0;
            let reason = match code {
                _ if starved => Reason::OutOfMemory,
                KILLED_CODE => Reason::Killed,
                _ => Reason::Exited,
            };
            Ok((code, reason))
        }
        Ok(Outcome::Failed(reason)) => Err(Error::CannotStart { name, reason }),
        Err(_) => {
            let reason = "its helper process died".to_owned();
            Err(Error::RuntimeFailed { name, reason })
        }
    }
}
