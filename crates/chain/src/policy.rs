//! What a wallet's owner says about all its transactions.

/// Five times the first price is what a chain asks after sixteen full blocks in a row; who pays
/// more wants to be asked.
const RAISE_TIMES_MAX: u64 = 5;
/// Longer than a block takes on the chains this is used on, and short against the deadlines of
/// tasks.
const RAISE_AFTER_S: u64 = 15;

/// How transactions are priced and when they count as done (spec/client.md §1.3 `--confirms`,
/// Appendix B `--gas-price`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Wei per gas; none takes the node's price. A price given here is never raised.
    pub gas_price: Option<u128>,
    /// Blocks that must hold a transaction, its own included; 0 counts as 1.
    pub confirmations: u64,
    /// Seconds that a transaction waits for its block before it is replaced by a dearer one: when
    /// blocks came without it, or the present price is above its own.
    pub raise_after_s: u64,
    /// How many times the first offer a transaction may cost at most, however long it waits.
    pub raise_times_max: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            gas_price: None,
            confirmations: 1,
            raise_after_s: RAISE_AFTER_S,
            raise_times_max: RAISE_TIMES_MAX,
        }
    }
}

impl Policy {
    /// The head at which a transaction mined in `block` is confirmed.
    pub(crate) fn confirmed_at(&self, block: u64) -> u64 {
        block.saturating_add(self.confirmations.saturating_sub(1))
    }

    /// The most that may become of a first offer, in wei for one gas.
    pub(crate) fn dearest(&self, first: u128) -> u128 {
        match self.gas_price {
            Some(price) => price,
            None => first.saturating_mul(self.raise_times_max.max(1).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_block_is_the_first_confirmation() {
        let after = |confirmations| Policy {
            confirmations,
            ..Policy::default()
        };
        assert_eq!(Policy::default().confirmed_at(7), 7);
        assert_eq!(after(0).confirmed_at(7), 7);
        assert_eq!(after(3).confirmed_at(7), 9);
        assert_eq!(after(u64::MAX).confirmed_at(7), u64::MAX);
    }

    #[test]
    fn a_given_price_is_never_raised() {
        let given = Policy {
            gas_price: Some(3),
            ..Policy::default()
        };
        assert_eq!(given.dearest(3), 3);
        assert_eq!(Policy::default().dearest(3), 15);
        assert_eq!(Policy::default().dearest(u128::MAX), u128::MAX);
    }
}
