//! Which images are kept: the least recently used go first, those in use never.
//!
//! An image is in use while a [`Lease`] on it lives: [`Engine::pull`](crate::Engine::pull) puts
//! one into the [`Image`](crate::Image) it returns, so that nothing happens to it between the
//! pull and the end of the run.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::RwLock;

/// Images told of at most: as many as a pool listens to.
pub const IMAGES_MAX: usize = 256;

/// An image that could be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// All names of its lease: its id and what it was pulled as.
    pub(crate) keys: Vec<String>,
    pub(crate) bytes: u64,
    /// When it was last asked for, microseconds since 1970: two asked for at once are told apart.
    pub(crate) used_us: u64,
    pub(crate) is_busy: bool,
}

/// The next one to remove, where there is too much: the least recently used that is not busy.
fn victim(kept: &[Kept], bytes_max: u64) -> Option<usize> {
    let sum = kept
        .iter()
        .fold(0_u64, |sum, one| sum.saturating_add(one.bytes));
    if sum <= bytes_max {
        return None;
    }
    let idle = kept.iter().enumerate().filter(|(_, one)| !one.is_busy);
    idle.min_by_key(|(_, one)| one.used_us)
        .map(|(index, _)| index)
}

/// One after the other until it is little enough or everything left is busy.
#[derive(Debug)]
pub(crate) struct Eviction {
    kept: Vec<Kept>,
    bytes_max: u64,
}

impl Eviction {
    pub(crate) fn new(kept: Vec<Kept>, bytes_max: u64) -> Self {
        Self { kept, bytes_max }
    }

    /// The next one to remove. Who cannot says so with [`Eviction::keep`].
    pub(crate) fn next(&mut self) -> Option<Kept> {
        victim(&self.kept, self.bytes_max).map(|index| self.kept.swap_remove(index))
    }

    /// It is in use after all.
    pub(crate) fn keep(&mut self, one: Kept) {
        self.kept.push(Kept {
            is_busy: true,
            ..one
        });
    }
}

pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}

type Counts = HashMap<String, usize>;

/// Who uses what, in this process.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    counts: Arc<Mutex<Counts>>,
    /// Held for writing while an image goes: whoever asks for it then finds it gone.
    gate: RwLock<()>,
}

impl Leases {
    /// Keeps what has this name; first waits for the removal that is under way.
    pub(crate) async fn hold(&self, key: impl Into<String>) -> Lease {
        let _open = self.gate.read().await;
        let key = key.into();
        *lock(&self.counts).entry(key.clone()).or_default() += 1;
        Lease(Some(Arc::new(Hold {
            counts: Arc::clone(&self.counts),
            key,
        })))
    }

    pub(crate) fn is_held(&self, keys: &[String]) -> bool {
        let counts = lock(&self.counts);
        keys.iter().any(|key| counts.contains_key(key))
    }

    /// Removes what nobody holds; nobody can begin to hold it meanwhile.
    pub(crate) async fn unless_held(
        &self,
        keys: &[String],
        remove: impl Future<Output = bool>,
    ) -> bool {
        let _closed = self.gate.write().await;
        !self.is_held(keys) && remove.await
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While it or a clone lives, the image stays. Two images are equal whoever holds them.
#[derive(Clone, Default)]
pub(crate) struct Lease(Option<Arc<Hold>>);

struct Hold {
    counts: Arc<Mutex<Counts>>,
    key: String,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        match counts.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                counts.remove(&self.key);
            }
        }
    }
}

impl PartialEq for Lease {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Lease {}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "held",
            None => "not held",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kept() -> impl Strategy<Value = Vec<Kept>> {
        let one = (0_u64..100, 0_u64..20, any::<bool>());
        prop::collection::vec(one, 0..30).prop_map(|all| {
            let all = all.into_iter().enumerate();
            all.map(|(index, (bytes, used_us, is_busy))| Kept {
                keys: vec![index.to_string()],
                bytes,
                used_us,
                is_busy,
            })
            .collect()
        })
    }

    /// What goes in which order; those in `stubborn` cannot be removed.
    fn gone(kept: &[Kept], bytes_max: u64, stubborn: &[usize]) -> Vec<usize> {
        let (mut gone, mut eviction) = (Vec::new(), Eviction::new(kept.to_vec(), bytes_max));
        while let Some(one) = eviction.next() {
            let index: usize = one.keys[0].parse().unwrap();
            match stubborn.contains(&index) {
                true => eviction.keep(one),
                false => gone.push(index),
            }
        }
        gone
    }

    proptest! {
        #[test]
        fn the_oldest_go_and_only_as_many_as_must(
            kept in kept(),
            bytes_max in 0_u64..1500,
            stubborn in prop::collection::vec(0_usize..30, 0..5),
        ) {
            let gone = gone(&kept, bytes_max, &stubborn);
            let busy = |index: &usize| kept[*index].is_busy || stubborn.contains(index);
            prop_assert!(!gone.iter().any(busy));
            let left = |count: usize| -> u64 {
                let left = (0..kept.len()).filter(|index| !gone[..count].contains(index));
                left.map(|index| kept[index].bytes).sum()
            };
            let rest: Vec<_> = (0..kept.len()).filter(|index| !gone.contains(index)).collect();
            prop_assert!(left(gone.len()) <= bytes_max || rest.iter().all(busy));
            if !gone.is_empty() {
                prop_assert!(left(gone.len() - 1) > bytes_max);
            }
            let idle = rest.iter().filter(|index| !busy(index)).map(|index| kept[*index].used_us);
            let last = gone.iter().map(|index| kept[*index].used_us).max().unwrap_or_default();
            prop_assert!(idle.min().is_none_or(|first| last <= first));
        }
    }

    #[tokio::test]
    async fn what_is_held_stays_until_the_last_lease_is_gone() {
        let leases = Leases::default();
        let keys = ["id".to_owned(), "name".to_owned()];
        let lease = leases.hold("name").await;
        let other = leases.hold("name").await;
        let copy = lease.clone();
        drop((lease, other));
        assert!(!leases.unless_held(&keys, async { true }).await);
        drop(copy);
        assert!(leases.unless_held(&keys, async { true }).await);
        assert!(!leases.is_held(&keys));
    }

    #[tokio::test]
    async fn whoever_asks_during_a_removal_waits_for_its_end() {
        let leases = Arc::new(Leases::default());
        let keys = ["id".to_owned()];
        let asking = Arc::clone(&leases);
        let removed = leases.unless_held(&keys, async {
            let asked = tokio::spawn(async move { asking.hold("id").await });
            tokio::task::yield_now().await;
            assert!(!asked.is_finished());
            asked.abort();
            true
        });
        assert!(removed.await);
    }
}
