//! An engine whose runs all have a secret, to hold those to the same contract.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::{
    Engine, Error, Exit, Image, ImageRef, LogSink, Pin, ProgressSink, Resolved, RunSpec, Secret,
};
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub(crate) struct WithSecret(pub(crate) Arc<dyn Engine>);

#[async_trait::async_trait]
impl Engine for WithSecret {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn pull(
        &self,
        image: &ImageRef,
        pin: &Pin,
        progress: &ProgressSink,
    ) -> Result<Image, Error> {
        self.0.pull(image, pin, progress).await
    }

    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, Error> {
        self.0.resolve(image).await
    }

    async fn import(&self, archive: Bytes, tag: &str) -> Result<Image, Error> {
        self.0.import(archive, tag).await
    }

    async fn run(
        &self,
        mut spec: RunSpec,
        logs: LogSink,
        cancel: CancellationToken,
    ) -> Result<Exit, Error> {
        let value = Secret::new("canary".to_owned());
        spec.secrets.push(("SECRET".to_owned(), value));
        self.0.run(spec, logs, cancel).await
    }

    async fn adopt(
        &self,
        name: &str,
        deadline: Duration,
        logs: LogSink,
        cancel: CancellationToken,
    ) -> Result<Option<Exit>, Error> {
        self.0.adopt(name, deadline, logs, cancel).await
    }

    async fn kill(&self, name: &str) -> Result<(), Error> {
        self.0.kill(name).await
    }

    async fn sweep(&self, prefix: &str) -> Result<usize, Error> {
        self.0.sweep(prefix).await
    }
}
