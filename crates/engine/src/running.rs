//! The runs of this process by name, so that they can be ended by name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

type Slots = HashMap<String, Slot>;

/// Shared by an engine and its runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running(Arc<Mutex<Slots>>);

#[derive(Debug, Clone)]
struct Slot {
    cancel: CancellationToken,
    done: CancellationToken,
}

impl Running {
    /// Enters a run under its name, ending an older one of the same name first.
    pub(crate) async fn enter(&self, name: &str, cancel: &CancellationToken) -> Entry {
        let slot = Slot {
            cancel: cancel.child_token(),
            done: CancellationToken::new(),
        };
        loop {
            self.stop(name).await;
            let mut slots = self.lock();
            if !slots.contains_key(name) {
                slots.insert(name.to_owned(), slot.clone());
                return Entry {
                    running: self.clone(),
                    name: name.to_owned(),
                    slot,
                };
            }
        }
    }

    /// Ends the run of that name and returns once nothing of it is left.
    pub(crate) async fn stop(&self, name: &str) {
        let slot = self.lock().get(name).cloned();
        if let Some(slot) = slot {
            slot.cancel.cancel();
            slot.done.cancelled().await;
        }
    }

    /// The names with this prefix.
    pub(crate) fn names(&self, prefix: &str) -> Vec<String> {
        self.lock()
            .keys()
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run's place; leaving it tells those who wait for its end.
#[derive(Debug)]
pub(crate) struct Entry {
    running: Running,
    name: String,
    slot: Slot,
}

impl Entry {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Cancelled by the caller of the run or by `stop`.
    pub(crate) fn cancel(&self) -> &CancellationToken {
        &self.slot.cancel
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.lock().remove(&self.name);
        self.slot.done.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_cancels_and_waits_for_the_end() {
        let running = Running::default();
        let entry = running.enter("a", &CancellationToken::new()).await;
        let waiting = tokio::spawn({
            let running = running.clone();
            async move { running.stop("a").await }
        });
        entry.cancel().cancelled().await;
        assert!(!waiting.is_finished());
        drop(entry);
        waiting.await.unwrap();
        assert!(running.names("").is_empty());
        running.stop("a").await;
    }

    #[tokio::test]
    async fn entering_ends_the_older_run_of_that_name() {
        let running = Running::default();
        let first = running.enter("a", &CancellationToken::new()).await;
        let second = tokio::spawn({
            let running = running.clone();
            async move { running.enter("a", &CancellationToken::new()).await }
        });
        first.cancel().cancelled().await;
        drop(first);
        let second = second.await.unwrap();
        assert!(!second.cancel().is_cancelled());
        assert_eq!(running.names("a"), ["a"]);
    }
}
