//! The engine that asks a Docker or Podman daemon.

mod config;
mod lane;
mod launch;
mod loopback;
mod meter;
mod pull;
mod run;
mod settled;
mod shelf;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::models::SystemVersion;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, ClientVersion};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::platform::Platform;
use crate::running::Running;
use crate::security::{LABEL, LABEL_VALUE};
use crate::{
    Config, Credentials, Engine, Error, Exit, Image, ImageRef, LogSink, Pin, ProgressSink,
    Resolved, RunSpec,
};
use settled::settled;
use shelf::Shelf;

/// Where a daemon listens when nothing else is said: Docker, then Podman.
const SOCKETS: [&str; 2] = ["/var/run/docker.sock", "/run/podman/podman.sock"];
/// A daemon that has not begun to answer by then is broken. Long, because removing a container
/// with large files takes its time; waiting for a container's end is not subject to it.
const ANSWER_TIMEOUT_S: u64 = 120;
/// A daemon that takes longer to say hello is not there. Podman asks the package manager for its
/// version first, which takes seconds.
const HELLO_TIMEOUT_MS: u64 = 15_000;
/// Where a user's own Podman listens, below the folder for what lives as long as the session.
const PODMAN_OF_USER: &str = "podman/podman.sock";
/// Which images were pulled.
const SHELF_FILE: &str = "pulled.json";
const AUTH_HEADER: &str = "x-registry-auth";

/// Containers through the API of a Docker or Podman daemon.
///
/// Containers carry the label `iexec=1`; no other container is ever listed or removed, except
/// one with the exact name of a run.
#[derive(Debug, Clone)]
pub struct Docker {
    api: bollard::Docker,
    running: Running,
    daemon: Daemon,
    credentials: Credentials,
    shelf: Arc<Shelf>,
    /// Where the launcher of containers with secrets is.
    root_dir: Option<PathBuf>,
}

/// What is known of the other side.
#[derive(Debug, Clone)]
struct Daemon {
    /// What its containers run on, which need not be this machine.
    platform: Platform,
    is_podman: bool,
}

impl Docker {
    /// Connects and agrees on an API version.
    ///
    /// `host` is what the variable `DOCKER_HOST` holds, `unix://…` or `tcp://…`; without it the
    /// usual sockets of Docker and Podman are tried. Images stay until somebody removes them. No
    /// container can get secrets, for which a folder is needed that only [`detect`](crate::detect)
    /// is told.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no daemon answers.
    pub async fn connect(host: Option<&str>) -> Result<Self, Error> {
        match host {
            Some(host) => Self::first(&[host.to_owned()]).await,
            None => Self::first(&SOCKETS.map(str::to_owned)).await,
        }
    }

    /// With everything that the configuration says.
    pub(crate) async fn open(config: &Config) -> Result<Self, Error> {
        // What is never removed need not be remembered; two processes may share a folder then.
        let file = config.root_dir.join(SHELF_FILE);
        let bytes_max = config.cache_bytes_max;
        let shelf = bytes_max.map(|bytes_max| Shelf::open(file, bytes_max));
        let docker = Self {
            credentials: config.credentials.clone(),
            shelf: Arc::new(shelf.unwrap_or_default()),
            root_dir: Some(config.root_dir.clone()),
            ..Self::first(&hosts(config)).await?
        };
        docker.shelf.tidy(&docker.api).await;
        Ok(docker)
    }

    /// With a folder of its own.
    #[cfg(all(feature = "testing", target_os = "linux"))]
    pub(crate) fn with_root_dir(self, root_dir: PathBuf) -> Self {
        Self {
            root_dir: Some(root_dir),
            ..self
        }
    }

    async fn first(hosts: &[String]) -> Result<Self, Error> {
        let mut failure = String::new();
        for host in hosts {
            match Self::hello(host).await {
                Ok(docker) => return Ok(docker),
                Err(reason) => failure = format!("{failure}; {host}: {reason}"),
            }
        }
        Err(Error::Unavailable {
            reason: format!("no docker daemon answers, start one or set DOCKER_HOST{failure}"),
        })
    }

    /// Asks for the version once: the library's own way to agree on one tells nothing else.
    async fn hello(host: &str) -> Result<Self, String> {
        let text = |error: bollard::errors::Error| error.to_string();
        let patience = Duration::from_millis(HELLO_TIMEOUT_MS);
        let first = client(host, API_DEFAULT_VERSION).map_err(text)?;
        let version = match tokio::time::timeout(patience, first.version()).await {
            Ok(version) => version.map_err(text)?,
            Err(_) => return Err("no answer".to_owned()),
        };
        let api = client(host, &spoken(&version)).map_err(text)?;
        let api = match is_unix(host) {
            true => api,
            false => api.negotiate_version().await.map_err(text)?,
        };
        Ok(Self {
            api,
            running: Running::default(),
            daemon: Daemon::of(version),
            credentials: Credentials::default(),
            shelf: Arc::default(),
            root_dir: None,
        })
    }
}

/// Where to look, in this order: what was said, Docker, root's Podman, the user's Podman.
fn hosts(config: &Config) -> Vec<String> {
    if let Some(host) = &config.docker_host {
        return vec![host.clone()];
    }
    let runtime_dir = config.runtime_dir.as_deref();
    let of_user = runtime_dir.map(|dir| dir.join(PODMAN_OF_USER));
    let of_user = of_user.as_deref().and_then(Path::to_str);
    SOCKETS
        .into_iter()
        .chain(of_user)
        .map(str::to_owned)
        .collect()
}

