//! Which engine this machine can offer.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Credentials, Docker, Engine, Error};

/// The first argument by which a program becomes the built-in engine's helper; it then calls
/// `run_bundle_main` with the second one, before it has a second thread.
pub const HELPER_SUBCOMMAND: &str = "__run-bundle";

/// Which engine is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// Docker or Podman when a socket answers, else builtin.
    #[default]
    Auto,
    /// A Docker or Podman daemon, nothing else.
    Docker,
    /// Our own, nothing else.
    Builtin,
}

/// What [`detect`] needs to know; whoever has a command line and an environment fills it in.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which engine is wanted.
    pub choice: Choice,
    /// The value of `DOCKER_HOST`, where set.
    pub docker_host: Option<String>,
    /// The user's folder for what lives as long as the session, `XDG_RUNTIME_DIR`: a Podman that
    /// is not root's listens there.
    pub runtime_dir: Option<PathBuf>,
    /// Where the built-in engine keeps its images and running containers, and Docker the list of
    /// images that were pulled and what starts programs with secrets.
    pub root_dir: PathBuf,
    /// Who we are at registries that do not serve everybody.
    pub credentials: Credentials,
    /// How many bytes of images that were pulled are kept; all without a limit. Those in use
    /// stay, and so does what somebody else has put there.
    pub cache_bytes_max: Option<u64>,
    /// Another process of this program looks after the images: what it is fetching at this moment
    /// is left alone. A guest should bring no images of its own.
    pub is_guest: bool,
    /// The command that calls `run_bundle_main` with one more argument, the directory: this
    /// program's path and a hidden subcommand.
    pub helper: Vec<OsString>,
}

impl Config {
    /// The usual sockets, and this very program as helper: `<program> __run-bundle DIR`.
    #[must_use]
    pub fn new(choice: Choice, root_dir: PathBuf) -> Self {
        // Names the running program even after its file was replaced.
        let program = OsString::from("/proc/self/exe");
        let helper = vec![program, HELPER_SUBCOMMAND.into()];
        Self {
            choice,
            docker_host: None,
            runtime_dir: None,
            root_dir,
            credentials: Credentials::default(),
            cache_bytes_max: None,
            is_guest: false,
            helper,
        }
    }
}

/// The wanted engine, or the best there is.
///
/// # Errors
/// [`Error::Unavailable`] with what to do about it.
pub async fn detect(config: &Config) -> Result<Arc<dyn Engine>, Error> {
    match config.choice {
        Choice::Docker => docker(config).await,
        Choice::Builtin => builtin(config).await,
        Choice::Auto => match docker(config).await {
            Ok(docker) => Ok(docker),
            Err(reason) => {
                tracing::debug!(%reason, "using the built-in engine");
                builtin(config).await
            }
        },
    }
}

async fn docker(config: &Config) -> Result<Arc<dyn Engine>, Error> {
    Ok(Arc::new(Docker::open(config).await?))
}

#[cfg(target_os = "linux")]
async fn builtin(config: &Config) -> Result<Arc<dyn Engine>, Error> {
    Ok(Arc::new(crate::Builtin::open(config).await?))
}

#[cfg(not(target_os = "linux"))]
async fn builtin(_config: &Config) -> Result<Arc<dyn Engine>, Error> {
    let reason = "the built-in engine needs Linux; start Docker".to_owned();
    Err(Error::Unavailable { reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_daemon_is_named_with_the_remedy() {
        let mut config = Config::new(Choice::Docker, "/nowhere".into());
        config.docker_host = Some("unix:///nowhere/docker.sock".to_owned());
        let error = detect(&config).await.unwrap_err().to_string();
        assert!(
            error.contains("DOCKER_HOST") && error.contains("/nowhere/docker.sock"),
            "{error}"
        );
    }
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn without_daemon_everybody_gets_the_built_in_engine() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::new(Choice::Auto, dir.path().join("engine"));
        config.docker_host = Some("/nowhere/docker.sock".to_owned());
        let detected = detect(&config).await;
        // Others need namespaces of users, which a machine may forbid.
        match detected {
            Err(error) if !rustix::process::geteuid().is_root() => {
                assert!(error.to_string().contains("needs root"), "{error}");
            }
            detected => assert_eq!(detected.unwrap().name(), "builtin"),
        }
    }
}
