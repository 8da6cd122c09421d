//! The thread that talks to the collector.

use std::{
    sync::{Mutex, PoisonError, mpsc as blocking},
    thread,
    time::Duration,
};

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanExporter as _},
};
use tokio::sync::{mpsc, oneshot};

use crate::{Error, Traces};

/// Spans in one request: well below the megabytes that collectors take.
pub const BATCH_MAX: usize = 512;
/// Time for one request; a collector that needs longer is as good as away.
const REQUEST_S: u64 = 5;

/// Where spans go by the endpoint's convention.
const PATH: &str = "/v1/traces";

pub(crate) fn exporter(service: &str, endpoint: &str) -> Result<SpanExporter, Error> {
    let endpoint = format!("{}{PATH}", endpoint.trim_end_matches('/'));
    let builder = SpanExporter::builder().with_http();
    let mut exporter = builder
        .with_endpoint(endpoint)
        .with_timeout(Duration::from_secs(REQUEST_S))
        .build()?;
    let resource = Resource::builder_empty()
        .with_service_name(service.to_owned())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    exporter.set_resource(&resource);
    Ok(exporter)
}

/// The way to end the thread.
#[derive(Debug)]
pub(crate) struct End {
    wish: Mutex<Option<oneshot::Sender<()>>>,
    ended: Mutex<blocking::Receiver<()>>,
}

impl End {
    /// Returns when everything is sent, or after `patience`.
    pub(crate) fn finish(&self, patience: Duration) {
        let wish = self.wish.lock();
        drop(wish.unwrap_or_else(PoisonError::into_inner).take());
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing comes but the end of the sender.
        let _ = ended.recv_timeout(patience);
    }
}

pub(crate) fn spawn(
    exporter: SpanExporter,
    waiting: mpsc::Receiver<SpanData>,
    traces: Traces,
) -> Result<End, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (wish, wished) = oneshot::channel();
    let (ending, ended) = blocking::channel();
    thread::Builder::new()
        .name("traces".into())
        .spawn(move || {
            runtime.block_on(send_all(exporter, waiting, wished, &traces));
            drop(ending);
        })?;
    Ok(End {
        wish: Mutex::new(Some(wish)),
        ended: Mutex::new(ended),
    })
}

/// Sends what waits as one request, again and again: the slower the collector, the larger they
/// are.
async fn send_all(
    exporter: SpanExporter,
    mut waiting: mpsc::Receiver<SpanData>,
    mut wished: oneshot::Receiver<()>,
    traces: &Traces,
) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    let mut is_away = false;
    loop {
        tokio::select! {
            biased;
            _ = waiting.recv_many(&mut batch, BATCH_MAX) => {}
            _ = &mut wished => return,
        }
        let count = batch.len();
        if count == 0 {
            return;
        }
        let sent = exporter.export(std::mem::take(&mut batch)).await;
        if let Err(error) = &sent {
            traces.drop_spans(count);
            // Once for each time that it goes away.
            if !is_away {
                tracing::warn!(%error, "the trace collector takes no spans; they are dropped");
            }
        }
        is_away = sent.is_err();
    }
}
