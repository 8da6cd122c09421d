//! What every test of the contract needs: an engine, an image, names of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::with_secret::WithSecret;
use engine::testing::{self, Registry, TestImage, busybox};
use engine::{Choice, Config, Engine, Exit, Image, LogChunk, RunSpec, Stream, log_channel};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Where the built-in engine keeps its things, when another process shall look there.
pub(crate) const ROOT_DIR: &str = "ENGINE_CONTRACT_ROOT_DIR";

/// Nothing here takes so long; a test that hangs should say so itself.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) test: &'static str,
    pub(crate) dir: TempDir,
    pub(crate) docker_host: Option<String>,
    names: AtomicU32,
}

/// What a run printed and how it ended.
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) chunks: Vec<LogChunk>,
}

impl Outcome {
    pub(crate) fn stdout(&self) -> String {
        self.text(Stream::Stdout)
    }

    pub(crate) fn stderr(&self) -> String {
        self.text(Stream::Stderr)
    }

    fn text(&self, stream: Stream) -> String {
        let chunks = self.chunks.iter().filter(|chunk| chunk.stream == stream);
        let bytes: Vec<u8> = chunks.flat_map(|chunk| chunk.bytes.to_vec()).collect();
        String::from_utf8(bytes).unwrap()
    }
}

impl World {
    pub(crate) async fn docker(test: &'static str) -> Option<Self> {
        let engine = testing::docker(test).await?;
        Self::new(test, engine, tempfile::tempdir().unwrap())
    }

    pub(crate) async fn podman(test: &'static str) -> Option<Self> {
        let (engine, host) = testing::podman(test).await?;
        let world = Self::new(test, engine, tempfile::tempdir().unwrap())?;
        Some(Self {
            docker_host: Some(host),
            ..world
        })
    }

    pub(crate) async fn builtin(test: &'static str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let root = std::env::var_os(ROOT_DIR).map_or(dir.path().join("engine"), PathBuf::from);
        let engine = testing::builtin(test, &root)?;
        Self::new(test, engine, dir)
    }

    /// The built-in engine of somebody who is not root: runs the test once more as such.
    pub(crate) async fn rootless(test: &'static str) -> Option<Self> {
        if crate::nobody::is_root() {
            crate::nobody::become_nobody(test);
            return None;
        }
        Self::builtin(test).await
    }

    /// Docker, with a secret in each run.
    pub(crate) async fn docker_with_secret(test: &'static str) -> Option<Self> {
        Some(Self::docker(test).await?.with_secret())
    }

    /// Podman, with a secret in each run.
    pub(crate) async fn podman_with_secret(test: &'static str) -> Option<Self> {
        Some(Self::podman(test).await?.with_secret())
    }

    /// The built-in engine, with a secret in each run.
    pub(crate) async fn builtin_with_secret(test: &'static str) -> Option<Self> {
        Some(Self::builtin(test).await?.with_secret())
    }

    fn with_secret(self) -> Self {
        let engine = Arc::new(WithSecret(self.engine));
        Self { engine, ..self }
    }

    fn new(test: &'static str, engine: Arc<dyn Engine>, dir: TempDir) -> Option<Self> {
        match busybox() {
            Ok(_) => Some(Self {
                engine,
                test,
                dir,
                docker_host: None,
                names: AtomicU32::new(0),
            }),
            Err(reason) => {
                testing::skip(test, &reason);
                None
            }
        }
    }

    /// An engine of the same kind as configured, with a folder of this name.
    pub(crate) async fn configured(
        &self,
        folder: &str,
        edit: impl FnOnce(&mut Config),
    ) -> Arc<dyn Engine> {
        let choice = match self.engine.name() {
            "builtin" => Choice::Builtin,
            _ => Choice::Docker,
        };
        let mut config = Config::new(choice, self.dir.path().join(folder));
        config.docker_host = self.docker_host.clone();
        config.helper = testing::helper();
        edit(&mut config);
        engine::detect(&config).await.unwrap()
    }

    /// A container name nobody else uses.
    pub(crate) fn name(&self) -> String {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let test = self.test.replace("::", "-");
        format!("{}-{test}-{number}", std::process::id())
    }

    pub(crate) fn busybox(&self) -> TestImage {
        busybox().unwrap()
    }

    pub(crate) fn registry(&self) -> Option<Registry> {
        Registry::start()
            .map_err(|reason| testing::skip(self.test, &reason))
            .ok()
    }

    /// Imports under a name of this test's own.
    pub(crate) async fn import(&self, image: &TestImage) -> Image {
        let tag = format!("contract/{}:1", self.test.rsplit("::").next().unwrap());
        self.engine
            .import(image.archive().unwrap(), &tag)
            .await
            .unwrap()
    }

    /// A run of this script in the plain image.
    pub(crate) async fn script(&self, script: &str) -> RunSpec {
        let image = self.import(&self.busybox()).await;
        let mut spec = RunSpec::new(self.name(), image, DEADLINE);
        spec.args = vec![script.to_owned()];
        spec
    }

    pub(crate) async fn run(&self, spec: RunSpec) -> Outcome {
        let (logs, mut reader) = log_channel();
        let exit = self
            .engine
            .run(spec, logs, CancellationToken::new())
            .await
            .unwrap();
        let mut chunks = Vec::new();
        while let Some(chunk) = reader.recv().await {
            chunks.push(chunk);
        }
        Outcome { exit, chunks }
    }

    pub(crate) async fn run_image(&self, image: &TestImage, args: &[&str]) -> Outcome {
        let mut spec = RunSpec::new(self.name(), self.import(image).await, DEADLINE);
        spec.args = args.iter().map(|&arg| arg.to_owned()).collect();
        self.run(spec).await
    }

    /// Whether a container of that name could be swept now.
    pub(crate) async fn exists(&self, name: &str) -> bool {
        self.engine.sweep(name).await.unwrap() > 0
    }
}
