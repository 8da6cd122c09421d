//! What a wallet's owner says about all its transactions.

/// How transactions are priced and when they count as done (spec/client.md §1.3 `--confirms`,
/// Appendix B `--gas-price`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Wei per gas; none takes the node's price.
    pub gas_price: Option<u128>,
    /// Blocks that must hold a transaction, its own included; 0 counts as 1.
    pub confirmations: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            gas_price: None,
            confirmations: 1,
        }
    }
}

impl Policy {
    /// The head at which a transaction mined in `block` is confirmed.
    pub(crate) fn confirmed_at(&self, block: u64) -> u64 {
        block.saturating_add(self.confirmations.saturating_sub(1))
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
}
