//! A bag of a thousand tasks from end to end, with an engine that runs nothing: what is measured is
//! everything but the containers.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use engine::{
    Choice, Digest, Engine, Error, Exit, Image, ImageRef, LogSink, Pin, ProgressSink, Reason,
    Resolved, RunSpec,
};
use iexec_tests::cast::{Ask, Cast};
use network::Network;
use protocol::{B256, environment};
use tokio_util::sync::CancellationToken;

use crate::{
    stats::{line, say},
    task::deploy,
};

/// Tasks of the bag.
const TASKS: u64 = 1_000;
/// Workers, and tasks each runs at once.
const WORKERS: u32 = 8;
const SLOTS: u32 = 16;

/// Every image is there, and every run is over at once.
#[derive(Debug)]
struct Idle;

#[async_trait]
impl Engine for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    async fn pull(&self, image: &ImageRef, pin: &Pin, _: &ProgressSink) -> Result<Image, Error> {
        Ok(Image {
            reference: image.clone(),
            id: pin.digest,
            digest: None,
        })
    }

    async fn resolve(&self, _: &ImageRef) -> Result<Resolved, Error> {
        Ok(Resolved {
            digest: None,
            image_id: None,
        })
    }

    async fn import(&self, archive: Bytes, tag: &str) -> Result<Image, Error> {
        Ok(Image {
            reference: ImageRef::parse(tag)?,
            id: Digest::of(&archive),
            digest: None,
        })
    }

    async fn run(&self, spec: RunSpec, _: LogSink, _: CancellationToken) -> Result<Exit, Error> {
        let mut binds = spec.binds.iter();
        let out = binds.find(|b| b.container == Path::new(environment::OUT));
        if let Some(bind) = out {
            let declared = r#"{"deterministic-output-path":"/iexec_out/x"}"#;
            let written = std::fs::write(bind.host.join("x"), "x")
                .and_then(|()| std::fs::write(bind.host.join("computed.json"), declared));
            if let Err(error) = written {
                say(&format!("a result is not written: {error}"));
            }
        }
        Ok(Exit {
            code: 0,
            reason: Reason::Exited,
            log_bytes_dropped: 0,
        })
    }

    async fn kill(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn sweep(&self, _: &str) -> Result<usize, Error> {
        Ok(0)
    }
}

/// Prints the time of the bag at trust 1 and at trust 3.
pub(crate) async fn measure() -> anyhow::Result<()> {
    for trust in [1, 3] {
        let folder = tempfile::tempdir()?;
        let network = Network::builder(folder.path())
            .port(0)
            .engine(Choice::Builtin)
            .own_engine(Arc::new(Idle))
            .workers(WORKERS)
            .slots(SLOTS);
        let network = network.start().await?;
        let cast = Cast::local(network.info(), network.engine().clone()).await?;
        let app = deploy(&cast, B256::repeat_byte(1)).await?;
        let ask = Ask {
            volume: TASKS,
            trust,
            ..Ask::default()
        };
        let deal = cast.deal(app, &ask).await?;
        cast.completed(&deal, TASKS as usize).await?;
        let label = format!("bag of {TASKS} tasks that run nothing, trust {trust}");
        line(&label, deal.matched.elapsed(), None);
        network.stop().await;
    }
    Ok(())
}
