//! Whether four orders become a deal, and whether the requester can pay: the contract's rules
//! (spec/contracts.md §8.5, spec/client.md §5.3), before a transaction is paid for.

use std::fmt;

use protocol::{
    Address, U256,
    order::{AppOrder, DatasetOrder, RequestOrder, Signed, WorkerpoolOrder},
    rlc,
};

/// The four orders of a deal; the dataset order is [`Signed::none`] without a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orders {
    /// Sells the app.
    pub app: Signed<AppOrder>,
    /// Sells the dataset.
    pub dataset: Signed<DatasetOrder>,
    /// Sells the computing.
    pub workerpool: Signed<WorkerpoolOrder>,
    /// Asks for the run.
    pub request: Signed<RequestOrder>,
}

/// The first rule that the orders break; Display completes "orders cannot be matched: …".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Code 0x00.
    Category {
        /// Of the request.
        wanted: U256,
        /// Of the workerpool order.
        offered: U256,
    },
    /// Code 0x02.
    Trust {
        /// Of the request.
        wanted: U256,
        /// Of the workerpool order.
        offered: U256,
    },
    /// Codes 0x03–0x05.
    Price {
        /// `app`, `dataset` or `workerpool`.
        kind: &'static str,
        /// nRLC the request pays at most.
        max: U256,
        /// nRLC asked for.
        asked: U256,
    },
    /// Code 0x06.
    Tag,
    /// Code 0x07.
    AppNotConfidential,
    /// Codes 0x10–0x12: the request asks for another object.
    Other {
        /// `app`, `dataset` or `workerpool`.
        kind: &'static str,
    },
    /// Codes 0x13–0x1b: an order is restricted to somebody else.
    Restricted {
        /// Whose order.
        kind: &'static str,
        /// What it is restricted on.
        to: &'static str,
        /// The only one it allows.
        only: Address,
    },
    /// Code 0x60.
    Consumed {
        /// Whose order is used up.
        kind: &'static str,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Category { wanted, offered } => {
                write!(
                    f,
                    "category {wanted} is wanted, the workerpool order offers {offered}"
                )
            }
            Self::Trust { wanted, offered } => {
                write!(
                    f,
                    "trust {wanted} is wanted, the workerpool order offers {offered}"
                )
            }
            Self::Price { kind, max, asked } => {
                write!(
                    f,
                    "{kind}maxprice is {max} nRLC, the {kind} order asks {asked} nRLC"
                )
            }
            Self::Tag => f.write_str("the workerpool order does not offer the tag of the deal"),
            Self::AppNotConfidential => {
                f.write_str("dataset or request need the tag tee, the app order does not have it")
            }
            Self::Other { kind } => write!(f, "the request asks for another {kind}"),
            Self::Restricted { kind, to, only } => {
                write!(f, "the {kind} order is restricted to {to} {only}")
            }
            Self::Consumed { kind } => write!(f, "the {kind} order is fully consumed"),
        }
    }
}

/// Checks everything that the orders themselves say.
///
/// # Errors
/// The first [`Mismatch`] in the contract's order.
pub fn matchable(orders: &Orders) -> Result<(), Mismatch> {
    terms(orders)?;
    tags(orders)?;
    identities(orders)?;
    restrictions(orders)
}

fn terms(orders: &Orders) -> Result<(), Mismatch> {
    let (pool, request) = (&orders.workerpool.order, &orders.request.order);
    if request.category != pool.category {
        return Err(Mismatch::Category {
            wanted: request.category,
            offered: pool.category,
        });
    }
    if request.trust > pool.trust {
        return Err(Mismatch::Trust {
            wanted: request.trust,
            offered: pool.trust,
        });
    }
    let prices = [
        ("app", request.appmaxprice, orders.app.order.appprice),
        (
            "dataset",
            request.datasetmaxprice,
            orders.dataset.order.datasetprice,
        ),
        (
            "workerpool",
            request.workerpoolmaxprice,
            pool.workerpoolprice,
        ),
    ];
    match prices.into_iter().find(|(_, max, asked)| max < asked) {
        Some((kind, max, asked)) => Err(Mismatch::Price { kind, max, asked }),
        None => Ok(()),
    }
}

