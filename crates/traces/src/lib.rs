//! One task across roles as an OpenTelemetry trace, sent to a collector over OTLP/HTTP.
//!
//! The roles open `tracing` spans of the target [`TARGET`] that name their task; nothing of this
//! is on the wire between them. Trace and root span follow from the task's id alone ([`ids`]), so
//! the spans of pools and workers that know nothing of each other come together in the collector.
//!
//! Nothing here makes a role wait: spans go into a bounded queue, a thread of its own sends what
//! is there, and what finds the queue full or the collector away is counted and forgotten.

mod export;
mod layer;

pub use export::BATCH_MAX;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::SpanData;
use protocol::B256;
use tokio::sync::mpsc;
use tracing::{Level, Subscriber};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// The target of spans that belong to a task.
pub const TARGET: &str = "task";
/// Spans waiting for the collector: a bag of a thousand tasks has about ten thousand.
pub const WAITING_MAX: usize = 16_384;
/// How long the end of a role waits for the last spans to go.
pub const FINISH: Duration = Duration::from_secs(2);

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint is no URL, or a variable `OTEL_EXPORTER_OTLP_…` is not understood.
    #[error("the trace collector is not configured right")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The system has no thread for it.
    #[error("traces cannot be sent beside the role")]
    Thread(#[from] std::io::Error),
    /// It was started before.
    #[error("traces are sent already")]
    Started,
}

/// Trace and root span of a task: parts of its id, which is a hash.
pub fn ids(task: &B256) -> (TraceId, SpanId) {
    let (mut trace, mut root) = ([0; 16], [0; 8]);
    trace.copy_from_slice(&task[..16]);
    root.copy_from_slice(&task[16..24]);
    (TraceId::from_bytes(trace), SpanId::from_bytes(root))
}

/// Takes spans from the moment it is made, and sends them once it is started. A cheap clone.
#[derive(Clone, Debug, Default)]
pub struct Traces(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    queue: OnceLock<mpsc::Sender<SpanData>>,
    end: OnceLock<export::End>,
    dropped: AtomicU64,
}

impl Traces {
    /// What a subscriber is to have for it. Without [`Traces::start`] it forgets everything.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let only_tasks = Targets::new().with_target(TARGET, Level::TRACE);
        layer::TaskLayer::new(self.clone()).with_filter(only_tasks)
    }

    /// Sends spans to the collector at `endpoint`, e.g. `http://127.0.0.1:4318`, from here on, as
    /// those of `service`, e.g. `iexec-pool`. The process needs its provider of TLS by then.
    ///
    /// # Errors
    /// [`Error`]; nothing is sent then.
    pub fn start(&self, service: &str, endpoint: &str) -> Result<(), Error> {
        let exporter = export::exporter(service, endpoint)?;
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let end = export::spawn(exporter, waiting, self.clone())?;
        self.0.end.set(end).map_err(|_| Error::Started)?;
        self.0.queue.set(queue).map_err(|_| Error::Started)
    }

    /// Sends what waits; gives up after [`FINISH`].
    pub fn finish(&self) {
        if let Some(end) = self.0.end.get() {
            end.finish(FINISH);
        }
        let dropped = self.dropped();
        if dropped > 0 {
            tracing::warn!(dropped, "spans did not reach the trace collector");
        }
    }

    /// Spans that found the queue full or the collector away.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    fn drop_spans(&self, count: usize) {
        self.0.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn send(&self, span: impl FnOnce() -> SpanData) {
        let Some(queue) = self.0.queue.get() else {
            return;
        };
        match queue.try_reserve() {
            Ok(place) => place.send(span()),
            Err(_) => self.drop_spans(1),
        }
    }
}
