//! May this order be published? One function per check; [`crate::publish`] asks them in the
//! official order (spec/market-explorer.md §6).

use protocol::{Address, U256, order::Kind};

use super::Denial;
use crate::{order::Terms, record::Status};

/// Percent of the workerpool price that the pool's owner locks for each task
/// (spec/contracts.md §2).
const POOL_STAKE_PERCENT: u64 = 30;

/// A hash is published once, unless the order died meanwhile.
///
/// # Errors
/// [`Denial::AlreadyPublished`].
pub fn unpublished(known: Option<Status>) -> Result<(), Denial> {
    match known {
        None | Some(Status::Dead) => Ok(()),
        Some(_) => Err(Denial::AlreadyPublished),
    }
}

/// Only the signer publishes.
///
/// # Errors
/// [`Denial::PublishByOther`].
pub fn by_signer(signer: Address, authorised: Address) -> Result<(), Denial> {
    if signer == authorised {
        return Ok(());
    }
    Err(Denial::PublishByOther(signer))
}

/// A wallet has at most `max` open orders of a kind.
///
/// # Errors
/// [`Denial::TooManyOpen`].
pub fn within_limit(kind: Kind, signer: Address, open: u64, max: u64) -> Result<(), Denial> {
    if open < max {
        return Ok(());
    }
    Err(Denial::TooManyOpen { max, kind, signer })
}

/// Tasks left of `volume` after `consumed`; never 0.
///
/// # Errors
/// [`Denial::Consumed`].
pub fn remaining(volume: u64, consumed: U256) -> Result<u64, Denial> {
    match left(volume, consumed) {
        0 => Err(Denial::Consumed),
        left => Ok(left),
    }
}

/// Tasks left of `volume` after `consumed`.
pub fn left(volume: u64, consumed: U256) -> u64 {
    U256::from(volume).saturating_sub(consumed).saturating_to()
}

/// Whether the signer could lock or pay what all `remaining` tasks need. The stake per task of a
/// pool is rounded down, so prices up to 3 nRLC need none.
///
/// # Errors
/// [`Denial::WorkerpoolStake`] or [`Denial::RequesterStake`].
pub fn solvent(kind: Kind, terms: &Terms, remaining: u64, stake: U256) -> Result<(), Denial> {
    let needed = cost(kind, terms, remaining);
    match kind {
        Kind::Workerpool if stake < needed => Err(Denial::WorkerpoolStake),
        Kind::Request if stake < needed => Err(Denial::RequesterStake(needed)),
        _ => Ok(()),
    }
}

/// nRLC of stake that an order of `kind` needs for `remaining` tasks; 0 for apps and datasets.
pub fn cost(kind: Kind, terms: &Terms, remaining: u64) -> U256 {
    let each = match kind {
        Kind::App | Kind::Dataset => U256::ZERO,
        Kind::Workerpool => {
            U256::from(terms.price) * U256::from(POOL_STAKE_PERCENT) / U256::from(100)
        }
        Kind::Request => [terms.price, terms.app_max_price, terms.dataset_max_price]
            .into_iter()
            .map(U256::from)
            .sum(),
    };
    each * U256::from(remaining)
}

/// What a request needs to find in another book before it can be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// App or dataset.
    pub kind: Kind,
    /// Which one.
    pub resource: Address,
    /// The highest price, nRLC a task.
    pub max_price: u64,
    /// Whether the counterpart must be for enclaves; datasets are not asked.
    pub tee: bool,
}

impl Need {
    /// What a request with these terms needs: an app always, a dataset if it names one.
    pub fn of(request: &Terms) -> impl Iterator<Item = Self> {
        let app = Self {
            kind: Kind::App,
            resource: request.app,
            max_price: request.app_max_price,
            tee: request.tag.is_tee(),
        };
        let dataset = Self {
            kind: Kind::Dataset,
            resource: request.dataset,
            max_price: request.dataset_max_price,
            tee: false,
        };
        [Some(app), (!request.dataset.is_zero()).then_some(dataset)]
            .into_iter()
            .flatten()
    }

