//! The engine that asks a Docker or Podman daemon.

mod config;
mod lane;
mod meter;
mod pull;
mod run;

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use bollard::API_DEFAULT_VERSION;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::running::Running;
use crate::security::{LABEL, LABEL_VALUE};
use crate::{Engine, Error, Exit, Image, ImageRef, LogSink, Pin, ProgressSink, Resolved, RunSpec};

/// Where a daemon listens when nothing else is said: Docker, then Podman.
const SOCKETS: [&str; 2] = ["/var/run/docker.sock", "/run/podman/podman.sock"];
/// A daemon that has not begun to answer by then is broken. Long, because removing a container
/// with large files takes its time; waiting for a container's end is not subject to it.
const ANSWER_TIMEOUT_S: u64 = 120;
/// A daemon that takes longer to say hello is not there.
const HELLO_TIMEOUT_MS: u64 = 2_000;

/// Containers through the API of a Docker or Podman daemon.
///
/// Containers carry the label `iexec=1`; no other container is ever listed or removed, except
/// one with the exact name of a run.
#[derive(Debug, Clone)]
pub struct Docker {
    api: bollard::Docker,
    running: Running,
}

impl Docker {
    /// Connects and agrees on an API version.
    ///
    /// `host` is what the variable `DOCKER_HOST` holds, `unix://…` or `tcp://…`; without it the
    /// usual sockets of Docker and Podman are tried.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no daemon answers.
    pub async fn connect(host: Option<&str>) -> Result<Self, Error> {
        let mut failure = String::new();
        for host in host.map_or(SOCKETS.to_vec(), |host| vec![host]) {
            match Self::hello(host).await {
                Ok(docker) => return Ok(docker),
                Err(reason) => failure = format!("{failure}; {host}: {reason}"),
            }
        }
        Err(Error::Unavailable {
            reason: format!("no docker daemon answers, start one or set DOCKER_HOST{failure}"),
        })
    }

    async fn hello(host: &str) -> Result<Self, String> {
        let api = match host.contains("://") && !host.starts_with("unix://") {
            true => bollard::Docker::connect_with_host(host),
            false => {
                bollard::Docker::connect_with_unix(host, ANSWER_TIMEOUT_S, API_DEFAULT_VERSION)
            }
        };
        let api = api.map_err(|error| error.to_string())?;
        let hello = api.negotiate_version();
        match tokio::time::timeout(Duration::from_millis(HELLO_TIMEOUT_MS), hello).await {
            Ok(Ok(api)) => Ok(Self {
                api,
                running: Running::default(),
            }),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer".to_owned()),
        }
    }
}

#[async_trait]
impl Engine for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    async fn pull(
        &self,
        image: &ImageRef,
        pin: &Pin,
        progress: &ProgressSink,
    ) -> Result<Image, Error> {
        pull::pull(&self.api, image, pin, progress).await
    }

    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, Error> {
        pull::resolve(&self.api, image).await
    }

    async fn import(&self, archive: Bytes, tag: &str) -> Result<Image, Error> {
        pull::import(&self.api, archive, tag).await
    }

    async fn run(
        &self,
        spec: RunSpec,
        logs: LogSink,
        cancel: CancellationToken,
    ) -> Result<Exit, Error> {
        run::run(self, spec, logs, cancel).await
    }

    async fn adopt(
        &self,
        name: &str,
        deadline: Duration,
        logs: LogSink,
        cancel: CancellationToken,
    ) -> Result<Option<Exit>, Error> {
        run::adopt(self, name, deadline, logs, cancel).await
    }

    async fn kill(&self, name: &str) -> Result<(), Error> {
        self.running.stop(name).await;
        remove(&self.api, name).await
    }

    async fn sweep(&self, prefix: &str) -> Result<usize, Error> {
        let names = list(&self.api, prefix).await?;
        for name in &names {
            self.kill(name).await?;
        }
        Ok(names.len())
    }
}

/// The names of our containers with this prefix, running or not.
async fn list(api: &bollard::Docker, prefix: &str) -> Result<Vec<String>, Error> {
    let filters = HashMap::from([("label", vec![format!("{LABEL}={LABEL_VALUE}")])]);
    let filters: HashMap<String, Vec<String>> = filters
        .into_iter()
        .map(|(key, values)| (key.to_owned(), values))
        .collect();
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    let containers = api
        .list_containers(Some(options))
        .await
        .map_err(Error::docker("list containers"))?;
    let names = containers
        .into_iter()
        .filter_map(|container| container.names?.into_iter().next());
    let names = names.map(|name| name.trim_start_matches('/').to_owned());
    Ok(names.filter(|name| name.starts_with(prefix)).collect())
}

/// Kills and removes a container with its anonymous volumes and the network of its own; fine when
/// there is none, or when somebody else is removing it.
async fn remove(api: &bollard::Docker, name: &str) -> Result<(), Error> {
    let options = RemoveContainerOptionsBuilder::default()
        .force(true)
        .v(true)
        .build();
    match api.remove_container(name, Some(options)).await {
        Ok(()) => {}
        Err(error) if matches!(status(&error), Some(404 | 409)) => {}
        Err(error) => return Err(Error::docker("remove a container")(error)),
    }
    lane::close(api, name).await
}

/// The daemon's HTTP status, where it answered at all.
fn status(error: &bollard::errors::Error) -> Option<u16> {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// The daemon's own words.
fn message(error: &bollard::errors::Error) -> String {
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => message.clone(),
        bollard::errors::Error::DockerStreamError { error } => error.clone(),
        other => other.to_string(),
    }
}
