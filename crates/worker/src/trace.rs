//! The steps of a task as spans, for traces (docs/operators.md). They name their task, which is all
//! that joins them with the pool's. Where nobody wants traces, a span costs a comparison.

use tracing::Span;

use crate::Failure;

/// A step of a task, from here until it is dropped. The level keeps it out of logs.
macro_rules! step {
    ($task:expr, $name:literal) => {
        tracing::trace_span!(
            target: "task",
            $name,
            task = %$task,
            role = "worker",
            failure = tracing::field::Empty
        )
    };
}

pub(crate) use step;

/// What can say why a step failed.
pub(crate) trait Why {
    /// Why.
    fn why(&self) -> &Failure;
}

impl Why for Failure {
    fn why(&self) -> &Failure {
        self
    }
}

impl<S> Why for (S, Failure) {
    fn why(&self) -> &Failure {
        &self.1
    }
}

/// Takes a step; its span tells how long it took, and why it failed.
pub(crate) async fn traced<T, E: Why>(
    span: Span,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let ended = step.await;
    if let Err(error) = &ended {
        span.record("failure", error.why().cause.code());
    }
    ended
}
