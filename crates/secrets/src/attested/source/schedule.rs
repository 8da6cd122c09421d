//! When to fetch collateral: the rule alone, from what is known and the time.

/// Good collateral is fetched again each day, so that revocations get here: weeks before it
/// expires.
const RENEWED_AFTER_S: u64 = 86_400;
/// After a failure nobody is asked for so long, nor after an answer that did not last.
const PAUSE_S: u64 = 300;

/// What is known about the collateral of a family. Times are in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Until when what is kept is good.
    pub(super) good_until: Option<u64>,
    /// The last time that it was asked for.
    pub(super) asked: Option<Asked>,
}

/// One time that somebody was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// When.
    pub(super) at: u64,
    /// Whether it was answered well.
    pub(super) is_ok: bool,
}

/// What to do for somebody who needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Give what is kept.
    Serve,
    /// Give what is kept, and fetch meanwhile.
    Renew,
    /// Fetch first.
    Fetch,
    /// There is none, and it is too early to ask again.
    Refuse,
}

impl Known {
    /// The step to take at `now`. A clock that was set back counts as time that passed: it would
    /// stop everything for as long as it was wrong.
    pub(super) fn step(self, now: u64) -> Step {
        let has_waited = |wait_s| {
            self.asked
                .is_none_or(|last| now.abs_diff(last.at) >= wait_s)
        };
        let is_good = self.good_until.is_some_and(|end| now <= end);
        let has_failed = self.asked.is_some_and(|last| !last.is_ok);
        match (is_good, has_failed) {
            (true, true) if has_waited(PAUSE_S) => Step::Renew,
            (true, false) if has_waited(RENEWED_AFTER_S) => Step::Renew,
            (true, _) => Step::Serve,
            (false, _) if has_waited(PAUSE_S) => Step::Fetch,
            (false, _) => Step::Refuse,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000_000;

    fn step(left_s: Option<i64>, asked: Option<(u64, bool)>) -> Step {
        let asked = asked.map(|(ago_s, is_ok)| Asked {
            at: NOW - ago_s,
            is_ok,
        });
        let good_until = left_s.map(|left_s| NOW.saturating_add_signed(left_s));
        Known { good_until, asked }.step(NOW)
    }

    #[test]
    fn each_state_has_its_step() {
        let month = Some(30 * 86_400);
        for (left_s, asked, expected) in [
            (None, None, Step::Fetch),
            (month, None, Step::Renew),
            (month, Some((0, true)), Step::Serve),
            (month, Some((86_399, true)), Step::Serve),
            (month, Some((86_400, true)), Step::Renew),
            (month, Some((299, false)), Step::Serve),
            (month, Some((300, false)), Step::Renew),
            (None, Some((299, false)), Step::Refuse),
            (None, Some((300, false)), Step::Fetch),
            (Some(0), Some((10, true)), Step::Serve),
            (Some(-1), Some((299, true)), Step::Refuse),
            (Some(-1), Some((300, true)), Step::Fetch),
        ] {
            assert_eq!(step(left_s, asked), expected, "{left_s:?} {asked:?}");
        }
    }

    #[test]
    fn a_clock_that_was_ahead_does_not_stop_anything() {
        let asked = Some(Asked {
            at: NOW + 86_400,
            is_ok: false,
        });
        let good_until = None;
        assert_eq!(Known { good_until, asked }.step(NOW), Step::Fetch);
    }
}
