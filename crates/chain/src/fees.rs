//! What a transaction offers for its gas, and how much more when it waits too long: for the queue
//! of a wallet, and for whoever deploys contracts.

use alloy::{
    consensus::{BlockHeader as _, Transaction as _, TxEnvelope},
    eips::BlockNumberOrTag,
    network::{BlockResponse as _, TransactionBuilder as _},
    providers::{DynProvider, Provider as _},
    rpc::types::TransactionRequest,
    transports::TransportError,
};

/// The base fee may double before a transaction is too cheap: six full blocks in a row.
const BASE_FEE_TIMES: u128 = 2;
/// Permille that a replacement pays of what it replaces: three such steps double the price.
const RAISE_PERMILLE: u128 = 1_250;
/// The least that nodes take for a replacement: geth asks for 10 % more, others for 12.5 %.
const RAISE_PERMILLE_MIN: u128 = 1_125;

/// What a node says about prices, in wei for one gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Of the newest block; none before EIP-1559, zero where gas can be free.
    pub base_fee: Option<u128>,
    /// What is usual for the whole.
    pub gas_price: u128,
}

impl Prices {
    /// What the node of `provider` says now.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn now(provider: &DynProvider) -> Result<Self, TransportError> {
        let latest = provider.get_block_by_number(BlockNumberOrTag::Latest);
        let (block, gas_price) =
            tokio::try_join!(async { latest.await }, provider.get_gas_price())?;
        let base_fee = block.and_then(|block| block.header().base_fee_per_gas());
        Ok(Self {
            base_fee: base_fee.map(u128::from),
            gas_price,
        })
    }
}

