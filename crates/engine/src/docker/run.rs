//! One container from creation to removal, through the daemon.

use std::pin::pin;
use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error as ApiError;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, KillContainerOptions,
    LogsOptionsBuilder, StartContainerOptions, WaitContainerOptionsBuilder,
};
use futures_util::StreamExt;
use futures_util::stream::Stream as Flow;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::config::{self, Note, Podman};
use super::lane::Lane;
use super::launch::{self, Complaint, Gate, Launch, Mark, Sieve};
use super::meter::{Meter, Seen, layer_exceeded};
use super::settled::settled;
use super::{Docker, message, pull, remove, status};
use crate::disk::Disk;
use crate::log::CappedLog;
use crate::running::Entry;
use crate::security::KILLED_CODE;
use crate::spec::check_name;
use crate::{Error, Exit, LogSink, Reason, RunSpec, Stream, Usage};

/// Looks at a killed container until the daemon knows whether memory ran out: two seconds, for a
/// daemon that is busy. Only one that somebody else killed is waited for in vain.
const OOM_LOOKS_MAX: u32 = 40;
/// Between two of them.
const OOM_LOOK_MS: u64 = 50;
/// A killed container is gone at once; a daemon that does not notice by then never will.
const KILL_TIMEOUT_MS: u64 = 30_000;
/// The connection ends with the container; this is for daemons that forget to close it.
const DRAIN_TIMEOUT_MS: u64 = 10_000;

pub(super) async fn run(
    docker: &Docker,
    spec: RunSpec,
    logs: LogSink,
    cancel: CancellationToken,
) -> Result<Exit, Error> {
    spec.validate()?;
    let _image = docker.shelf.leases.hold(spec.image.id.to_string()).await;
    let entry = docker.running.enter(&spec.name, &cancel).await;
    remove(&docker.api, &spec.name).await?;
    let cancel = entry.cancel().clone();
    let mut guard = Removal {
        api: docker.api.clone(),
        entry: Some(entry),
    };
    let note = Note {
        limits: spec.limits,
        before: Disk::before(&spec.binds).await,
    };
    let launch = Launch::prepare(docker, &spec).await?;
    let lane = Lane::open(docker, &spec).await?;
    create(docker, &spec, &note, &lane, launch.as_ref()).await?;
    let logs = CappedLog::new(logs, spec.limits.log_bytes);
    let output = Output::new(logs, launch.map(|launch| launch.mark));
    let result = start(docker, &spec, note, output, cancel).await;
    remove(&docker.api, &spec.name).await?;
    guard.entry = None;
    result?.exit(&spec.name)
}

/// Watches a container of ours that another process started, until its end.
pub(super) async fn adopt(
    docker: &Docker,
    name: &str,
    deadline: Duration,
    logs: LogSink,
    cancel: CancellationToken,
) -> Result<Option<Exit>, Error> {
    check_name(name)?;
    let entry = docker.running.enter(name, &cancel).await;
    let seen = inspect(&docker.api, name).await?;
    let Some(note) = seen.orphan() else {
        // One that was created and not started has nothing to tell.
        remove(&docker.api, name).await?;
        return Ok(None);
    };
    let cancel = entry.cancel().clone();
    let mut guard = Removal {
        api: docker.api.clone(),
        entry: Some(entry),
    };
    let run = Run {
        api: &docker.api,
        name,
        deadline,
        cancel,
        note,
    };
    let logs = CappedLog::new(logs, note.limits.log_bytes);
    let output = Output::new(logs, seen.mark());
    let output = replay(&docker.api, name, output);
    let result = run.follow(output, None).await;
    remove(&docker.api, name).await?;
    guard.entry = None;
    match result {
        // Who should have sent the variables was gone first: nothing of its program ever ran.
        Ok(Followed::Complaint(complaint)) if complaint.is_about_input() => Ok(None),
        result => result?.exit(name).map(Some),
    }
}

/// What the daemon knows of it; nothing when it is gone.
async fn inspect(api: &bollard::Docker, name: &str) -> Result<Seen, Error> {
    match settled(|| api.inspect_container(name, None)).await {
        Ok(found) => Ok(Seen(found)),
        Err(error) if status(&error) == Some(404) => Ok(Seen::default()),
        Err(error) => Err(Error::docker("inspect a container")(error)),
    }
}

