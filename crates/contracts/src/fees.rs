//! What a transaction offers for its gas, on chains that price it by block and on those that do
//! not.
use alloy::network::TransactionBuilder as _;
use alloy::rpc::types::TransactionRequest;

/// The base fee may double before a transaction is too cheap: six full blocks in a row.
const BASE_FEE_TIMES: u128 = 2;
/// Percent by which a transaction must outbid the one it replaces; nodes ask for 10 to 12.5.
const OUTBID_PERCENT: u128 = 25;

/// What a node says about prices, in wei for one gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prices {
    /// Of the newest block; none before EIP-1559, zero where gas can be free.
    pub(crate) base_fee: Option<u128>,
    /// What is usual for the whole.
    pub(crate) gas_price: u128,
}

/// An offer, in wei for one gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fees {
    /// Before EIP-1559, and where the base fee is zero.
    Legacy {
        /// The whole.
        price: u128,
    },
    /// EIP-1559.
    Dynamic {
        /// The most that is paid.
        most: u128,
        /// What the miner gets of it.
        tip: u128,
    },
}

impl Fees {
    pub(crate) fn new(prices: Prices) -> Self {
        let price = prices.gas_price;
        let Some(base_fee) = prices.base_fee.filter(|base_fee| *base_fee > 0) else {
            return Self::Legacy { price };
        };
        let tip = price.saturating_sub(base_fee);
        Self::Dynamic {
            most: base_fee * BASE_FEE_TIMES + tip,
            tip,
        }
    }

    /// Raised where needed, so that nodes let it take the place of `old`.
    pub(crate) fn above(self, old: Self) -> Self {
        let above = |new: u128, old: u128| new.max((old * (100 + OUTBID_PERCENT)).div_ceil(100));
        match (self, old) {
            (
                Self::Dynamic { most, tip },
                Self::Dynamic {
                    most: old,
                    tip: old_tip,
                },
            ) => Self::Dynamic {
                most: above(most, old),
                tip: above(tip, old_tip),
            },
            (Self::Dynamic { most, tip }, old) => Self::Dynamic {
                most: above(most, old.most()),
                tip: above(tip, old.most()),
            },
            (Self::Legacy { price }, old) => Self::Legacy {
                price: above(price, old.most()),
            },
        }
    }

    /// The most that one gas may cost.
    pub(crate) fn most(self) -> u128 {
        match self {
            Self::Legacy { price } => price,
            Self::Dynamic { most, .. } => most,
        }
    }

    /// Whether a block at these prices takes it.
    pub(crate) fn suffices(self, prices: Prices) -> bool {
        self.most() >= prices.base_fee.unwrap_or_default()
    }

    pub(crate) fn offer(self, request: TransactionRequest) -> TransactionRequest {
        match self {
            Self::Legacy { price } => request.with_gas_price(price),
            Self::Dynamic { most, tip } => request
                .with_max_fee_per_gas(most)
                .with_max_priority_fee_per_gas(tip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fees(base_fee: u128, gas_price: u128) -> Fees {
        Fees::new(Prices {
            base_fee: Some(base_fee),
            gas_price,
        })
    }

    #[test]
    fn free_and_old_chains_get_one_price() {
        assert_eq!(fees(0, 0), Fees::Legacy { price: 0 });
        assert_eq!(fees(0, 9), Fees::Legacy { price: 9 });
        let old = Prices {
            base_fee: None,
            gas_price: 9,
        };
        assert_eq!(Fees::new(old), Fees::Legacy { price: 9 });
        assert!(Fees::new(old).suffices(old));
    }

    #[test]
    fn others_get_room_for_the_base_fee() {
        assert_eq!(fees(10, 13), Fees::Dynamic { most: 23, tip: 3 });
        // Arbitrum names a price below twice its base fee and wants no tip
        assert_eq!(fees(10, 10), Fees::Dynamic { most: 20, tip: 0 });
    }

    #[test]
    fn a_replacement_outbids_in_both_parts() {
        let old = fees(10, 13);
        let dearer = fees(30, 33);
        assert_eq!(dearer.above(old), Fees::Dynamic { most: 63, tip: 4 });
        let cheaper = fees(1, 1);
        assert_eq!(cheaper.above(old), Fees::Dynamic { most: 29, tip: 4 });
        assert_eq!(fees(0, 1).above(old), Fees::Legacy { price: 29 });
        assert_eq!(
            fees(1, 1).above(fees(0, 8)),
            Fees::Dynamic { most: 10, tip: 10 }
        );
    }

    #[test]
    fn an_offer_suffices_until_the_base_fee_passes_it() {
        let offer = fees(10, 13);
        let prices = |base_fee| Prices {
            base_fee: Some(base_fee),
            gas_price: base_fee,
        };
        assert!(offer.suffices(prices(23)));
        assert!(!offer.suffices(prices(24)));
        assert!(fees(0, 0).suffices(prices(0)));
    }
}
