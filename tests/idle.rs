//! An engine that runs nothing: for what is about everything but the containers.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use engine::{
    Digest, Engine, Error, Exit, Image, ImageRef, LogSink, Pin, ProgressSink, Reason, Resolved,
    RunSpec,
};
use protocol::environment;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Every image is there, and every run is over at once, or as soon as the test says so.
#[derive(Debug)]
pub struct Idle {
    runs: watch::Sender<Runs>,
    trouble: Option<Trouble>,
}

/// What goes wrong instead of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The image that was pulled is not there any more.
    ImageGone,
    /// The worker cannot write to the task's folder any more.
    FolderFull,
}

#[derive(Clone, Copy, Debug, Default)]
struct Runs {
    may_end: bool,
    now: usize,
    most: usize,
}

impl Default for Idle {
    fn default() -> Self {
        let idle = Self::held();
        idle.release();
        idle
    }
}

impl Idle {
    /// No run ends before [`Idle::release`].
    pub fn held() -> Self {
        Self {
            runs: watch::channel(Runs::default()).0,
            trouble: None,
        }
    }

    /// Every run meets with this.
    pub fn with(trouble: Trouble) -> Self {
        Self {
            trouble: Some(trouble),
            ..Self::default()
        }
    }

    /// Every run ends, and those to come do so at once.
    pub fn release(&self) {
        self.runs.send_modify(|runs| runs.may_end = true);
    }

    /// Returns when so many run at the same time.
    pub async fn running(&self, count: usize) {
        // The sender is ours.
        let _ = self.runs.subscribe().wait_for(|r| r.now >= count).await;
    }

    /// How many have run at the same time.
    pub fn most(&self) -> usize {
        self.runs.borrow().most
    }

    async fn wait(&self, cancel: &CancellationToken) {
        let mut seen = self.runs.subscribe();
        self.runs.send_modify(|runs| {
            runs.now += 1;
            runs.most = runs.most.max(runs.now);
        });
        tokio::select! {
            _ = seen.wait_for(|runs| runs.may_end) => {}
            () = cancel.cancelled() => {}
        }
        self.runs.send_modify(|runs| runs.now -= 1);
    }
}

#[async_trait]
impl Engine for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    async fn pull(&self, image: &ImageRef, pin: &Pin, _: &ProgressSink) -> Result<Image, Error> {
        Ok(Image::new(image.clone(), pin.digest, None))
    }

    async fn resolve(&self, _: &ImageRef) -> Result<Resolved, Error> {
        Ok(Resolved {
            digest: None,
            image_id: None,
        })
    }

    async fn import(&self, archive: Bytes, tag: &str) -> Result<Image, Error> {
        let id = Digest::of(&archive);
        Ok(Image::new(ImageRef::parse(tag)?, id, None))
    }

    async fn run(
        &self,
        spec: RunSpec,
        _: LogSink,
        cancel: CancellationToken,
    ) -> Result<Exit, Error> {
        self.wait(&cancel).await;
        if self.trouble == Some(Trouble::ImageGone) {
            let image = spec.image.reference.to_string();
            return Err(Error::NotFound { image });
        }
        let mut binds = spec.binds.iter();
        let out = binds.find(|b| b.container == Path::new(environment::OUT));
        if let Some(bind) = out {
            let declared = r#"{"deterministic-output-path":"/iexec_out/x"}"#;
            let written = std::fs::write(bind.host.join("x"), "x")
                .and_then(|()| std::fs::write(bind.host.join("computed.json"), declared));
            let written = match self.trouble {
                Some(Trouble::FolderFull) => written.and_then(|()| block_journal(&bind.host)),
                _ => written,
            };
            if let Err(error) = written {
                tracing::warn!(%error, "a result is not written");
            }
        }
        let reason = match cancel.is_cancelled() {
            true => Reason::Cancelled,
            false => Reason::Exited,
        };
        Ok(Exit {
            code: 0,
            reason,
            log_bytes_dropped: 0,
            usage: engine::Usage::default(),
        })
    }

    async fn adopt(
        &self,
        _: &str,
        _: Duration,
        _: LogSink,
        _: CancellationToken,
    ) -> Result<Option<Exit>, Error> {
        Ok(None)
    }

    async fn kill(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn sweep(&self, _: &str) -> Result<usize, Error> {
        Ok(0)
    }
}

/// The journal is written to a file of this name first, beside the folder of the output.
fn block_journal(out: &Path) -> std::io::Result<()> {
    let task = out.ancestors().nth(2).unwrap_or(out);
    std::fs::create_dir(task.join("replicate.new"))
}
