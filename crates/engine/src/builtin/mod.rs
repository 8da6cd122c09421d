//! The engine that needs nothing but Linux.
//!
//! Layout of its directory, all of it its user's alone: `images/<id>/` holds an image's config, its
//! names, its size, its last use and its unpacked root, made once; `blobs/sha256/` holds layers
//! while they are being fetched; `runs/<name>/` holds a container while it runs: its writable
//! layer, its settings,
//! how it ended.

mod bundle;
mod cgroup;
mod complaint;
mod config;
mod gpu;
mod helper;
mod layer;
mod line;
mod link;
mod pull;
mod root;
mod rootless;
mod run;
mod seccomp;
mod shelf;
mod store;
mod tally;
mod user;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, Once};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::archive::Archive;
use crate::running::Running;
use crate::spec::check_name;
use crate::{
    Config, Credentials, Digest, Engine, Error, Exit, Image, ImageRef, LogSink, Pin, ProgressSink,
    Resolved, RunSpec, registry,
};
use bundle::Bundle;
pub use helper::run_bundle_main;
use pull::Puller;
use run::{Remains, blocking};
use store::Store;

/// Containers without a daemon, through libcontainer.
///
/// Same limits, privileges, network and forbidden system calls as with Docker when root runs it;
/// without `ip` and `iptables` no network.
/// For everybody else a container is in a user namespace: it has one user, the one its image
/// names, and no network; its processors are not limited and its memory is measured, unless a
/// control group was delegated to that user. Layers compressed with zstd are not supported.
#[derive(Debug)]
pub struct Builtin {
    store: Arc<Store>,
    credentials: Credentials,
    runs: PathBuf,
    /// Distinguishes our control groups from those of another directory's engine.
    group_prefix: String,
    /// Whether we may make control groups at all.
    is_grouped: bool,
    helper: Vec<OsString>,
    running: Running,
}

impl Builtin {
    /// Prepares the directory of images and containers. One process at a time may use it. Images
    /// stay until somebody removes them.
    ///
    /// `helper` is the command that calls [`run_bundle_main`] with its last argument.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when neither root nor allowed to make user namespaces.
    pub fn new(root_dir: PathBuf, helper: Vec<OsString>) -> Result<Self, Error> {
        Self::prepare(root_dir, helper, Credentials::default(), None, false)
    }

    /// With everything that the configuration says.
    pub(crate) async fn open(config: &Config) -> Result<Self, Error> {
        let (root_dir, helper) = (config.root_dir.clone(), config.helper.clone());
        let credentials = config.credentials.clone();
        let bytes_max = config.cache_bytes_max;
        let builtin = Self::prepare(root_dir, helper, credentials, bytes_max, config.is_guest)?;
        builtin.store.tidy().await;
        Ok(builtin)
    }

    fn prepare(
        root_dir: PathBuf,
        helper: Vec<OsString>,
        credentials: Credentials,
        bytes_max: Option<u64>,
        is_guest: bool,
    ) -> Result<Self, Error> {
        if rootless::is_needed() {
            rootless::check().map_err(|reason| Error::Unavailable { reason })?;
            rootless::warn();
        } else if let Some(reason) = run::lacks_network() {
            warn_of_no_network(&reason);
        }
        let root = std::path::absolute(&root_dir).map_err(Error::io("find", &root_dir))?;
        store::create_private(&root)?;
        let runs = root.join("runs");
        store::create_private(&runs)?;
        let groups = match rootless::is_needed() {
            true => cgroup::delegated(),
            false => Some(String::new()),
        };
        let group_prefix = format!(
            "{}/run-{}-",
            groups.as_deref().unwrap_or_default(),
            &Digest::of(root.as_os_str().as_bytes()).hex()[..8]
        );
        let mut store = Store::open(&root, is_guest)?;
        store.bytes_max = bytes_max;
        Ok(Self {
            store: Arc::new(store),
            credentials,
            runs,
            group_prefix,
            is_grouped: groups.is_some(),
            helper,
            running: Running::default(),
        })
    }

    fn bundle(&self, name: &str) -> Bundle {
        Bundle(self.runs.join(name))
    }

    fn group(&self, name: &str) -> String {
        format!("{}{name}", self.group_prefix)
    }

    async fn find(&self, image: &ImageRef, pin: &Pin) -> Result<Option<Image>, Error> {
        let (store, image, pin) = (Arc::clone(&self.store), image.clone(), *pin);
        blocking(move || store.find(&image, &pin)).await
    }

    async fn known(&self, image: &ImageRef) -> Result<Option<Resolved>, Error> {
        let (store, image) = (Arc::clone(&self.store), image.clone());
        blocking(move || store.resolve(&image)).await
    }

    async fn fetch(
        &self,
        image: &ImageRef,
        digest: Digest,
        progress: &ProgressSink,
    ) -> Result<(), Error> {
        let at = image.at(digest);
        let puller = Puller::new(&at, &self.credentials, progress);
        let found = puller.find(digest).await?;
        let _found = self.store.leases.hold(found.id.to_string()).await;
        let layers = match self.store.contains(found.id) {
            true => None,
            false => Some(puller.layers(&found, &self.store).await?),
        };
        let (store, image) = (Arc::clone(&self.store), image.clone());
        blocking(move || {
            if let Some(layers) = layers {
                unpack(&store, found.id, &found.config, &layers.0)?;
            }
            store.add_name(found.id, &image, Some(digest))
        })
        .await
    }

