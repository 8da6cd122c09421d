//! Which calls go in one transaction: those that are ready while the one before is on its way.
//!
//! Nothing waits for company: the first call goes at once, alone if it must. What gets ready until
//! the chain has answered goes together, so the busier the chain, the fuller the transactions.

use std::collections::VecDeque;

use chain::Settlement;

/// Calls in one transaction: a contract that refuses one of so many is found in six steps.
const BATCH_MAX: usize = 64;
/// Gas of one transaction: a third of a common block, as for those that initialise.
const BATCH_GAS_MAX: u64 = 10_000_000;
/// Full transactions on their way at the same time: thousands of calls.
const BATCHES_AT_ONCE: usize = 16;

/// Calls that wait for their transaction.
#[derive(Debug)]
pub(crate) struct Gathering {
    waiting: VecDeque<Settlement>,
    on_their_way: usize,
    /// The hub takes several calls in one transaction.
    takes_batches: bool,
}

impl Gathering {
    /// Nothing yet, for a hub that takes several calls in one transaction or not.
    pub(crate) fn new(takes_batches: bool) -> Self {
        Self {
            waiting: VecDeque::new(),
            on_their_way: 0,
            takes_batches,
        }
    }

    pub(crate) fn add(&mut self, call: Settlement) {
        self.waiting.push_back(call);
    }

    /// A transaction of [`Gathering::next`] was answered.
    pub(crate) fn came_back(&mut self) {
        self.on_their_way = self.on_their_way.saturating_sub(1);
    }

    /// The calls of the next transaction, if one is to be sent now.
    pub(crate) fn next(&mut self) -> Option<Vec<Settlement>> {
        let (count, is_full) = self.fitting();
        let goes = match self.on_their_way {
            0 => true,
            n if n < BATCHES_AT_ONCE => is_full,
            _ => !self.takes_batches,
        };
        if count == 0 || !goes {
            return None;
        }
        self.on_their_way += 1;
        Some(self.waiting.drain(..count).collect())
    }

    /// How many of those that wait fit in one transaction, and whether one more would not.
    fn fitting(&self) -> (usize, bool) {
        let mut gas: u64 = 0;
        for (count, call) in self.waiting.iter().enumerate() {
            gas = gas.saturating_add(call.gas());
            let is_too_much = count >= BATCH_MAX || gas > BATCH_GAS_MAX;
            let is_alone = !self.takes_batches || call.calls_back();
            if count > 0 && (is_too_much || is_alone) {
                return (count, true);
            }
            if is_alone {
                return (1, true);
            }
        }
        (self.waiting.len(), false)
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Bytes, TaskId};

    use super::*;

    fn call(number: u8) -> Settlement {
        Settlement::Reopen(TaskId::repeat(number))
    }

    fn with(takes_batches: bool, calls: impl IntoIterator<Item = Settlement>) -> Gathering {
        let mut gathering = Gathering::new(takes_batches);
        calls.into_iter().for_each(|call| gathering.add(call));
        gathering
    }

    fn sizes(gathering: &mut Gathering) -> Vec<usize> {
        std::iter::from_fn(|| gathering.next())
            .map(|calls| calls.len())
            .collect()
    }

    #[test]
    fn the_first_goes_at_once_and_the_rest_together() {
        let mut gathering = with(true, [call(1)]);
        assert_eq!(gathering.next(), Some(vec![call(1)]));
        gathering.add(call(2));
        gathering.add(call(3));
        assert_eq!(gathering.next(), None);
        gathering.came_back();
        assert_eq!(gathering.next(), Some(vec![call(2), call(3)]));
        gathering.came_back();
        assert_eq!(gathering.next(), None);
    }

    #[test]
    fn full_transactions_do_not_wait() {
        let many = (0..200).map(call);
        let mut gathering = with(true, many);
        assert_eq!(sizes(&mut gathering), [64, 64, 64]);
        gathering.came_back();
        assert_eq!(gathering.next(), None, "two are still on their way");
        gathering.came_back();
        gathering.came_back();
        assert_eq!(sizes(&mut gathering), [8]);
    }

    #[test]
    fn a_transaction_stays_below_its_gas() {
        let claim = Settlement::Claim(vec![TaskId::repeat(1); 50]);
        let mut gathering = with(true, vec![claim.clone(); 5]);
        assert!(2 * claim.gas() <= BATCH_GAS_MAX && 3 * claim.gas() > BATCH_GAS_MAX);
        assert_eq!(sizes(&mut gathering), [2, 2]);
    }

    #[test]
    fn more_than_the_gas_of_one_still_goes() {
        let huge = Settlement::Claim(vec![TaskId::repeat(1); 1_000]);
        assert_eq!(sizes(&mut with(true, [huge, call(2)])), [1]);
    }

    #[test]
    fn who_is_called_back_shares_with_nobody() {
        let called = Settlement::Finalize {
            task: TaskId::repeat(9),
            results: Bytes::new(),
            callback: Bytes::from_static(&[1]),
        };
        let calls = [call(1), called.clone(), call(2)];
        let mut gathering = with(true, calls);
        assert_eq!(gathering.next(), Some(vec![call(1)]));
        assert_eq!(gathering.next(), Some(vec![called]));
        assert_eq!(gathering.next(), None);
        gathering.came_back();
        gathering.came_back();
        assert_eq!(gathering.next(), Some(vec![call(2)]));
    }

    #[test]
    fn other_hubs_get_each_alone_and_at_once() {
        let mut gathering = with(false, (0..100).map(call));
        assert_eq!(sizes(&mut gathering), vec![1; 100]);
    }
}