fn tags(orders: &Orders) -> Result<(), Mismatch> {
    let app = orders.app.order.tag;
    let dataset = orders.dataset.order.tag.without_framework();
    let tag = app.union(dataset).union(orders.request.order.tag);
    if !orders.workerpool.order.tag.covers(tag) {
        return Err(Mismatch::Tag);
    }
    match tag.is_tee() == app.is_tee() {
        true => Ok(()),
        false => Err(Mismatch::AppNotConfidential),
    }
}

fn identities(orders: &Orders) -> Result<(), Mismatch> {
    let request = &orders.request.order;
    let kind = if request.app != orders.app.order.app {
        "app"
    } else if request.dataset != orders.dataset.order.dataset {
        "dataset"
    } else if !allows(request.workerpool, orders.workerpool.order.workerpool) {
        "workerpool"
    } else {
        return Ok(());
    };
    Err(Mismatch::Other { kind })
}

fn restrictions(orders: &Orders) -> Result<(), Mismatch> {
    let (app, dataset) = (&orders.app.order, &orders.dataset.order);
    let (pool, request) = (&orders.workerpool.order, &orders.request.order);
    let rules = [
        ("app", "dataset", app.datasetrestrict, dataset.dataset),
        ("app", "workerpool", app.workerpoolrestrict, pool.workerpool),
        ("app", "requester", app.requesterrestrict, request.requester),
        ("dataset", "app", dataset.apprestrict, app.app),
        (
            "dataset",
            "workerpool",
            dataset.workerpoolrestrict,
            pool.workerpool,
        ),
        (
            "dataset",
            "requester",
            dataset.requesterrestrict,
            request.requester,
        ),
        ("workerpool", "app", pool.apprestrict, app.app),
        (
            "workerpool",
            "dataset",
            pool.datasetrestrict,
            dataset.dataset,
        ),
        (
            "workerpool",
            "requester",
            pool.requesterrestrict,
            request.requester,
        ),
    ];
    match rules
        .into_iter()
        .find(|(.., only, actual)| !allows(*only, *actual))
    {
        Some((kind, to, only, _)) => Err(Mismatch::Restricted { kind, to, only }),
        None => Ok(()),
    }
}

/// Group contracts are not looked into here: an order restricted to one may be refused.
fn allows(only: Address, actual: Address) -> bool {
    only.is_zero() || only == actual
}

/// nRLC one task costs.
pub fn cost_per_task(orders: &Orders) -> U256 {
    orders
        .app
        .order
        .appprice
        .saturating_add(orders.dataset.order.datasetprice)
        .saturating_add(orders.workerpool.order.workerpoolprice)
}

/// The requester's account does not cover the deal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// The requester.
    pub account: Address,
    /// nRLC the deal costs.
    pub needed: U256,
    /// nRLC free in the account.
    pub present: U256,
    /// nRLC locked in running deals.
    pub locked: U256,
    /// The chain's name, for the hint.
    pub chain: String,
}

impl Shortfall {
    /// The command that fixes it.
    pub fn hint(&self) -> String {
        let missing = self.needed.saturating_sub(self.present);
        format!(
            "deposit what is missing: `iexec account deposit {missing} nRLC --chain {}`",
            self.chain
        )
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the account of {} needs {} nRLC ({} RLC) for this deal, but has {} nRLC (and {} nRLC \
             locked in running deals)",
            self.account,
            self.needed,
            rlc::to_rlc(self.needed),
            self.present,
            self.locked
        )
    }
}

