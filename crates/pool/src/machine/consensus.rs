//! How many workers a task takes: the contract's arithmetic of trust (spec/contracts.md §12),
//! asked in advance.
//!
//! Each worker has a weight; a group is the product of the weights of those that contributed the
//! same; the total is 1 plus all groups. A group wins when `group × trust > total × (trust − 1)`.

/// The weight of a worker without a score.
pub const WEIGHT_MIN: u64 = 2;
/// Every third point of a worker's score adds to its weight.
const SCORE_STEP: u64 = 3;

/// The weight of a worker with `score`, as the contract computes it.
pub const fn weight(score: u64) -> u64 {
    let steps = score / SCORE_STEP;
    let floor = WEIGHT_MIN + 1;
    (if steps > floor { steps } else { floor }) - 1
}

/// What stands on chain for a task, by weight, and who may still add to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Weight of each group of equal contributions, in any order.
    pub groups: Vec<u128>,
    /// Weights of the workers that are at it.
    pub pending: Vec<u64>,
}

impl Tally {
    /// Whether the workers that are at it reach `trust` if they all agree with the largest group.
    ///
    /// Without anybody at it the answer is no: had the contributions been enough, the chain would
    /// have said so.
    pub fn is_enough(&self, trust: u64) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let largest = self.groups.iter().copied().max().unwrap_or_default();
        let sum = self.groups.iter().copied().fold(0, u128::saturating_add);
        let best = product(&self.pending).saturating_mul(largest.max(1));
        wins(best, sum - largest, trust)
    }
}

/// Whether a group of this weight wins against `others` at `trust`.
pub fn wins(group: u128, others: u128, trust: u64) -> bool {
    let trust = u128::from(trust.max(1));
    let total = group.saturating_add(others).saturating_add(1);
    group.saturating_mul(trust) > total.saturating_mul(trust - 1)
}

/// The weight of a group of workers.
pub fn product(weights: &[u64]) -> u128 {
    let factors = weights.iter().map(|w| u128::from(*w));
    factors.fold(1, u128::saturating_mul)
}

/// Workers of the least weight that reach `trust` when they agree; at most 128.
pub fn workers_needed(trust: u64) -> u32 {
    let enough = |n: &u32| wins(1_u128.checked_shl(*n).unwrap_or(u128::MAX), 0, trust);
    (1..=u128::BITS).find(enough).unwrap_or(u128::BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(groups: &[u128], pending: &[u64]) -> Tally {
        Tally {
            groups: groups.to_vec(),
            pending: pending.to_vec(),
        }
    }

    #[test]
    fn weights_are_those_of_the_contract() {
        let table = [(0, 2), (11, 2), (12, 3), (14, 3), (15, 4), (300, 99)];
        for (score, expected) in table {
            assert_eq!(weight(score), expected, "score {score}");
        }
    }

    #[test]
    fn as_many_workers_as_the_trust_takes() {
        let table = [
            (1, 1),
            (2, 1),
            (3, 2),
            (4, 2),
            (5, 3),
            (8, 3),
            (9, 4),
            (16, 4),
        ];
        for (trust, workers) in table {
            assert_eq!(workers_needed(trust), workers, "trust {trust}");
        }
        assert_eq!(workers_needed(u64::MAX), 64);
    }

    #[test]
    fn those_at_work_are_counted() {
        assert!(!tally(&[], &[]).is_enough(1));
        assert!(tally(&[], &[2]).is_enough(1));
        assert!(!tally(&[], &[2]).is_enough(3));
        assert!(tally(&[], &[2, 2]).is_enough(3));
        assert!(tally(&[2], &[2]).is_enough(3));
    }

    /// One early wrong contribution at trust 3 needs three right ones (spec/contracts.md §12).
    #[test]
    fn a_liar_makes_others_necessary() {
        assert!(!tally(&[2, 2], &[2]).is_enough(3));
        assert!(tally(&[2, 2], &[2, 2]).is_enough(3));
    }

    #[test]
    fn heavy_weights_do_not_overflow() {
        assert!(!tally(&[u128::MAX, u128::MAX], &[u64::MAX; 5]).is_enough(u64::MAX));
    }
}
