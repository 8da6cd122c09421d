//! How often one session may be asked for. A session's id is known to its worker only, so this is
//! all that one worker can make us do.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Length of a period, in seconds.
const PERIOD_S: u64 = 60;
/// Requests in a period: three stages with three redemptions and their challenges are 18.
const REQUESTS_MAX: u32 = 60;
/// Sessions that are counted at once; beyond that everybody waits for the period's end.
const SESSIONS_MAX: usize = 65_536;

/// Requests of each session in the present period.
#[derive(Default)]
pub(super) struct Limit(Mutex<Period>);

#[derive(Default)]
struct Period {
    number: u64,
    counts: HashMap<String, u32>,
}

impl Limit {
    /// Counts a request for `session` at `now`, seconds since 1970; false when there were too many.
    pub(super) fn admits(&self, session: &str, now: u64) -> bool {
        let mut period = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if period.number != now / PERIOD_S {
            *period = Period {
                number: now / PERIOD_S,
                counts: HashMap::new(),
            };
        }
        if let Some(count) = period.counts.get_mut(session) {
            *count = count.saturating_add(1);
            return *count <= REQUESTS_MAX;
        }
        if period.counts.len() >= SESSIONS_MAX {
            return false;
        }
        period.counts.insert(session.to_owned(), 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_session_does_not_use_up_another_ones_turn() {
        let limit = Limit::default();
        let admitted = (0..100).filter(|_| limit.admits("a", 0)).count();
        assert_eq!(admitted, 60);
        assert!(limit.admits("b", 59));
        assert!(!limit.admits("a", 59));
        assert!(limit.admits("a", 60));
    }
}
