//! The spans of one task, from pool and worker, as a collector gets them.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use anyhow::{Context as _, Result, ensure};
use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use iexec_tests::{
    app::Image,
    cast::{Ask, Cast},
    idle::Idle,
};
use network::Network;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value, trace::v1::Span,
};
use prost::Message as _;
use protocol::{B256, TaskId};
use tokio::{net::TcpListener, sync::watch};
use traces::Traces;
use tracing_subscriber::layer::SubscriberExt as _;

/// What happens to a task that goes the long way, below its root.
const STEPS: [(&str, &str); 9] = [
    ("pool", "assign"),
    ("pool", "finalize"),
    ("pool", "initialize"),
    ("worker", "contribute"),
    ("worker", "download"),
    ("worker", "pull"),
    ("worker", "reveal"),
    ("worker", "run"),
    ("worker", "upload"),
];

/// What takes spans of traces.
#[derive(Clone)]
struct Collector {
    requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    count: Arc<watch::Sender<usize>>,
}

impl Collector {
    async fn start() -> Result<(Self, String)> {
        provide_tls();
        let collector = Self {
            requests: Arc::default(),
            count: Arc::new(watch::channel(0).0),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().route("/v1/traces", post(take));
        let served = axum::serve(listener, router.with_state(collector.clone()));
        tokio::spawn(served.into_future());
        Ok((collector, url))
    }

    /// Spans of one trace, as soon as its root has ended.
    async fn trace(&self, task: TaskId) -> Result<Vec<Span>> {
        let mut count = self.count.subscribe();
        loop {
            let spans = self.spans_of(task);
            if spans.iter().any(|span| span.name == "task") && has_all(&spans) {
                return Ok(spans);
            }
            count.changed().await?;
        }
    }

    fn spans_of(&self, task: TaskId) -> Vec<Span> {
        let requests = self.requests.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        let spans = scopes.flat_map(|scope| &scope.spans);
        let ours = spans.filter(|span| span.trace_id == task.0[..16]);
        ours.cloned().collect()
    }
}

/// The HTTP client wants one, as in `main`; another test may have been first.
fn provide_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

async fn take(State(collector): State<Collector>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    collector.requests.lock().unwrap().push(request);
    collector.count.send_modify(|count| *count += 1);
    StatusCode::OK
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|a| a.key == key)?;
    match found.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn steps(spans: &[Span]) -> BTreeSet<(String, String)> {
    let below = spans.iter().filter(|span| span.name != "task");
    let step = |span: &Span| {
        (
            attribute(span, "role").unwrap_or_default(),
            span.name.clone(),
        )
    };
    below.map(step).collect()
}

fn has_all(spans: &[Span]) -> bool {
    let steps = steps(spans);
    let mut wanted = STEPS.iter();
    wanted.all(|(role, name)| steps.contains(&((*role).to_owned(), (*name).to_owned())))
}

/// A deal of two tasks makes two traces, each with the steps of pool and worker below its root.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tasks_steps_in_pool_and_worker_are_one_trace() -> Result<()> {
    let (collector, url) = Collector::start().await?;
    let traces = Traces::default();
    traces.start("iexec", &url)?;
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    tracing::subscriber::set_global_default(subscriber)?;

    let folder = tempfile::tempdir()?;
    let network = Network::builder(folder.path())
        .port(0)
        .own_engine(Arc::new(Idle::default()))
        .workers(1)
        .finalizes_at_once(false);
    let network = network.start().await?;
    let cast = Cast::local(network.info(), network.engine().clone()).await?;
    let image = Image {
        name: "idle:1".into(),
        checksum: B256::repeat_byte(1),
    };
    let ask = Ask {
        volume: 2,
        ..Ask::default()
    };
    let deal = cast
        .deal(image.deploy(&cast.developer).await?, &ask)
        .await?;
    for task in &deal.tasks {
        let spans = collector.trace(*task).await?;
        check(*task, &spans)?;
    }
    network.stop().await;
    traces.finish();
    assert_eq!(traces.dropped(), 0);
    Ok(())
}

fn check(task: TaskId, spans: &[Span]) -> Result<()> {
    let root = spans.iter().find(|span| span.name == "task");
    let root = root.context("no root")?;
    assert_eq!(root.span_id, task.0[16..24]);
    ensure!(
        root.parent_span_id.is_empty(),
        "the root is below something"
    );
    let mut ids = BTreeSet::new();
    for span in spans {
        assert_eq!(attribute(span, "iexec.task"), Some(task.to_string()));
        ensure!(ids.insert(&span.span_id), "two spans with one id");
        ensure!(span.start_time_unix_nano <= span.end_time_unix_nano);
        if span.name != "task" {
            assert_eq!(span.parent_span_id, root.span_id, "{}", span.name);
        }
    }
    let expected: BTreeSet<_> = STEPS.map(|(r, n)| (r.to_owned(), n.to_owned())).into();
    assert_eq!(steps(spans), expected);
    Ok(())
}

/// A collector that takes connections and never answers: who makes spans does not notice, what
/// does not fit is counted, and the end does not wait for it.
#[tokio::test]
async fn a_collector_that_hangs_costs_spans_and_nothing_else() -> Result<()> {
    const SPANS: u64 = 40_000;
    provide_tls();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let traces = Traces::default();
    traces.start("iexec-pool", &url)?;
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    let task = TaskId::repeat(7);
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..SPANS {
            drop(tracing::trace_span!(target: traces::TARGET, "run", task = %task));
        }
    });
    let kept = traces::WAITING_MAX as u64 + traces::BATCH_MAX as u64;
    let dropped = traces.dropped();
    ensure!(dropped >= SPANS - kept, "only {dropped} are counted");
    traces.finish();
    drop(listener);
    Ok(())
}
