//! From `tracing` spans to those of a task's trace.

use std::{borrow::Cow, fmt, time::SystemTime};

use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use protocol::B256;
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use crate::{Traces, ids};

/// Whose span it is.
const TASK: &str = "task";
/// Why the step of a span failed.
const FAILURE: &str = "failure";
/// A span with this field is the one that all others of the task are below.
const ROOT: &str = "root";

pub(crate) struct TaskLayer {
    traces: Traces,
    scope: InstrumentationScope,
}

impl TaskLayer {
    pub(crate) fn new(traces: Traces) -> Self {
        let scope = InstrumentationScope::builder("iexec").build();
        Self { traces, scope }
    }

    fn data(&self, name: &'static str, open: Open, task: &B256) -> SpanData {
        let (trace, root) = ids(task);
        let (span, parent) = match open.fields.is_root {
            true => (root, SpanId::INVALID),
            false => (
                SpanId::from_bytes(rand::random::<u64>().max(1).to_be_bytes()),
                root,
            ),
        };
        let (flags, state) = (TraceFlags::SAMPLED, TraceState::default());
        SpanData {
            span_context: SpanContext::new(trace, span, flags, false, state),
            parent_span_id: parent,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: Cow::Borrowed(name),
            start_time: open.start,
            end_time: SystemTime::now(),
            attributes: open.fields.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: open.fields.failure.map_or(Status::Unset, Status::error),
            instrumentation_scope: self.scope.clone(),
        }
    }
}

/// A span that has not ended.
struct Open {
    start: SystemTime,
    fields: Fields,
}

#[derive(Default)]
struct Fields {
    task: Option<B256>,
    is_root: bool,
    failure: Option<String>,
    attributes: Vec<KeyValue>,
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            ROOT => self.is_root = value,
            name => self.attributes.push(KeyValue::new(name, value)),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.attributes.push(KeyValue::new(field.name(), value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            FAILURE => self.failure = Some(value.to_owned()),
            TASK => {
                self.task = value.parse().ok();
                let value = value.to_owned();
                self.attributes.push(KeyValue::new("iexec.task", value));
            }
            name => self.attributes.push(KeyValue::new(name, value.to_owned())),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl<S> Layer<S> for TaskLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id).filter(|_| fields.task.is_some()) {
            let start = SystemTime::now();
            span.extensions_mut().insert(Open { start, fields });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else {
            return;
        };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            values.record(&mut open.fields);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else {
            return;
        };
        let open = span.extensions_mut().remove::<Open>();
        let Some(open) = open else { return };
        let Some(task) = open.fields.task else { return };
        self.traces.send(|| self.data(span.name(), open, &task));
    }
}
