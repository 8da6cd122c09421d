//! What the chain does to a published order (spec/market-explorer.md §9).

use protocol::U256;

use super::publish::left;
use crate::record::Status;

/// The part of a record that the chain changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Tasks left.
    pub remaining: u64,
    /// Where the order is in its life.
    pub status: Status,
}

impl State {
    /// After a match: `consumed` of `volume` is used. `remaining` only falls, so the same event
    /// may be applied again, and late. Nothing changed: `None`.
    pub fn matched(self, volume: u64, consumed: U256) -> Option<Self> {
        let remaining = left(volume, consumed).min(self.remaining);
        let status = match self.status {
            Status::Open | Status::Dead if remaining == 0 => Status::Filled,
            other => other,
        };
        self.changed(Self { remaining, status })
    }

    /// After a cancellation on chain. Nothing changed: `None`.
    pub fn closed(self) -> Option<Self> {
        self.changed(Self {
            remaining: 0,
            status: Status::Canceled,
        })
    }

    fn changed(self, new: Self) -> Option<Self> {
        (new != self).then_some(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(remaining: u64) -> State {
        State {
            remaining,
            status: Status::Open,
        }
    }

    #[test]
    fn matches_use_an_order_up() {
        let two = open(3).matched(3, U256::from(1)).unwrap();
        assert_eq!(two, open(2));
        let filled = two.matched(3, U256::from(3)).unwrap();
        assert_eq!((filled.remaining, filled.status), (0, Status::Filled));
    }

    #[test]
    fn repeated_and_late_matches_change_nothing() {
        assert_eq!(open(2).matched(3, U256::from(1)), None);
        assert_eq!(open(1).matched(3, U256::from(1)), None, "never rises");
    }

    #[test]
    fn a_cancelled_order_stays_cancelled() {
        let closed = open(3).closed().unwrap();
        assert_eq!((closed.remaining, closed.status), (0, Status::Canceled));
        assert_eq!(closed.closed(), None);
        assert_eq!(closed.matched(3, U256::from(3)), None);
    }
}
