//! Time: the wall clock, or the chain's when it is ahead of it (a test chain that jumped).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// A shared clock. Cheap clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    ahead_ms: Arc<AtomicU64>,
}

impl Clock {
    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        wall_ms() + self.ahead_ms.load(Ordering::Relaxed)
    }

    /// Takes note of the newest block's timestamp, in seconds. Blocks are always a little old, so
    /// only a chain in the future counts.
    pub(crate) fn chain_says(&self, seconds: u64) {
        let chain_ms = seconds.saturating_mul(1000);
        let ahead = chain_ms.saturating_sub(wall_ms());
        self.ahead_ms.fetch_max(ahead, Ordering::Relaxed);
    }
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
