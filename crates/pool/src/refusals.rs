//! Workers that are not let in: counted by reason and told in the log, since their operators ask
//! the pool's why nothing comes.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use protocol::Address;

/// Lines in the log for each [`PERIOD`]: anybody may knock, and a disk is finite.
const LINES_MAX: u32 = 20;
/// How long [`LINES_MAX`] counts.
const PERIOD: Duration = Duration::from_secs(60);

/// Why a worker is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// It says nothing that is a login, or nothing at all: often it speaks another version.
    NoLogin,
    /// The login is signed by another key, or for another pool or chain.
    WrongSignature,
    /// The operator's whitelist does not have it.
    NotOnWhitelist,
    /// As many workers are connected as the pool takes.
    PoolIsFull,
}

impl Reason {
    /// For lists and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NoLogin => "no-login",
            Self::WrongSignature => "wrong-signature",
            Self::NotOnWhitelist => "not-on-whitelist",
            Self::PoolIsFull => "pool-is-full",
        }
    }

    /// For people, and for the worker itself.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::NoLogin => "a login was expected",
            Self::WrongSignature => "the login is not signed by the worker's wallet",
            Self::NotOnWhitelist => "the worker is not on the pool's whitelist",
            Self::PoolIsFull => "the pool has as many workers as it takes",
        }
    }
}

/// All since the start.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    counts: BTreeMap<Reason, u64>,
    period: Option<Instant>,
    lines: u32,
    untold: u64,
}

impl Refusals {
    /// Counts one, and tells it unless too many were told just now.
    pub(crate) fn count(&self, reason: Reason, worker: Option<Address>) {
        let Some(untold) = self.note(reason, Instant::now()) else {
            return;
        };
        let worker = worker.map(tracing::field::display);
        let (why, code) = (reason.sentence(), reason.name());
        tracing::info!(worker, reason = code, untold, "a worker is refused: {why}");
    }

    /// How many were not told since the last line, if this one gets a line.
    fn note(&self, reason: Reason, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state.counts.entry(reason).or_default() += 1;
        let is_over = |since: Instant| now.saturating_duration_since(since) >= PERIOD;
        if state.period.is_none_or(is_over) {
            state.period = Some(now);
            state.lines = 0;
        }
        if state.lines >= LINES_MAX {
            state.untold += 1;
            return None;
        }
        state.lines += 1;
        Some(std::mem::take(&mut state.untold))
    }

    /// How many for which reason.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = state.counts.iter();
        counts.map(|(reason, n)| (reason.name(), *n)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_few_are_told() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let told = (0..100).filter_map(|_| refusals.note(Reason::NotOnWhitelist, start));
        assert_eq!(told.count(), LINES_MAX as usize);
        assert_eq!(refusals.counts()["not-on-whitelist"], 100);
        let later = refusals.note(Reason::NoLogin, start + PERIOD);
        assert_eq!(later, Some(100 - u64::from(LINES_MAX)), "what was left out");
        assert_eq!(refusals.note(Reason::NoLogin, start + PERIOD), Some(0));
    }
}
