//! Workers that tests add to a network: honest ones, and some that lie about what the app wrote.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Result;
use async_trait::async_trait;
use bytes::Bytes;
use chain::{Actor, Hub};
use engine::{Engine, Error, Exit, Image, ImageRef, LogSink, Pin, ProgressSink, Resolved, RunSpec};
use network::{Info, Role, local_wallet};
use protocol::{Address, environment};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// An engine that adds a word to every file of the app's output.
#[derive(Debug)]
pub struct Lying {
    engine: Arc<dyn Engine>,
    word: String,
}

impl Lying {
    /// `engine`, with `word` added to what apps write.
    pub fn over(engine: Arc<dyn Engine>, word: &str) -> Arc<dyn Engine> {
        let word = word.to_owned();
        Arc::new(Self { engine, word })
    }

    fn lie(&self, out: &Path) -> std::io::Result<()> {
        for entry in std::fs::read_dir(out)?.flatten() {
            let is_plain = entry.file_type()?.is_file();
            if is_plain && entry.file_name() != protocol::computed::FILE_NAME {
                let mut bytes = std::fs::read(entry.path())?;
                bytes.extend_from_slice(self.word.as_bytes());
                std::fs::write(entry.path(), bytes)?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Engine for Lying {
    fn name(&self) -> &'static str {
        self.engine.name()
    }

    async fn pull(
        &self,
        image: &ImageRef,
        pin: &Pin,
        progress: &ProgressSink,
    ) -> Result<Image, Error> {
        self.engine.pull(image, pin, progress).await
    }

    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, Error> {
        self.engine.resolve(image).await
    }

    async fn images(&self) -> Result<Vec<Image>, Error> {
        self.engine.images().await
    }

    async fn import(&self, archive: Bytes, tag: &str) -> Result<Image, Error> {
        self.engine.import(archive, tag).await
    }

    async fn run(
        &self,
        spec: RunSpec,
        logs: LogSink,
        cancel: CancellationToken,
    ) -> Result<Exit, Error> {
        let binds = spec.binds.clone();
        let exit = self.engine.run(spec, logs, cancel).await?;
        let out = binds
            .iter()
            .find(|b| b.container == Path::new(environment::OUT));
        if let Some(bind) = out
            && let Err(error) = self.lie(&bind.host)
        {
            tracing::warn!(%error, "the lie failed");
        }
        Ok(exit)
    }

    async fn adopt(
        &self,
        name: &str,
        deadline: Duration,
        logs: LogSink,
        cancel: CancellationToken,
    ) -> Result<Option<Exit>, Error> {
        self.engine.adopt(name, deadline, logs, cancel).await
    }

    async fn kill(&self, name: &str) -> Result<(), Error> {
        self.engine.kill(name).await
    }

    async fn sweep(&self, prefix: &str) -> Result<usize, Error> {
        self.engine.sweep(prefix).await
    }
}

/// A worker that a test runs beside those of the network.
#[derive(Debug)]
pub struct Extra {
    /// Its wallet's address.
    pub address: Address,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), worker::Error>>,
    _dir: TempDir,
}

/// Tasks at once: more than those of the network, so that it is asked first.
const SLOTS: u32 = 8;

impl Extra {
    /// Worker `number` of the local network, which must not be one of the network's own.
    pub async fn start(info: &Info, number: u32, engine: Arc<dyn Engine>) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let wallet = local_wallet(Role::Worker, number);
        let address = wallet.address();
        let hub = Hub::connect(&info.ws_url, info.hub).await?;
        let folder = dir.path().join("worker");
        let name = format!("extra-{number}");
        let mut config = worker::Config::new(info.pool.clone(), info.workerpool, name, folder);
        config.slots = SLOTS;
        config.allow_local_images = true;
        config.allow_private_inputs = true;
        let service = worker::Service::new(config, Actor::new(hub, wallet), engine)?;
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(service.run(shutdown.clone()));
        Ok(Self {
            address,
            shutdown,
            running,
            _dir: dir,
        })
    }

    /// Ends it in order.
    pub async fn stop(self) -> Result<()> {
        self.shutdown.cancel();
        self.running.await??;
        Ok(())
    }
}
