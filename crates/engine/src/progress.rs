//! How far a pull has come.

use std::fmt;
use std::sync::Arc;

/// A state of a pull. `total_bytes` grows while layers are being discovered; zero means that
/// nothing is known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes fetched so far.
    pub done_bytes: u64,
    /// Bytes to fetch in all, as far as known.
    pub total_bytes: u64,
}

/// Where a pull reports its progress; called often, so the callee decides how much to show.
#[derive(Clone, Default)]
pub struct ProgressSink(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl ProgressSink {
    /// Reports go to this function, which must not block.
    pub fn new(report: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(report)))
    }

    /// Nobody wants to know.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    pub(crate) fn report(&self, progress: Progress) {
        if let Some(report) = &self.0 {
            report(progress);
        }
    }
}

impl fmt::Debug for ProgressSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProgressSink")
            .field(&self.0.is_some())
            .finish()
    }
}