/// An offer, in wei for one gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fees {
    /// Before EIP-1559, where the base fee is zero, and where the owner says the price.
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
    /// Free chains take a price of zero; elsewhere there is room for a base fee that rises.
    pub fn new(prices: Prices) -> Self {
        let price = prices.gas_price;
        let Some(base_fee) = prices.base_fee.filter(|base_fee| *base_fee > 0) else {
            return Self::Legacy { price };
        };
        let tip = price.saturating_sub(base_fee);
        let most = base_fee.saturating_mul(BASE_FEE_TIMES).saturating_add(tip);
        Self::Dynamic { most, tip }
    }

    /// What a signed transaction offers.
    pub fn of(tx: &TxEnvelope) -> Self {
        match (tx.gas_price(), tx.max_priority_fee_per_gas()) {
            (None, Some(tip)) => Self::Dynamic {
                most: tx.max_fee_per_gas(),
                tip,
            },
            (price, _) => Self::Legacy {
                price: price.unwrap_or_default(),
            },
        }
    }

    /// The most that one gas may cost.
    pub fn most(self) -> u128 {
        match self {
            Self::Legacy { price } => price,
            Self::Dynamic { most, .. } => most,
        }
    }

    /// The most that a miner may get of it: all of a price before EIP-1559.
    fn tip(self) -> u128 {
        match self {
            Self::Legacy { price } => price,
            Self::Dynamic { tip, .. } => tip,
        }
    }

    /// Whether it is as much as others pay at present.
    pub fn suffices(self, prices: Prices) -> bool {
        self.fits(prices) && self.most() >= prices.gas_price
    }

    /// Whether a block at these prices takes it.
    pub fn fits(self, prices: Prices) -> bool {
        self.most() >= prices.base_fee.unwrap_or_default()
    }

    /// What takes this offer's place in a node: the present price, and more than this by so much
    /// that nodes accept it, up to `cap`. None when that is not possible.
    pub fn raised(self, prices: Prices, cap: u128) -> Option<Self> {
        let present = Self::new(prices);
        let (least, least_tip) = self.times(RAISE_PERMILLE_MIN);
        let is_free = self.most() == 0 && (1..=cap).contains(&present.most());
        if least > cap || least_tip > cap || (least <= self.most() && !is_free) {
            return None;
        }
        let (most, tip) = self.times(RAISE_PERMILLE);
        let most = most.max(present.most()).min(cap);
        Some(match present {
            Self::Legacy { .. } => Self::Legacy { price: most },
            Self::Dynamic { tip: usual, .. } => Self::Dynamic {
                most,
                tip: tip.max(usual).min(most),
            },
        })
    }

    fn times(self, permille: u128) -> (u128, u128) {
        let more = |wei: u128| wei.saturating_mul(permille).div_ceil(1_000);
        (more(self.most()), more(self.tip()))
    }

    /// `request` with this offer.
    pub fn offer(self, request: TransactionRequest) -> TransactionRequest {
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

    const fn prices(base_fee: u128, gas_price: u128) -> Prices {
        Prices {
            base_fee: Some(base_fee),
            gas_price,
        }
    }

    #[test]
    fn free_chains_get_one_price_and_others_room_for_the_base_fee() {
        assert_eq!(Fees::new(prices(0, 0)), Fees::Legacy { price: 0 });
        assert_eq!(Fees::new(prices(0, 9)), Fees::Legacy { price: 9 });
        let old = Prices {
            base_fee: None,
            gas_price: 9,
        };
        assert_eq!(Fees::new(old), Fees::Legacy { price: 9 });
        assert!(Fees::new(old).suffices(old) && Fees::new(old).fits(old));
        // Arbitrum names a price below twice its base fee and wants no tip
        let fees = Fees::new(prices(10, 10));
        assert_eq!(fees, Fees::Dynamic { most: 20, tip: 0 });
        let fees = Fees::new(prices(10, 13));
        assert_eq!(fees, Fees::Dynamic { most: 23, tip: 3 });
        assert!(fees.suffices(prices(20, 23)) && !fees.suffices(prices(24, 24)));
    }

    #[test]
    fn a_raise_outbids_and_follows_the_present_price() {
        let old = Fees::Dynamic {
            most: 1_000,
            tip: 100,
        };
        let raised = |now, cap| old.raised(now, cap);
        let (most, tip) = (1_250, 125);
        assert_eq!(
            raised(prices(10, 11), 5_000),
            Some(Fees::Dynamic { most, tip })
        );
        let (most, tip) = (2_150, 150);
        assert_eq!(
            raised(prices(1_000, 1_150), 5_000),
            Some(Fees::Dynamic { most, tip })
        );
        assert_eq!(
            raised(prices(0, 0), 5_000),
            Some(Fees::Legacy { price: 1_250 })
        );
    }

    #[test]
    fn an_offer_fits_until_the_base_fee_passes_it() {
        let offer = Fees::new(prices(10, 13));
        assert!(offer.fits(prices(23, 23)) && !offer.fits(prices(24, 24)));
        assert!(Fees::new(prices(0, 0)).fits(prices(0, 0)));
    }

    #[test]
    fn a_replacement_outbids_in_both_parts() {
        let raised = |old: Fees, now| old.raised(now, u128::MAX).unwrap();
        let old = Fees::new(prices(10, 13));
        let dearer = raised(old, prices(30, 33));
        assert_eq!(dearer, Fees::Dynamic { most: 63, tip: 4 });
        let cheaper = raised(old, prices(1, 1));
        assert_eq!(cheaper, Fees::Dynamic { most: 29, tip: 4 });
        assert_eq!(raised(old, prices(0, 1)), Fees::Legacy { price: 29 });
        let legacy = Fees::new(prices(0, 8));
        let (most, tip) = (10, 10);
        assert_eq!(raised(legacy, prices(1, 1)), Fees::Dynamic { most, tip });
        let free = Fees::Legacy { price: 0 };
        assert_eq!(
            raised(free, prices(10, 13)),
            Fees::Dynamic { most: 23, tip: 3 }
        );
    }

    #[test]
    fn nothing_is_offered_above_the_cap() {
        let old = Fees::Dynamic {
            most: 1_000,
            tip: 100,
        };
        let (most, tip) = (1_200, 125);
        let dear = prices(9_000, 9_100);
        assert_eq!(
            old.raised(dear, 1_200),
            Some(Fees::Dynamic {
                most,
                tip: tip.max(100)
            })
        );
        assert_eq!(old.raised(dear, 1_124), None);
        assert_eq!(Fees::Legacy { price: 0 }.raised(dear, 0), None);
        assert_eq!(Fees::Legacy { price: 0 }.raised(dear, 100), None);
    }

    #[test]
    fn every_raise_is_enough_for_nodes_until_the_cap() {
        for first in [1, 7, 1_000, 1_000_000_007_u128] {
            let (mut fees, mut raises) = (Fees::new(prices(first, first + first / 7)), 0);
            let cap = fees.most() * 5;
            while let Some(next) = fees.raised(prices(first, first + first / 7), cap) {
                assert!(
                    next.most() * 1_000 >= fees.most() * 1_125,
                    "{fees:?} {next:?}"
                );
                assert!(
                    next.tip() * 1_000 >= fees.tip() * 1_125,
                    "{fees:?} {next:?}"
                );
                assert!(next.most() <= cap && next.tip() <= next.most());
                fees = next;
                raises += 1;
            }
            assert!((4..16).contains(&raises), "{raises} raises of {first}");
        }
    }
}