/// Removes the container of a run that failed or whose future was dropped.
struct Removal {
    api: bollard::Docker,
    entry: Option<Entry>,
}

impl Drop for Removal {
    fn drop(&mut self) {
        let (Some(entry), Ok(runtime)) = (self.entry.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let api = self.api.clone();
        runtime.spawn(async move {
            if let Err(error) = remove(&api, entry.name()).await {
                tracing::warn!(name = entry.name(), %error, "container left behind");
            }
        });
    }
}

async fn create(
    docker: &Docker,
    spec: &RunSpec,
    note: &Note,
    lane: &Lane,
    launch: Option<&Launch>,
) -> Result<(), Error> {
    let options = CreateContainerOptionsBuilder::default()
        .name(&spec.name)
        .build();
    let podman = podman(docker, spec).await?;
    let body = config::container(spec, note, lane, launch, podman);
    match docker.api.create_container(Some(options), body).await {
        Ok(_) => Ok(()),
        Err(error) if status(&error) == Some(404) => Err(Error::NotFound {
            image: spec.image.id.to_string(),
        }),
        Err(error) => Err(start_error(spec, error)),
    }
}

/// What Podman has to be told; none where it is Docker.
async fn podman(docker: &Docker, spec: &RunSpec) -> Result<Option<Podman>, Error> {
    if !docker.daemon.is_podman {
        return Ok(None);
    }
    // It would make a folder.
    if let Some(bind) = spec.binds.iter().find(|bind| !bind.host.exists()) {
        return Err(Error::CannotStart {
            name: spec.name.clone(),
            reason: format!("`{}` does not exist", bind.host.display()),
        });
    }
    let found = pull::inspect(&docker.api, &spec.image.id.to_string()).await?;
    let user = found
        .and_then(|image| image.config?.user)
        .unwrap_or_default();
    let user = user.split(':').next().unwrap_or_default();
    let is_root = ["", "0", "root"].contains(&user);
    Ok(Some(Podman { is_root }))
}

/// What the daemon refuses with a reason is the image's or the caller's fault; but not when it is
/// about our launcher, say because its folder is one where nothing may be executed.
fn start_error(spec: &RunSpec, error: ApiError) -> Error {
    let (name, reason) = (spec.name.clone(), message(&error));
    match status(&error) {
        Some(_) if !spec.secrets.is_empty() && reason.contains(launch::TARGET) => {
            Error::RuntimeFailed { name, reason }
        }
        Some(_) => Error::CannotStart { name, reason },
        None => Error::docker("start a container")(error),
    }
}

async fn start(
    docker: &Docker,
    spec: &RunSpec,
    note: Note,
    output: Output,
    cancel: CancellationToken,
) -> Result<Followed, Error> {
    let api = &docker.api;
    // Attached before the start, so that nothing of the output is missed.
    let attached = attach(api, spec).await?;
    let pump = pump(attached.output, output);
    let gate = Gate::new(spec, attached.input);
    api.start_container(&spec.name, None::<StartContainerOptions>)
        .await
        .map_err(|error| start_error(spec, error))?;
    let run = Run {
        api,
        name: &spec.name,
        deadline: spec.deadline,
        cancel,
        note,
    };
    run.follow(pump, gate).await
}

/// How a container ended.
enum Followed {
    Exit(Exit),
    /// Its launcher never became its program.
    Complaint(Complaint),
}

impl Followed {
    fn exit(self, name: &str) -> Result<Exit, Error> {
        match self {
            Self::Exit(exit) => Ok(exit),
            Self::Complaint(complaint) => Err(complaint.error(name)),
        }
    }
}

/// A container that has been started.
struct Run<'a> {
    api: &'a bollard::Docker,
    name: &'a str,
    deadline: Duration,
    cancel: CancellationToken,
    note: Note,
}