    /// Whether the `best` price offered (nRLC a task), if any, is good enough.
    ///
    /// # Errors
    /// [`Denial::NoOffer`] or [`Denial::TooDear`].
    pub fn met_by(self, best: Option<u64>) -> Result<(), Denial> {
        let Self {
            kind,
            resource,
            tee,
            ..
        } = self;
        match best {
            None => Err(Denial::NoOffer {
                kind,
                tee,
                resource,
            }),
            Some(best) if best > self.max_price => Err(Denial::TooDear {
                kind,
                resource,
                best,
            }),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::terms;
    use protocol::Tag;

    #[test]
    fn only_dead_orders_come_back() {
        assert!(unpublished(None).is_ok());
        assert!(unpublished(Some(Status::Dead)).is_ok());
        for status in [Status::Open, Status::Filled, Status::Canceled] {
            assert_eq!(unpublished(Some(status)), Err(Denial::AlreadyPublished));
        }
    }

    #[test]
    fn what_is_left_is_never_negative() {
        assert_eq!(remaining(3, U256::from(1)), Ok(2));
        assert_eq!(remaining(3, U256::from(3)), Err(Denial::Consumed));
        assert_eq!(remaining(3, U256::MAX), Err(Denial::Consumed));
    }

    #[test]
    fn pool_stake_is_rounded_down_per_task() {
        let cheap = Terms {
            price: 3,
            ..terms()
        };
        assert!(solvent(Kind::Workerpool, &cheap, 1_000_000, U256::ZERO).is_ok());
        let dear = Terms {
            price: 10,
            ..terms()
        };
        assert_eq!(cost(Kind::Workerpool, &dear, 3), U256::from(9));
        assert!(solvent(Kind::Workerpool, &dear, 3, U256::from(9)).is_ok());
        let poor = solvent(Kind::Workerpool, &dear, 3, U256::from(8));
        assert_eq!(poor, Err(Denial::WorkerpoolStake));
    }

    #[test]
    fn a_request_is_covered_at_its_highest_prices() {
        let request = Terms {
            price: 100,
            app_max_price: 10,
            dataset_max_price: 1,
            ..terms()
        };
        let denial = solvent(Kind::Request, &request, 2, U256::from(221)).unwrap_err();
        assert_eq!(
            denial.to_string(),
            "requester stake is too low to cover requestorder payment, \
             minimum stake required is 222 nRLC"
        );
        let most = Terms {
            price: u64::MAX,
            ..request
        };
        assert!(solvent(Kind::Request, &most, u64::MAX, U256::MAX).is_ok());
    }

    #[test]
    fn needs_follow_the_request() {
        let app = Address::repeat_byte(0xa1);
        let request = Terms {
            app,
            tag: Tag::TEE_TDX,
            app_max_price: 4,
            ..terms()
        };
        let needs: Vec<_> = Need::of(&request).collect();
        assert_eq!(needs.len(), 1, "no dataset, no need for one");
        assert_eq!(
            needs[0].met_by(None).unwrap_err().to_string(),
            format!("No tee enabled apporder published for app {app}")
        );
        assert_eq!(
            needs[0].met_by(Some(5)).unwrap_err().to_string(),
            format!("appmaxprice for app {app} is too low, actual best price is 5 nRLC")
        );
        assert_eq!(needs[0].met_by(Some(4)), Ok(()));
        let with_data = Terms {
            dataset: Address::repeat_byte(0xd1),
            ..request
        };
        let data = Need::of(&with_data).nth(1).unwrap();
        assert!(!data.tee);
    }

    #[test]
    fn full_books_and_strangers_are_refused() {
        let signer = Address::repeat_byte(7);
        assert!(within_limit(Kind::Dataset, signer, 11, 12).is_ok());
        assert_eq!(
            within_limit(Kind::Dataset, signer, 12, 12)
                .unwrap_err()
                .to_string(),
            format!(
                "maximum of 12 published open datasetorder has been reached for wallet {signer}"
            )
        );
        assert!(by_signer(signer, signer).is_ok());
        assert!(by_signer(signer, Address::ZERO).is_err());
    }
}
