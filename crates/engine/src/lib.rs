//! Running one container with limits: Docker and builtin.
//!
//! A task of a stranger runs on our machine, so one trait decides what it may do and two
//! implementations keep the promise: [`Docker`] talks to a Docker or Podman daemon,
//! [`Builtin`] needs nothing but Linux and root. [`detect`] chooses.
//!
//! Both promise the same, and one contract suite (`tests/contract.rs`) holds them to it:
//!
//! - an image is what its [`Pin`] says and made for this machine, or it is refused;
//! - a container has a memory, process, cpu, disk and log limit and a deadline, a small
//!   capability set, no new privileges, and sees nothing of this process's environment;
//! - the end of a container is an event, never found by polling;
//! - when [`Engine::run`] returns, all its logs were delivered and nothing of it is left.
//!
//! ```no_run
//! # async fn example(pin: engine::Pin) -> Result<(), engine::Error> {
//! use std::time::Duration;
//! use engine::{Choice, Config, ImageRef, ProgressSink, RunSpec};
//!
//! let engine = engine::detect(&Config::new(Choice::Auto, "/var/lib/demo".into())).await?;
//! let image = ImageRef::parse("docker.io/user/app:1.0.0")?;
//! let image = engine.pull(&image, &pin, &ProgressSink::none()).await?;
//! let (logs, mut lines) = engine::log_channel();
//! let spec = RunSpec::new("task-1", image, Duration::from_secs(300));
//! let exit = engine.run(spec, logs, Default::default()).await?;
//! while let Some(chunk) = lines.recv().await {
//!     // all of them: the sink was closed when the container ended
//!     drop(chunk);
//! }
//! assert_eq!(exit.code, 0);
//! # Ok(()) }
//! ```

mod archive;
#[cfg(target_os = "linux")]
mod builtin;
mod cache;
mod credentials;
mod detect;
mod digest;
mod disk;
mod docker;
mod error;
#[cfg(target_os = "linux")]
mod harden;
mod image;
mod log;
mod loopback;
mod network;
mod platform;
mod progress;
mod reference;
mod registry;
mod remove;
mod running;
mod secret;
mod security;
mod spec;
#[cfg(all(feature = "testing", target_os = "linux"))]
pub mod testing;
mod usage;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

#[cfg(target_os = "linux")]
pub use builtin::{Builtin, run_bundle_main};
pub use cache::IMAGES_MAX;
pub use credentials::Credentials;
pub use detect::{Choice, Config, HELPER_SUBCOMMAND, detect};
pub use digest::Digest;
pub use docker::Docker;
pub use error::Error;
#[cfg(target_os = "linux")]
pub use harden::{Hardened, harden, tether};
pub use image::{Image, Pin, Resolved};
pub use log::{LogChunk, LogReader, LogSink, Stream, log_channel};
pub use loopback::Loopback;
pub use progress::{Progress, ProgressSink};
pub use reference::ImageRef;
pub use remove::remove_tree;
pub use secret::Secret;
pub use spec::{Bind, Exit, Limits, Network, Reason, RunSpec};
pub use usage::Usage;

/// What runs containers, so that a worker need not know which engine the machine has.
///
/// Every method may be called concurrently; names of containers are the caller's to keep
/// distinct. Dropping the future of [`Engine::run`] kills the container.
#[async_trait]
pub trait Engine: Send + Sync + Debug {
    /// `docker` or `builtin`: what `network.json` and the logs of a worker say.
    fn name(&self) -> &'static str;

    /// Why containers have no network here whatever is asked for, and what to do about it; none
    /// when they can have one.
    fn lacks_network(&self) -> Option<String> {
        None
    }

    /// Makes the image present and proves that it is the one the pin demands.
    ///
    /// No network is touched when an image with the pinned digest is already here. While the
    /// answer or a clone of it lives, the image is not removed to make room for others.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::DigestMismatch`], [`Error::RegistryUnreachable`],
    /// [`Error::Unauthorized`], [`Error::PlatformMismatch`] are distinct on purpose: they become
    /// distinct failure causes.
    async fn pull(
        &self,
        image: &ImageRef,
        pin: &Pin,
        progress: &ProgressSink,
    ) -> Result<Image, Error>;

    /// What a reference means today: this engine's own images first, then the registry.
    ///
    /// Deploying an application stores the answer on chain as its checksum.
    ///
    /// # Errors
    /// As [`Engine::pull`].
    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, Error>;

    /// Takes an image out of a docker-archive or OCI-layout tar and names it `tag`, so that an
    /// image can be used which no registry has ever seen.
    ///
    /// # Errors
    /// [`Error::BadArchive`] when the tar holds no single image.
    async fn import(&self, archive: Bytes, tag: &str) -> Result<Image, Error>;

    /// Images that are here and need no download, the last used first; at most [`IMAGES_MAX`].
    /// One that nobody has pulled or pushed has no digest.
    ///
    /// # Errors
    /// When the engine does not answer.
    async fn images(&self) -> Result<Vec<Image>, Error> {
        Ok(Vec::new())
    }

    /// Runs one container from creation to removal and tells how it ended.
    ///
    /// An older container of the same name is removed first. Logs flow into `logs` while it
    /// runs and are complete when this returns. `cancel` kills it.
    ///
    /// # Errors
    /// [`Error::CannotStart`] when the image's command cannot be executed, or `RunSpec::loopback`
    /// not be served. A container that started and failed is an `Ok`: see [`Exit`].
    async fn run(
        &self,
        spec: RunSpec,
        logs: LogSink,
        cancel: CancellationToken,
    ) -> Result<Exit, Error>;

    /// Finds again a container that a process before this one started and did not see end, and
    /// waits for its end as [`Engine::run`] does. None when there is none.
    ///
    /// Docker's containers live on, or have ended meanwhile; their output is delivered from its
    /// beginning, or from as far back as a file of `Limits::log_bytes` reaches. Those of the
    /// built-in engine die with their process, so there is none; what is left is removed.
    /// `deadline` counts from this call. A run of this very process by that name is ended first.
    /// Nothing is bound on its loopback: who served there is gone.
    ///
    /// # Errors
    /// When the engine does not answer or loses the container.
    async fn adopt(
        &self,
        name: &str,
        deadline: Duration,
        logs: LogSink,
        cancel: CancellationToken,
    ) -> Result<Option<Exit>, Error>;

    /// Stops and removes the container of that name; fine when there is none.
    ///
    /// # Errors
    /// When the engine does not answer or the container resists.
    async fn kill(&self, name: &str) -> Result<(), Error>;

    /// Removes every container whose name starts with `prefix`, for the leftovers of a process
    /// that was killed; returns how many there were.
    ///
    /// # Errors
    /// As [`Engine::kill`].
    async fn sweep(&self, prefix: &str) -> Result<usize, Error>;
}
