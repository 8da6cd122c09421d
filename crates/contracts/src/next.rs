//! What to do about one step: a pure decision from the journal and the chain.
//!
//! The nonce is the guard. What the chain says about a step and how many transactions of the
//! deployer it has are read at the *same* block, and a step that is missing is sent with exactly
//! that number as its nonce. Should anything else of the deployer be mined in between, the
//! transaction is void; and two transactions for one step, sent before and after a crash, have the
//! same nonce, so one of them at most is mined. Nothing can therefore happen twice, whatever was
//! remembered.

/// What the chain says, all at one block but for the waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Whether what the step does is there.
    pub(crate) is_done: bool,
    /// How many transactions of the deployer are mined: the nonce of the next one.
    pub(crate) mined: u64,
    /// The same, with those that the node knows to be waiting.
    pub(crate) pending: u64,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The step is done.
    GoOn,
    /// Make sure that the node has a transaction for the step with this nonce, and wait until the
    /// nonce is used.
    Send {
        /// The only one that is safe.
        nonce: u64,
    },
    /// Wait until as many transactions of the deployer are mined: who sent them is unknown, and
    /// it may have been us.
    WaitFor {
        /// How many.
        mined: u64,
    },
}

/// Decides about a step that was sent with the nonce `sent`, if at all.
pub(crate) fn next(sent: Option<u64>, facts: Facts) -> Next {
    if facts.is_done {
        return Next::GoOn;
    }
    match sent {
        Some(nonce) if nonce >= facts.mined => Next::Send { nonce },
        _ if facts.pending > facts.mined => Next::WaitFor {
            mined: facts.pending,
        },
        _ => Next::Send { nonce: facts.mined },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn facts(is_done: bool, mined: u64, pending: u64) -> Facts {
        Facts {
            is_done,
            mined,
            pending,
        }
    }

    #[test]
    fn what_is_done_is_left_alone() {
        assert_eq!(next(None, facts(true, 4, 4)), Next::GoOn);
        assert_eq!(next(Some(9), facts(true, 4, 6)), Next::GoOn);
    }

    #[test]
    fn a_new_step_takes_the_next_nonce() {
        assert_eq!(next(None, facts(false, 4, 4)), Next::Send { nonce: 4 });
    }

    #[test]
    fn a_waiting_step_keeps_its_nonce() {
        assert_eq!(next(Some(4), facts(false, 4, 4)), Next::Send { nonce: 4 });
        assert_eq!(next(Some(4), facts(false, 4, 5)), Next::Send { nonce: 4 });
        // after the chain changed its past
        assert_eq!(next(Some(4), facts(false, 2, 5)), Next::Send { nonce: 4 });
    }

    #[test]
    fn a_nonce_that_somebody_else_used_is_given_up() {
        assert_eq!(next(Some(4), facts(false, 6, 6)), Next::Send { nonce: 6 });
    }

    #[test]
    fn the_transactions_of_others_are_not_replaced() {
        let wait = Next::WaitFor { mined: 6 };
        assert_eq!(next(None, facts(false, 4, 6)), wait);
        assert_eq!(next(Some(3), facts(false, 4, 6)), wait);
    }

    /// A chain of one sender: what waits by nonce, what each mined one did.
    #[derive(Default)]
    struct Toy {
        waiting: BTreeMap<u64, Option<usize>>,
        mined: Vec<Option<usize>>,
    }

    impl Toy {
        fn facts(&self, step: usize, knows_waiting: bool) -> Facts {
            let mined = self.mined.len() as u64;
            let waits = self
                .waiting
                .last_key_value()
                .map_or(0, |(nonce, _)| nonce + 1);
            facts(
                self.mined.contains(&Some(step)),
                mined,
                if knows_waiting {
                    mined.max(waits)
                } else {
                    mined
                },
            )
        }

        /// A transaction for a nonce that waits already replaces it or is refused.
        fn send(&mut self, nonce: u64, step: Option<usize>, replaces: bool) {
            let is_taken = self.waiting.contains_key(&nonce);
            if nonce >= self.mined.len() as u64 && (replaces || !is_taken) {
                self.waiting.insert(nonce, step);
            }
        }

        fn mine(&mut self) {
            if let Some(step) = self.waiting.remove(&(self.mined.len() as u64)) {
                self.mined.push(step);
            }
        }
    }

    /// A small generator, so that a failure can be played again (xorshift).
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> bool {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.is_multiple_of(sides)
        }
    }

    /// Seven steps among crashes, lost journals, forgetful nodes and transactions of others.
    fn play(seed: u64) {
        const STEPS: usize = 7;
        const MOVES_MAX: usize = 10_000;
        let (mut toy, mut dice) = (Toy::default(), Dice(seed));
        let mut journal: BTreeMap<usize, u64> = BTreeMap::new();
        let mut step = 0;
        for _ in 0..MOVES_MAX {
            if step == STEPS {
                break;
            }
            if dice.roll(11) {
                let nonce = toy.facts(0, true).pending;
                toy.send(nonce, None, false);
            }
            let facts = toy.facts(step, dice.roll(2));
            match next(journal.get(&step).copied(), facts) {
                Next::GoOn => step += 1,
                Next::WaitFor { .. } => toy.mine(),
                Next::Send { nonce } => {
                    journal.insert(step, nonce);
                    if !dice.roll(5) {
                        toy.send(nonce, Some(step), dice.roll(2));
                    }
                }
            }
            if dice.roll(3) {
                toy.mine();
            }
            if dice.roll(9) {
                step = 0;
            }
            if dice.roll(17) {
                journal.clear();
            }
        }
        let done: Vec<_> = toy.mined.iter().flatten().copied().collect();
        assert_eq!(done, (0..STEPS).collect::<Vec<_>>(), "seed {seed}");
    }

    #[test]
    fn nothing_happens_twice_whatever_is_lost() {
        (1..500).for_each(play);
    }
}
