//! The life of a task and the pool's steps in it as spans, for traces (docs/operators.md). They
//! name their task, which is all that joins them with those of the workers. Where nobody wants
//! traces, a span costs a comparison.

use std::collections::HashMap;

use protocol::TaskId;
use tracing::Span;

use crate::machine::Notice;

/// A step of a task, from here until it is dropped. The level keeps it out of logs.
macro_rules! step {
    ($task:expr, $name:literal $(, $key:ident = $value:expr)*) => {
        tracing::trace_span!(
            target: "task",
            $name,
            task = %$task,
            role = "pool",
            failure = tracing::field::Empty
            $(, $key = $value)*
        )
    };
}

pub(crate) use step;

/// What a failed transaction leaves in the span of each step that it was to make.
pub(crate) fn note_failure(steps: &[Span], error: &dyn std::fmt::Display) {
    for step in steps {
        step.record("failure", tracing::field::display(error));
    }
}

/// The whole life of each open task: all other spans of the task, also those of its workers, are
/// below this one.
#[derive(Debug, Default)]
pub(crate) struct Lives(HashMap<TaskId, Span>);

impl Lives {
    /// Begins with the first news of a task and ends with the last.
    pub(crate) fn follow(&mut self, notice: &Notice) {
        let id = notice.task;
        if !notice.stage.is_final() {
            let begin = || step!(id, "task", root = true);
            self.0.entry(id).or_insert_with(begin);
        } else if let (Some(span), Some(failure)) = (self.0.remove(&id), &notice.failure) {
            span.record("failure", failure.cause.code());
        }
    }
}
