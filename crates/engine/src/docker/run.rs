//! One container from creation to removal, through the daemon.

use std::pin::pin;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error as ApiError;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, KillContainerOptions,
    StartContainerOptions, WaitContainerOptionsBuilder,
};
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{Docker, config, message, remove, status};
use crate::log::CappedLog;
use crate::running::Entry;
use crate::security::KILLED_CODE;
use crate::{Error, Exit, LogSink, Reason, RunSpec, Stream};

/// Looks at a killed container until the daemon knows whether memory ran out: half a second.
const OOM_LOOKS_MAX: u32 = 10;
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
    let entry = docker.running.enter(&spec.name, &cancel).await;
    remove(&docker.api, &spec.name).await?;
    let cancel = entry.cancel().clone();
    let mut guard = Removal {
        api: docker.api.clone(),
        entry: Some(entry),
    };
    create(&docker.api, &spec).await?;
    let logs = CappedLog::new(logs, spec.limits.log_bytes);
    let result = drive(&docker.api, &spec, logs, cancel).await;
    remove(&docker.api, &spec.name).await?;
    guard.entry = None;
    result
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

async fn create(api: &bollard::Docker, spec: &RunSpec) -> Result<(), Error> {
    let options = CreateContainerOptionsBuilder::default()
        .name(&spec.name)
        .build();
    match api
        .create_container(Some(options), config::container(spec))
        .await
    {
        Ok(_) => Ok(()),
        Err(error) if status(&error) == Some(404) => Err(Error::NotFound {
            image: spec.image.id.to_string(),
        }),
        Err(error) => Err(start_error(spec, error)),
    }
}

/// What the daemon refuses with a reason is the image's or the caller's fault.
fn start_error(spec: &RunSpec, error: ApiError) -> Error {
    match status(&error) {
        Some(_) => Error::CannotStart {
            name: spec.name.clone(),
            reason: message(&error),
        },
        None => Error::docker("start a container")(error),
    }
}

async fn drive(
    api: &bollard::Docker,
    spec: &RunSpec,
    logs: CappedLog,
    cancel: CancellationToken,
) -> Result<Exit, Error> {
    // Attached before the start, so that nothing of the output is missed.
    let pump = attach(api, &spec.name, logs).await?;
    api.start_container(&spec.name, None::<StartContainerOptions>)
        .await
        .map_err(|error| start_error(spec, error))?;
    let mut ended = pin!(wait(api, &spec.name));
    let (code, reason) = tokio::select! {
        code = &mut ended => (code?, None),
        () = tokio::time::sleep(spec.deadline) => {
            (stop(api, spec, ended).await?, Some(Reason::Deadline))
        }
        () = cancel.cancelled() => (stop(api, spec, ended).await?, Some(Reason::Cancelled)),
    };
    let drain = tokio::time::timeout(Duration::from_millis(DRAIN_TIMEOUT_MS), pump).await;
    let log_bytes_dropped = drain.ok().and_then(Result::ok).unwrap_or_default();
    match reason {
        Some(reason) => Ok(Exit {
            code: KILLED_CODE,
            reason,
            log_bytes_dropped,
        }),
        None => {
            let reason = self_ended(api, &spec.name, code).await?;
            Ok(Exit {
                code,
                reason,
                log_bytes_dropped,
            })
        }
    }
}

/// Moves output until the container ends; returns how much was dropped.
async fn attach(
    api: &bollard::Docker,
    name: &str,
    logs: CappedLog,
) -> Result<AbortOnDropHandle<u64>, Error> {
    let options = AttachContainerOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .stream(true)
        .build();
    let attached = api.attach_container(name, Some(options)).await;
    let mut output = attached
        .map_err(Error::docker("attach to a container"))?
        .output;
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        while let Some(Ok(piece)) = output.next().await {
            match piece {
                LogOutput::StdErr { message } => logs.push(Stream::Stderr, &message),
                LogOutput::StdOut { message } | LogOutput::Console { message } => {
                    logs.push(Stream::Stdout, &message);
                }
                LogOutput::StdIn { .. } => {}
            }
        }
        logs.dropped()
    })))
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

async fn stop(
    api: &bollard::Docker,
    spec: &RunSpec,
    ended: impl Future<Output = Result<i64, Error>>,
) -> Result<i64, Error> {
    match api
        .kill_container(&spec.name, None::<KillContainerOptions>)
        .await
    {
        // 409: it ended by itself meanwhile.
        Err(error) if !matches!(status(&error), Some(404 | 409)) => {
            return Err(Error::docker("kill a container")(error));
        }
        _ => {}
    }
    match tokio::time::timeout(Duration::from_millis(KILL_TIMEOUT_MS), ended).await {
        Ok(code) => code,
        Err(_) => Err(Error::RuntimeFailed {
            name: spec.name.clone(),
            reason: "it does not die".to_owned(),
        }),
    }
}

/// Why a container ended that we did not kill. One that is gone was killed by name.
///
/// The daemon learns that memory ran out by an event of its own, which may come after that of the
/// exit: a container that was killed by nobody we know is looked at again.
async fn self_ended(api: &bollard::Docker, name: &str, code: i64) -> Result<Reason, Error> {
    for look in 1..=OOM_LOOKS_MAX {
        let state = match api.inspect_container(name, None).await {
            Ok(container) => container.state.unwrap_or_default(),
            Err(error) if status(&error) == Some(404) => return Ok(Reason::Cancelled),
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
    Ok(Reason::Exited)
}
