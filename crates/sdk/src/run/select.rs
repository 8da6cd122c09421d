//! Which published order is taken (spec/client.md §5.2). Pure: the books are read elsewhere.

use protocol::{
    Tag, U256,
    order::{Order, Signed, WorkerpoolOrder},
};

use crate::services::market::Published;

/// The first order that has something left: books are sorted by price.
///
/// The official client also takes consumed orders and then fails.
pub fn cheapest<O: Order>(
    orders: Vec<Published<O>>,
    fits: impl Fn(&O) -> bool,
) -> Option<Signed<O>> {
    orders
        .into_iter()
        .find(|offer| !offer.remaining.is_zero() && fits(&offer.order.order))
        .map(|offer| offer.order)
}

/// What a workerpool order must offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Union of what app, dataset and request ask.
    pub tag: Tag,
    /// At least this trust.
    pub trust: U256,
    /// Exactly this category; none for the smallest on offer.
    pub category: Option<u64>,
}

impl Demand {
    /// Whether `order` offers it.
    pub fn is_met_by(&self, order: &WorkerpoolOrder) -> bool {
        order.tag.covers(self.tag)
            && order.trust >= self.trust
            && self
                .category
                .is_none_or(|wanted| order.category == U256::from(wanted))
    }
}

/// The best computing on offer: smallest category first, then price, then the book's order.
pub fn workerpool(
    orders: Vec<Published<WorkerpoolOrder>>,
    demand: &Demand,
) -> Option<Signed<WorkerpoolOrder>> {
    let mut fitting: Vec<_> = orders
        .into_iter()
        .filter(|offer| !offer.remaining.is_zero() && demand.is_met_by(&offer.order.order))
        .collect();
    fitting.sort_by_key(|offer| {
        let order = &offer.order.order;
        (order.category, order.workerpoolprice)
    });
    fitting.into_iter().next().map(|offer| offer.order)
}

#[cfg(test)]
pub(crate) mod tests {
    use protocol::{Address, B256, Bytes, OrderHash};

    use super::*;

    pub(crate) fn pool_order(category: u64, price: u64, trust: u64, tag: Tag) -> WorkerpoolOrder {
        WorkerpoolOrder {
            workerpool: Address::repeat_byte(3),
            workerpoolprice: U256::from(price),
            volume: U256::from(10),
            tag,
            category: U256::from(category),
            trust: U256::from(trust),
            apprestrict: Address::ZERO,
            datasetrestrict: Address::ZERO,
            requesterrestrict: Address::ZERO,
            salt: B256::ZERO,
        }
    }

    fn published(order: WorkerpoolOrder, remaining: u64) -> Published<WorkerpoolOrder> {
        Published {
            order_hash: OrderHash::repeat(1),
            remaining: U256::from(remaining),
            order: Signed {
                order,
                sign: Bytes::new(),
            },
        }
    }

    const ANY: Demand = Demand {
        tag: Tag::NONE,
        trust: U256::ZERO,
        category: None,
    };

    #[test]
    fn the_smallest_category_then_the_lowest_price_wins() {
        let offers = || {
            vec![
                published(pool_order(1, 0, 0, Tag::NONE), 5),
                published(pool_order(0, 9, 0, Tag::NONE), 5),
                published(pool_order(0, 7, 0, Tag::NONE), 0),
                published(pool_order(0, 8, 0, Tag::NONE), 1),
            ]
        };
        let best = workerpool(offers(), &ANY).unwrap().order;
        assert_eq!(
            (best.category, best.workerpoolprice),
            (U256::ZERO, U256::from(8))
        );
        let one = Demand {
            category: Some(1),
            ..ANY
        };
        assert_eq!(
            workerpool(offers(), &one).unwrap().order.category,
            U256::from(1)
        );
        assert!(
            workerpool(
                offers(),
                &Demand {
                    category: Some(2),
                    ..ANY
                }
            )
            .is_none()
        );
    }

    #[test]
    fn tag_and_trust_must_be_offered() {
        let offers = || {
            vec![
                published(pool_order(0, 0, 0, Tag::NONE), 5),
                published(pool_order(0, 1, 5, Tag::TEE_TDX), 5),
            ]
        };
        let confidential = Demand {
            tag: Tag::TEE_TDX,
            ..ANY
        };
        let price = |demand: &Demand| workerpool(offers(), demand).map(|o| o.order.workerpoolprice);
        assert_eq!(price(&confidential), Some(U256::from(1)));
        assert_eq!(
            price(&Demand {
                trust: U256::from(3),
                ..ANY
            }),
            Some(U256::from(1))
        );
        assert_eq!(
            price(&Demand {
                trust: U256::from(6),
                ..ANY
            }),
            None
        );
    }

    #[test]
    fn consumed_orders_are_skipped() {
        let offers = vec![
            published(pool_order(0, 0, 0, Tag::NONE), 0),
            published(pool_order(0, 4, 0, Tag::NONE), 1),
        ];
        let taken = cheapest(offers, |_| true).unwrap();
        assert_eq!(taken.order.workerpoolprice, U256::from(4));
    }
}