impl Run<'_> {
    /// Lets its program start where that waits, watches it until its end, and ends it when it has
    /// to.
    async fn follow(
        self,
        pump: AbortOnDropHandle<Pumped>,
        gate: Option<Gate<'_>>,
    ) -> Result<Followed, Error> {
        let mut ended = pin!(wait(self.api, self.name));
        let seen = inspect(self.api, self.name).await?;
        let disk = seen.disk(&self.note);
        let meter = Meter::start(self.api, self.name, &seen);
        let forced = tokio::select! {
            code = &mut ended => Err(code?),
            error = let_in(gate, &seen) => return Err(error),
            () = tokio::time::sleep(self.deadline) => Ok(Reason::Deadline),
            () = self.cancel.cancelled() => Ok(Reason::Cancelled),
            () = disk.exceeded() => Ok(Reason::DiskFull),
            () = layer_exceeded(self.api, self.name, &self.note.limits, &seen) => {
                Ok(Reason::DiskFull)
            }
        };
        let (code, reason) = match forced {
            Ok(reason) => {
                stop(self.api, self.name, ended).await?;
                (KILLED_CODE, reason)
            }
            Err(code) if disk.is_exceeded().await => (code, Reason::DiskFull),
            Err(code) => match self_ended(self.api, self.name, code).await? {
                // A daemon under load loses the event; the kernel's peak tells as well.
                Reason::Killed if self.is_full(&meter) => (code, Reason::OutOfMemory),
                reason => (code, reason),
            },
        };
        let drain = tokio::time::timeout(Duration::from_millis(DRAIN_TIMEOUT_MS), pump).await;
        let pumped = drain.ok().and_then(Result::ok).unwrap_or_default();
        if let Some(complaint) = pumped.complaint {
            return Ok(Followed::Complaint(complaint));
        }
        Ok(Followed::Exit(Exit {
            code,
            reason,
            log_bytes_dropped: pumped.dropped,
            usage: self.usage(&meter, &disk, reason),
        }))
    }

    /// Whether its memory was seen at the limit.
    fn is_full(&self, meter: &Meter) -> bool {
        meter.usage().memory_bytes >= Some(self.note.limits.memory_bytes)
    }

    fn usage(&self, meter: &Meter, disk: &Disk, reason: Reason) -> Usage {
        // The last sample is from before the moment at which memory ran out.
        let full = (reason == Reason::OutOfMemory).then_some(self.note.limits.memory_bytes);
        meter.usage().max(Usage {
            memory_bytes: full,
            disk_bytes: Some(disk.added_bytes()),
            ..Usage::default()
        })
    }
}

/// Returns only when the program cannot start.
async fn let_in(gate: Option<Gate<'_>>, seen: &Seen) -> Error {
    match gate {
        Some(gate) => gate.open(seen).await,
        None => std::future::pending().await,
    }
}

/// Where a container's output goes.
struct Output {
    logs: CappedLog,
    sieve: Sieve,
}

impl Output {
    fn new(logs: CappedLog, mark: Option<Mark>) -> Self {
        let sieve = Sieve::new(mark);
        Self { logs, sieve }
    }

    fn push(&mut self, piece: &LogOutput) {
        match piece {
            LogOutput::StdErr { message } => {
                let deliver = |bytes: &[u8]| self.logs.push(Stream::Stderr, bytes);
                self.sieve.push(message, deliver);
            }
            LogOutput::StdOut { message } | LogOutput::Console { message } => {
                self.logs.push(Stream::Stdout, message);
            }
            LogOutput::StdIn { .. } => {}
        }
    }

    fn finish(self) -> Pumped {
        let deliver = |bytes: &[u8]| self.logs.push(Stream::Stderr, bytes);
        let complaint = self.sieve.finish(deliver);
        let dropped = self.logs.dropped();
        Pumped { dropped, complaint }
    }
}

/// What is known when a container's output has ended.
#[derive(Default)]
struct Pumped {
    /// How much was dropped, bytes.
    dropped: u64,
    complaint: Option<Complaint>,
}