impl Daemon {
    fn of(version: SystemVersion) -> Self {
        let host = Platform::host();
        let components = version.components.unwrap_or_default();
        Self {
            platform: Platform {
                os: version.os.unwrap_or(host.os),
                architecture: version.arch.unwrap_or(host.architecture),
            },
            is_podman: components.iter().any(|one| one.name.contains("Podman")),
        }
    }
}

fn is_unix(host: &str) -> bool {
    !host.contains("://") || host.starts_with("unix://")
}

fn client(host: &str, version: &ClientVersion) -> Result<bollard::Docker, bollard::errors::Error> {
    let api = match is_unix(host) {
        true => bollard::Docker::connect_with_unix(host, ANSWER_TIMEOUT_S, version)?,
        false => bollard::Docker::connect_with_host(host)?,
    };
    // Daemons read the alphabet for URLs, the library writes the other one: a password that
    // needs either character would be dropped silently.
    Ok(api.with_request_modifier(|mut request| {
        if let Some(header) = request.headers_mut().get_mut(AUTH_HEADER) {
            let text = header.to_str().unwrap_or_default();
            let text = text.replace('+', "-").replace('/', "_");
            if let Ok(mut value) = text.parse() {
                std::mem::swap(header, &mut value);
                header.set_sensitive(true);
            }
        }
        request
    }))
}

/// The newest version that both sides speak.
fn spoken(daemon: &SystemVersion) -> ClientVersion {
    let text = daemon.api_version.as_deref().unwrap_or_default();
    let (major, minor) = text.split_once('.').unwrap_or_default();
    let ours = (
        API_DEFAULT_VERSION.major_version,
        API_DEFAULT_VERSION.minor_version,
    );
    let theirs = major.parse().ok().zip(minor.parse().ok());
    let (major_version, minor_version) = theirs.map_or(ours, |theirs| ours.min(theirs));
    ClientVersion {
        major_version,
        minor_version,
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
        let pulled = pull::pull(self, image, pin, progress).await;
        pulled.map_err(|error| self.credentials.hide(error))
    }

    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, Error> {
        let resolved = pull::resolve(self, image).await;
        resolved.map_err(|error| self.credentials.hide(error))
    }

    async fn import(&self, archive: Bytes, tag: &str) -> Result<Image, Error> {
        pull::import(self, archive, tag).await
    }

    async fn images(&self) -> Result<Vec<Image>, Error> {
        pull::images(self).await
    }

    async fn run(
        &self,
        spec: RunSpec,
        logs: LogSink,
        cancel: CancellationToken,
    ) -> Result<Exit, Error> {
        let ended = run::run(self, spec, logs, cancel).await;
        // What was in use may be too much now.
        drop(pull::tidy(self));
        ended
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
    let containers = settled(|| api.list_containers(Some(options.clone())))
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::Choice;

    #[test]
    fn docker_comes_before_podman_and_what_was_said_before_both() {
        let mut config = Config::new(Choice::Docker, "/nowhere".into());
        assert_eq!(hosts(&config), SOCKETS);
        config.runtime_dir = Some("/run/user/1000".into());
        let found = hosts(&config);
        assert_eq!(found[..2], SOCKETS);
        assert_eq!(found[2..], ["/run/user/1000/podman/podman.sock"]);
        config.docker_host = Some("tcp://127.0.0.1:2375".to_owned());
        assert_eq!(hosts(&config), ["tcp://127.0.0.1:2375"]);
    }

    /// A daemon that gives each connection the next of these answers.
    fn daemon(answers: &'static [&'static str]) -> bollard::Docker {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for body in answers {
                let (mut stream, _) = listener.accept().unwrap();
                assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
                let length = body.len();
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length:";
                write!(stream, "{head} {length}\r\n\r\n{body}").unwrap();
            }
        });
        bollard::Docker::connect_with_http(&host, 10, API_DEFAULT_VERSION).unwrap()
    }

    #[tokio::test]
    async fn a_list_waits_for_the_end_that_podman_is_writing_down() {
        let api = daemon(&[
            r#"[{"Names":["/iexec-a"],"State":"stopped"},{"Names":["/iexec-b"]}]"#,
            r#"[{"Names":["/iexec-a"],"State":"exited"},{"Names":["/iexec-b"]}]"#,
        ]);
        let names = list(&api, "iexec-").await.unwrap();
        assert_eq!(names, ["iexec-a", "iexec-b"]);
    }

    #[tokio::test]
    async fn a_list_that_makes_no_sense_is_an_error_at_once() {
        let api = daemon(&[r#"[{"Names":["/iexec-a"],"State":"asleep"}]"#]);
        let error = list(&api, "iexec-").await.unwrap_err();
        assert!(error.to_string().contains("list containers"), "{error}");
    }

    #[test]
    fn the_older_of_two_versions_is_spoken() {
        for (theirs, minor) in [("1.41", 41), ("1.999", 53), ("", 53)] {
            let version = SystemVersion {
                api_version: Some(theirs.to_owned()),
                ..SystemVersion::default()
            };
            assert_eq!(spoken(&version).minor_version, minor, "{theirs}");
        }
    }
}