/// Whether `stake` covers `tasks` tasks.
///
/// # Errors
/// The [`Shortfall`].
pub fn solvent(
    orders: &Orders,
    tasks: U256,
    account: &chain::Account,
    chain: &str,
) -> Result<(), Box<Shortfall>> {
    let needed = cost_per_task(orders).saturating_mul(tasks);
    match needed <= account.stake {
        true => Ok(()),
        false => Err(Box::new(Shortfall {
            account: orders.request.order.requester,
            needed,
            present: account.stake,
            locked: account.locked,
            chain: chain.to_owned(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use protocol::{B256, Bytes, Tag};

    use super::*;
    use crate::run::select::tests::pool_order;

    fn orders() -> Orders {
        let app = AppOrder {
            app: Address::repeat_byte(1),
            appprice: U256::from(2),
            volume: U256::from(1),
            tag: Tag::NONE,
            datasetrestrict: Address::ZERO,
            workerpoolrestrict: Address::ZERO,
            requesterrestrict: Address::ZERO,
            salt: B256::ZERO,
        };
        let request = RequestOrder {
            app: app.app,
            appmaxprice: U256::from(2),
            dataset: Address::ZERO,
            datasetmaxprice: U256::ZERO,
            workerpool: Address::ZERO,
            workerpoolmaxprice: U256::from(5),
            requester: Address::repeat_byte(9),
            volume: U256::from(1),
            tag: Tag::NONE,
            category: U256::ZERO,
            trust: U256::ZERO,
            beneficiary: Address::repeat_byte(9),
            callback: Address::ZERO,
            params: String::new(),
            salt: B256::ZERO,
        };
        let sign = Bytes::new();
        Orders {
            app: Signed {
                order: app,
                sign: sign.clone(),
            },
            dataset: Signed::none(),
            workerpool: Signed {
                order: pool_order(0, 5, 1, Tag::NONE),
                sign: sign.clone(),
            },
            request: Signed {
                order: request,
                sign,
            },
        }
    }

    fn broken(change: impl FnOnce(&mut Orders)) -> Mismatch {
        let mut orders = orders();
        change(&mut orders);
        matchable(&orders).unwrap_err()
    }

    #[test]
    fn fitting_orders_match() {
        assert_eq!(matchable(&orders()), Ok(()));
        assert_eq!(cost_per_task(&orders()), U256::from(7));
    }

    #[test]
    fn every_rule_has_its_mismatch() {
        let two = U256::from(2);
        let category = broken(|o| o.request.order.category = two);
        assert_eq!(
            category,
            Mismatch::Category {
                wanted: two,
                offered: U256::ZERO
            }
        );
        assert!(matches!(
            broken(|o| o.request.order.trust = two),
            Mismatch::Trust { .. }
        ));
        let price = broken(|o| o.workerpool.order.workerpoolprice = U256::from(6));
        assert_eq!(
            price.to_string(),
            "workerpoolmaxprice is 5 nRLC, the workerpool order asks 6 nRLC"
        );
        assert_eq!(broken(|o| o.app.order.tag = Tag::TEE_TDX), Mismatch::Tag);
        let tee = broken(|o| {
            o.request.order.tag = Tag::TEE_TDX;
            o.workerpool.order.tag = Tag::TEE_TDX;
        });
        assert_eq!(tee, Mismatch::AppNotConfidential);
        let other = broken(|o| o.request.order.app = Address::ZERO);
        assert_eq!(other, Mismatch::Other { kind: "app" });
        let pool = broken(|o| o.request.order.workerpool = Address::repeat_byte(7));
        assert_eq!(pool, Mismatch::Other { kind: "workerpool" });
        let only = Address::repeat_byte(5);
        let restricted = broken(|o| o.app.order.requesterrestrict = only);
        assert_eq!(
            restricted,
            Mismatch::Restricted {
                kind: "app",
                to: "requester",
                only
            }
        );
        let dataset = broken(|o| o.workerpool.order.datasetrestrict = only);
        assert!(matches!(
            dataset,
            Mismatch::Restricted {
                kind: "workerpool",
                ..
            }
        ));
    }

    #[test]
    fn a_shortfall_says_what_to_do() {
        let account = chain::Account {
            stake: U256::from(10),
            locked: U256::from(3),
        };
        assert!(solvent(&orders(), U256::from(1), &account, "local").is_ok());
        let short = solvent(&orders(), U256::from(2), &account, "local").unwrap_err();
        assert_eq!(
            short.hint(),
            "deposit what is missing: `iexec account deposit 4 nRLC --chain local`"
        );
        let text = short.to_string();
        for part in ["14 nRLC", "10 nRLC", "3 nRLC", &short.account.to_string()] {
            assert!(text.contains(part), "{text}");
        }
    }
}