/// Everything that comes from now on, and the way in.
async fn attach(api: &bollard::Docker, spec: &RunSpec) -> Result<AttachContainerResults, Error> {
    let options = AttachContainerOptionsBuilder::default()
        .stdin(!spec.secrets.is_empty())
        .stdout(true)
        .stderr(true)
        .stream(true)
        .build();
    let attached = api.attach_container(&spec.name, Some(options)).await;
    // Podman prepares the container here, and finds that there is no such program.
    attached.map_err(|error| match status(&error) {
        Some(409) => start_error(spec, error),
        _ => Error::docker("attach to a container")(error),
    })
}

/// Everything that the daemon kept, and what comes from now on.
fn replay(api: &bollard::Docker, name: &str, output: Output) -> AbortOnDropHandle<Pumped> {
    let options = LogsOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .follow(true)
        .build();
    let patient = api.clone().with_timeout(Duration::MAX);
    pump(patient.logs(name, Some(options)).boxed(), output)
}

/// Moves output until the container ends.
fn pump(
    mut flow: impl Flow<Item = Result<LogOutput, ApiError>> + Send + Unpin + 'static,
    mut output: Output,
) -> AbortOnDropHandle<Pumped> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        while let Some(Ok(piece)) = flow.next().await {
            output.push(&piece);
        }
        output.finish()
    }))
}

/// The exit code, once there is one.
async fn wait(api: &bollard::Docker, name: &str) -> Result<i64, Error> {
    // The request stays open as long as the container runs.
    let patient = api.clone().with_timeout(Duration::MAX);
    let options = WaitContainerOptionsBuilder::default()
        .condition("not-running")
        .build();
    let mut answers = pin!(patient.wait_container(name, Some(options)));
    match answers.next().await {
        Some(Ok(answer)) => Ok(answer.status_code),
        // Any code but zero comes as an error.
        Some(Err(ApiError::DockerContainerWaitError { code, .. })) => Ok(code),
        // Removed by `kill` or by another process.
        Some(Err(error)) if status(&error) == Some(404) => Ok(KILLED_CODE),
        Some(Err(error)) => Err(Error::docker("wait for a container")(error)),
        None => Err(Error::RuntimeFailed {
            name: name.to_owned(),
            reason: "the daemon stopped waiting for it".to_owned(),
        }),
    }
}

/// Whether a container that was to be killed had ended by itself. Podman answers 500 while it
/// writes that down.
fn has_ended(error: &ApiError) -> bool {
    matches!(status(error), Some(404 | 409)) || message(error).contains("container state improper")
}

async fn stop(
    api: &bollard::Docker,
    name: &str,
    ended: impl Future<Output = Result<i64, Error>>,
) -> Result<i64, Error> {
    match api.kill_container(name, None::<KillContainerOptions>).await {
        Err(error) if !has_ended(&error) => {
            return Err(Error::docker("kill a container")(error));
        }
        _ => {}
    }
    match tokio::time::timeout(Duration::from_millis(KILL_TIMEOUT_MS), ended).await {
        Ok(code) => code,
        Err(_) => Err(Error::RuntimeFailed {
            name: name.to_owned(),
            reason: "it does not die".to_owned(),
        }),
    }
}

/// Why a container ended that we did not kill. One that is gone was removed by somebody else.
///
/// The daemon learns that memory ran out by an event of its own, which may come after that of the
/// exit: a container that was killed by nobody we know is looked at again.
async fn self_ended(api: &bollard::Docker, name: &str, code: i64) -> Result<Reason, Error> {
    for look in 1..=OOM_LOOKS_MAX {
        let state = match settled(|| api.inspect_container(name, None)).await {
            Ok(container) => container.state.unwrap_or_default(),
            Err(error) if status(&error) == Some(404) => return Ok(Reason::Killed),
            Err(error) => return Err(Error::docker("inspect a container")(error)),
        };
        if state.oom_killed == Some(true) && code != 0 {
            return Ok(Reason::OutOfMemory);
        }
        if code != KILLED_CODE || look == OOM_LOOKS_MAX {
            break;
        }
        tokio::time::sleep(Duration::from_millis(OOM_LOOK_MS)).await;
    }
    match code {
        KILLED_CODE => Ok(Reason::Killed),
        _ => Ok(Reason::Exited),
    }
}
