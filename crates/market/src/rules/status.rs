//! What the chain does to a published order (spec/market-explorer.md §9).
//!
//! On one branch of the chain a status is decided by the strongest thing that happened: cancelled,
//! else filled (nothing of the volume is left), else dead (the signer could not honour it at some
//! moment since it was published), else open. Upstream lets a late `filled` overwrite the others;
//! here the order of processing does not matter.

use protocol::U256;

use super::publish::left;
use crate::record::{Record, Status};

/// The part of a record that the chain changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Tasks left.
    pub remaining: u64,
    /// Where the order is in its life.
    pub status: Status,
}

impl State {
    /// The part of `record` that changes.
    pub const fn of(record: &Record) -> Self {
        Self {
            remaining: record.remaining,
            status: record.status,
        }
    }

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

    /// After its signer cannot honour it any more: an open order dies. Nothing changed: `None`.
    pub fn died(self) -> Option<Self> {
        let status = match self.status {
            Status::Open => Status::Dead,
            other => other,
        };
        self.changed(Self { status, ..self })
    }

    /// After a reorganisation made the state doubtful by which the order was published: `consumed`
    /// of `volume` is used on the branch that is left. Nothing changed: `None`.
    pub fn read_again(self, volume: u64, consumed: U256) -> Option<Self> {
        let remaining = left(volume, consumed);
        match self.status {
            Status::Canceled => None,
            Status::Filled | Status::Open | Status::Dead if remaining == 0 => self.changed(Self {
                remaining,
                status: Status::Filled,
            }),
            Status::Filled => self.changed(Self {
                remaining,
                status: Status::Open,
            }),
            status => self.changed(Self { remaining, status }),
        }
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
    fn only_open_orders_die() {
        let dead = open(3).died().unwrap();
        assert_eq!((dead.remaining, dead.status), (3, Status::Dead));
        assert_eq!(dead.died(), None);
        assert_eq!(open(3).closed().unwrap().died(), None);
        let filled = dead.matched(3, U256::from(3)).unwrap();
        assert_eq!(filled.status, Status::Filled, "used up is stronger");
    }

    #[test]
    fn another_branch_is_read_afresh() {
        assert_eq!(open(1).read_again(3, U256::ZERO), Some(open(3)));
        assert_eq!(open(3).read_again(3, U256::ZERO), None);
        let filled = open(1).read_again(3, U256::from(3)).unwrap();
        assert_eq!(filled.status, Status::Filled);
        assert_eq!(filled.read_again(3, U256::from(1)), Some(open(2)));
        let closed = open(3).closed().unwrap();
        assert_eq!(closed.read_again(3, U256::ZERO), None);
    }

    #[test]
    fn a_cancelled_order_stays_cancelled() {
        let closed = open(3).closed().unwrap();
        assert_eq!((closed.remaining, closed.status), (0, Status::Canceled));
        assert_eq!(closed.closed(), None);
        assert_eq!(closed.matched(3, U256::from(3)), None);
    }
}