    /// Makes the image present; it is not removed for others from the moment it is asked for.
    async fn ensure(
        &self,
        image: &ImageRef,
        pin: &Pin,
        progress: &ProgressSink,
    ) -> Result<Image, Error> {
        let at = image.at(pin.digest);
        let _asked = self.store.leases.hold(at.to_string()).await;
        let _local = self.store.leases.hold(pin.digest.to_string()).await;
        if let Some(present) = self.find(image, pin).await? {
            return Ok(self.held(present).await);
        }
        match self.fetch(image, pin.digest, progress).await {
            Ok(()) => {}
            Err(error @ Error::NotFound { .. }) => {
                return Err(self.explain(image, pin, error).await);
            }
            Err(error) => return Err(error),
        }
        let pulled = self.find(image, pin).await?;
        let pulled = pulled.ok_or_else(|| Error::NotFound {
            image: at.to_string(),
        })?;
        let held = self.held(pulled).await;
        let _ = self.tidy().await;
        Ok(held)
    }

    async fn held(&self, image: Image) -> Image {
        let lease = self.store.leases.hold(image.id.to_string()).await;
        self.store.touch(image.id);
        Image { lease, ..image }
    }

    /// Makes room. Goes on to its end when nobody waits for it.
    fn tidy(&self) -> JoinHandle<()> {
        let store = Arc::clone(&self.store);
        tokio::spawn(async move { store.tidy().await })
    }

    /// When the digest is nowhere, says what stands under the name instead.
    async fn explain(&self, image: &ImageRef, pin: &Pin, error: Error) -> Error {
        let found = match self.known(image).await {
            Ok(Some(known)) => known.digest.or(known.image_id),
            _ => {
                let asked = registry::manifest_digest(image, &self.credentials);
                asked.await.ok()
            }
        };
        match found {
            Some(found) if found != pin.digest => Error::DigestMismatch {
                image: image.to_string(),
                expected: pin.digest,
                found,
            },
            _ => error,
        }
    }
}

/// Once: engines are made for each of several workers.
fn warn_of_no_network(reason: &str) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::warn!(reason, "containers have no network"));
}

fn unpack(store: &Store, id: Digest, config: &[u8], layers: &[PathBuf]) -> Result<(), Error> {
    let parsed = config::ImageConfig::parse(config)?;
    store.install(id, config, |root, budget| {
        for (path, diff_id) in layers.iter().zip(&parsed.diff_ids) {
            let file = File::open(path).map_err(Error::io("open", path))?;
            layer::apply(file, *diff_id, root, budget)?;
        }
        Ok(())
    })
}

#[async_trait]
impl Engine for Builtin {
    fn name(&self) -> &'static str {
        "builtin"
    }

    fn lacks_network(&self) -> Option<String> {
        run::lacks_network()
    }

    async fn pull(
        &self,
        image: &ImageRef,
        pin: &Pin,
        progress: &ProgressSink,
    ) -> Result<Image, Error> {
        let pulled = self.ensure(image, pin, progress).await;
        pulled.map_err(|error| self.credentials.hide(error))
    }

    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, Error> {
        match self.known(image).await? {
            Some(resolved) => Ok(resolved),
            None => {
                let asked = registry::manifest_digest(image, &self.credentials).await;
                let digest = asked.map_err(|error| self.credentials.hide(error))?;
                Ok(Resolved {
                    digest: Some(digest),
                    image_id: None,
                })
            }
        }
    }

    async fn import(&self, archive: Bytes, tag: &str) -> Result<Image, Error> {
        let reference = ImageRef::parse(tag)?;
        let archive = blocking(move || Archive::parse(archive)).await?;
        let _here = self.store.leases.hold(archive.id().to_string()).await;
        let store = Arc::clone(&self.store);
        let image = blocking(move || store.import(&archive, &reference)).await?;
        Ok(self.held(image).await)
    }

    async fn images(&self) -> Result<Vec<Image>, Error> {
        let store = Arc::clone(&self.store);
        blocking(move || store.known_images()).await
    }

    async fn run(
        &self,
        spec: RunSpec,
        logs: LogSink,
        cancel: CancellationToken,
    ) -> Result<Exit, Error> {
        let ended = run::run(self, spec, logs, cancel).await;
        // What was in use may be too much now.
        drop(self.tidy());
        ended
    }

    /// Always None: a container dies with the process that started it. What is left of it is
    /// removed, so that it certainly has ended when this returns.
    async fn adopt(
        &self,
        name: &str,
        _deadline: Duration,
        _logs: LogSink,
        _cancel: CancellationToken,
    ) -> Result<Option<Exit>, Error> {
        self.kill(name).await?;
        Ok(None)
    }

    async fn kill(&self, name: &str) -> Result<(), Error> {
        check_name(name)?;
        self.running.stop(name).await;
        let remains = Remains {
            bundle: self.bundle(name),
            group: self.group(name),
        };
        blocking(move || remains.discard()).await
    }

    async fn sweep(&self, prefix: &str) -> Result<usize, Error> {
        let left = store::list(&self.runs)?
            .into_iter()
            .filter(|name| name.starts_with(prefix));
        let names: BTreeSet<_> = self.running.names(prefix).into_iter().chain(left).collect();
        for name in &names {
            self.kill(name).await?;
        }
        Ok(names.len())
    }
}
