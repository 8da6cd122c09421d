//! Orders that fit together, and deals made of them.
use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolCall;
use contracts::Hub;

use super::{Gen, Make};
use crate::mocks;
use crate::orders::Orders;
use crate::step::Step;

pub(super) const OPS: &[(u64, &str, Make)] = &[
    (26, "matchOrders", match_orders),
    (8, "sponsorMatchOrders", sponsor_match_orders),
    (14, "matchOrders, spoilt", match_spoilt),
    (3, "sponsorMatchOrders, spoilt", sponsor_spoilt),
    (2, "matchOrders, huge", match_huge),
    (3, "computeDealVolume", compute_deal_volume),
    (10, "assertDatasetDealCompatibility", assert_compatibility),
];

/// The bit of a tag that asks for a TEE, and those that name a framework.
pub(super) const TEE: U256 = U256::ONE;
pub(super) const FRAMEWORKS: u64 = 0x0e;
/// Prices in nRLC, cheap enough that nobody is ruined.
const PRICES: [u64; 8] = [
    0,
    0,
    1,
    3,
    1_000_000,
    10_000_019,
    1_000_000_000,
    3_333_333_333,
];
/// Deals of categories with a longer time reference, in seconds, would never end.
const CLOCK_MAX: U256 = U256::from_limbs([1 << 48, 0, 0, 0]);
const TRUSTS: [u64; 12] = [0, 1, 1, 1, 1, 2, 2, 3, 4, 5, 9, 17];

fn match_orders(g: &mut Gen<'_>) -> Step {
    let orders = g.offers();
    let from = g.rich();
    Step::new(from, g.hub(), &orders.call()).with_orders(orders)
}

fn sponsor_match_orders(g: &mut Gen<'_>) -> Step {
    let orders = g.offers();
    let sponsor = g.dice.pick(&g.cast.sponsors);
    let from = g.mostly(sponsor);
    Step::new(from, g.hub(), &orders.sponsored()).with_orders(orders)
}

fn match_spoilt(g: &mut Gen<'_>) -> Step {
    let orders = g.spoilt();
    let from = g.rich();
    Step::new(from, g.hub(), &orders.call())
}

fn sponsor_spoilt(g: &mut Gen<'_>) -> Step {
    let orders = g.spoilt();
    let from = g.rich();
    Step::new(from, g.hub(), &orders.sponsored())
}

/// Numbers at the edge of a representation; free of charge, or nobody could lock it.
fn match_huge(g: &mut Gen<'_>) -> Step {
    let dataset = g.dice.chance(30);
    let mut orders = g.fresh(dataset);
    let huge = g.dice.huge();
    match g.dice.below(5) {
        0 => (orders.workerpool.trust, orders.request.trust) = (huge, huge),
        1 => {
            orders.workerpool.workerpoolprice = huge;
            orders.request.workerpoolmaxprice = U256::MAX;
        }
        2 => {
            orders.app.appprice = huge;
            orders.request.appmaxprice = U256::MAX;
        }
        3 => {
            orders.dataset.datasetprice = huge;
            orders.request.datasetmaxprice = U256::MAX;
        }
        _ => {
            orders.app.appprice = U256::ZERO;
            orders.dataset.datasetprice = U256::ZERO;
            orders.workerpool.workerpoolprice = U256::ZERO;
            for volume in orders.volumes() {
                *volume = huge;
            }
        }
    }
    g.sign_all(&mut orders);
    let from = g.rich();
    Step::new(from, g.hub(), &orders.call()).with_orders(orders)
}

fn compute_deal_volume(g: &mut Gen<'_>) -> Step {
    let orders = g.offers();
    let call = Hub::computeDealVolumeCall {
        apporder: orders.app,
        datasetorder: orders.dataset,
        workerpoolorder: orders.workerpool,
        requestorder: orders.request,
    };
    let from = g.rich();
    Step::new(from, g.hub(), &call)
}

/// Mostly about a deal without a dataset, and an order that fits or has one fault.
fn assert_compatibility(g: &mut Gen<'_>) -> Step {
    let without = g
        .known
        .deals
        .iter()
        .filter(|deal| deal.view.dataset.pointer.is_zero());
    let without: Vec<_> = without.cloned().collect();
    let deal = g.dice.recent(&without).or_else(|| g.deal());
    let from = g.rich();
    let Some(deal) = deal else {
        return Step::raw(
            from,
            g.hub(),
            Hub::assertDatasetDealCompatibilityCall::SELECTOR.into(),
        );
    };
    let request = Hub::RequestOrder {
        dataset: g.dice.find(&g.known.entries[1]).unwrap_or_default(),
        app: deal.view.app.pointer,
        requester: deal.view.requester,
        volume: U256::from(1),
        ..Default::default()
    };
    let mut order = g.new_dataset_order(&request);
    let mut dealId = deal.id;
    let owner = g.known.owner_of(order.dataset);
    match g.dice.below(14) {
        0 => order.volume = U256::ZERO,
        1 => dealId = g.dice.word(),
        2 => dealId = g.deal_id(),
        3 => order.apprestrict = g.foreign_group(),
        4 => order.workerpoolrestrict = g.foreign_group(),
        5 => order.requesterrestrict = g.foreign_group(),
        6 => order.tag = B256::from(U256::from(1 << g.dice.below(12))),
        7 => order = g.dice.find(&g.known.book.datasets).unwrap_or(order),
        8 => order.dataset = g.dice.pick(&mocks::ALL),
        _ => order.tag = deal.view.tag,
    }
    match g.dice.below(12) {
        0 => g.forge(owner, &mut order),
        _ => g.sign(owner, &mut order),
    }
    let datasetOrder = order;
    let call = Hub::assertDatasetDealCompatibilityCall {
        datasetOrder,
        dealId,
    };
    Step::new(from, g.hub(), &call)
}

impl Gen<'_> {
    /// Four signed orders that agree, some of them used before.
    pub(super) fn offers(&mut self) -> Orders {
        let request = match self.dice.recent(&self.known.book.requests) {
            Some(request) if self.dice.chance(20) => request,
            _ => {
                let dataset = self.dice.chance(40);
                self.new_request(dataset)
            }
        };
        let mut orders = self.fit(request);
        self.reuse(&mut orders);
        self.sign_all(&mut orders);
        orders
    }

    /// The same, of nothing but new orders, and not signed.
    pub(super) fn fresh(&mut self, dataset: bool) -> Orders {
        let request = self.new_request(dataset);
        self.fit(request)
    }

    /// Signs what is not signed yet. Reused orders keep what they have, presigned ones nothing.
    pub(super) fn sign_all(&mut self, orders: &mut Orders) {
        let owner = |entry| self.known.owner_of(entry);
        let [app, dataset, pool] = [
            owner(orders.app.app),
            owner(orders.dataset.dataset),
            owner(orders.workerpool.workerpool),
        ];
        if !self.known.book.apps.contains(&orders.app) {
            self.sign(app, &mut orders.app);
        }
        let known = self.known.book.datasets.contains(&orders.dataset);
        if !known && !orders.dataset.dataset.is_zero() {
            self.sign(dataset, &mut orders.dataset);
        }
        if !self.known.book.pools.contains(&orders.workerpool) {
            self.sign(pool, &mut orders.workerpool);
        }
        if !self.known.book.requests.contains(&orders.request) {
            self.sign(orders.request.requester, &mut orders.request);
        }
    }

    /// What a sponsor has to lock, if it is not beyond all measure.
    pub(super) fn price_of(&self, orders: &Orders) -> U256 {
        let price = (orders.app.appprice)
            .saturating_add(orders.dataset.datasetprice)
            .saturating_add(orders.workerpool.workerpoolprice);
        price
            .saturating_mul(orders.request.volume)
            .min(U256::from(1_u64 << 50))
    }

    fn price(&mut self) -> U256 {
        U256::from(self.dice.pick(&PRICES))
    }

    /// What asks for a TEE, names frameworks, or means nothing to the hub.
    fn tag(&mut self) -> U256 {
        match self.dice.below(10) {
            0 | 1 => TEE,
            2 => U256::from(3),
            3 => U256::from(self.dice.below(16)),
            4 => self.dice.word().into(),
            _ => U256::ZERO,
        }
    }

    fn volume(&mut self) -> U256 {
        U256::from(1 + self.dice.below(4))
    }

    pub(super) fn new_request(&mut self, dataset: bool) -> Hub::RequestOrder {
        let category = self.category();
        let trust = self.dice.pick(&TRUSTS);
        let dataset = self.dice.find(&self.known.entries[1]).filter(|_| dataset);
        Hub::RequestOrder {
            app: self.dice.find(&self.known.entries[0]).unwrap_or_default(),
            appmaxprice: self.price(),
            dataset: dataset.unwrap_or_default(),
            datasetmaxprice: self.price(),
            workerpool: Address::ZERO,
            workerpoolmaxprice: self.price(),
            requester: self.dice.pick(&self.cast.requesters[..3]),
            volume: self.volume(),
            tag: self.tag().into(),
            category: U256::from(category),
            trust: U256::from(trust),
            beneficiary: self.anyone(),
            callback: self.callback(),
            params: self.text(),
            salt: self.dice.word(),
            sign: Default::default(),
        }
    }

    /// Mostly a short one; none that would last for ever.
    fn category(&mut self) -> u64 {
        let any = self.dice.below(self.known.categories.len() as u64);
        let short = self.dice.below(3);
        let bearable = self.known.categories[any as usize] < CLOCK_MAX;
        if bearable && self.dice.chance(25) {
            any
        } else {
            short
        }
    }

    fn callback(&mut self) -> Address {
        let consumers = [
            mocks::ECHO,
            mocks::ECHO,
            mocks::RELAY,
            mocks::RELAY,
            mocks::REVERTS,
            mocks::BURNER,
            mocks::SILENT,
            mocks::NOTHING,
            self.hub(),
        ];
        if self.dice.chance(65) {
            return Address::ZERO;
        }
        self.dice.pick(&consumers)
    }

    /// New orders of all the others for a request.
    fn fit(&mut self, request: Hub::RequestOrder) -> Orders {
        let mut orders = Orders {
            app: self.new_app_order(&request),
            dataset: Hub::DatasetOrder::default(),
            workerpool: Hub::WorkerpoolOrder::default(),
            request,
        };
        if !orders.request.dataset.is_zero() {
            orders.dataset = self.new_dataset_order(&orders.request);
        }
        orders.workerpool = self.new_pool_order(&orders);
        self.restrict(&mut orders);
        orders
    }

    fn new_app_order(&mut self, request: &Hub::RequestOrder) -> Hub::AppOrder {
        let extra = if self.dice.chance(15) {
            self.tag() & !TEE
        } else {
            U256::ZERO
        };
        let tee = U256::from_be_bytes(request.tag.0) & TEE;
        Hub::AppOrder {
            app: request.app,
            appprice: self.price().min(request.appmaxprice),
            volume: self.volume() + request.volume,
            tag: (tee | extra).into(),
            salt: self.dice.word(),
            ..Default::default()
        }
    }

    pub(super) fn new_dataset_order(&mut self, request: &Hub::RequestOrder) -> Hub::DatasetOrder {
        // Frameworks that nobody else names are a known difference: rarely.
        let frameworks = if self.dice.chance(8) {
            self.dice.below(16) & FRAMEWORKS
        } else {
            0
        };
        let shared = if self.dice.chance(50) {
            request.tag
        } else {
            B256::ZERO
        };
        Hub::DatasetOrder {
            dataset: request.dataset,
            datasetprice: self.price().min(request.datasetmaxprice),
            volume: self.volume() + request.volume,
            tag: (U256::from_be_bytes(shared.0) | U256::from(frameworks)).into(),
            salt: self.dice.word(),
            ..Default::default()
        }
    }

    fn new_pool_order(&mut self, orders: &Orders) -> Hub::WorkerpoolOrder {
        let request = &orders.request;
        let tag = orders.app.tag | orders.dataset.tag | request.tag;
        let more = if self.dice.chance(30) {
            self.dice.word()
        } else {
            B256::ZERO
        };
        Hub::WorkerpoolOrder {
            workerpool: self.dice.find(&self.known.entries[2]).unwrap_or_default(),
            workerpoolprice: self.price().min(request.workerpoolmaxprice),
            volume: self.volume() + request.volume,
            tag: tag | more,
            category: request.category,
            trust: request.trust + U256::from(self.dice.below(2)),
            salt: self.dice.word(),
            ..Default::default()
        }
    }

    /// Restrictions that are met, now and then.
    fn restrict(&mut self, orders: &mut Orders) {
        let (app, dataset) = (orders.app.app, orders.dataset.dataset);
        let (pool, requester) = (orders.workerpool.workerpool, orders.request.requester);
        let fields = [
            (&mut orders.app.workerpoolrestrict, pool),
            (&mut orders.app.requesterrestrict, requester),
            (&mut orders.app.datasetrestrict, dataset),
            (&mut orders.dataset.apprestrict, app),
            (&mut orders.dataset.workerpoolrestrict, pool),
            (&mut orders.dataset.requesterrestrict, requester),
            (&mut orders.workerpool.apprestrict, app),
            (&mut orders.workerpool.datasetrestrict, dataset),
            (&mut orders.workerpool.requesterrestrict, requester),
        ];
        for (field, member) in fields {
            match self.dice.below(14) {
                0 => *field = member,
                1 => *field = mocks::ONE,
                _ => {}
            }
        }
        if self.dice.chance(10) && orders.request.sign.is_empty() {
            orders.request.workerpool = pool;
        }
    }

    /// Puts older orders in place of the new ones where they fit.
    fn reuse(&mut self, orders: &mut Orders) {
        let request = &orders.request;
        let asked = orders.app.tag | orders.dataset.tag | request.tag;
        let book = &self.known.book;
        let apps = book.apps.iter().filter(|order| {
            let tee = (order.tag[31] ^ orders.app.tag[31]) & 1 == 1;
            order.app == request.app && order.appprice <= request.appmaxprice && !tee
        });
        let datasets = book.datasets.iter().filter(|order| {
            order.dataset == request.dataset && order.datasetprice <= request.datasetmaxprice
        });
        let pools = book.pools.iter().filter(|order| {
            order.category == request.category
                && order.workerpoolprice <= request.workerpoolmaxprice
                && order.trust >= request.trust
                && asked & !order.tag == B256::ZERO
        });
        let apps: Vec<_> = apps.cloned().collect();
        let datasets: Vec<_> = datasets.cloned().collect();
        let pools: Vec<_> = pools.cloned().collect();
        if let Some(order) = self.dice.find(&apps).filter(|_| self.dice.chance(30)) {
            orders.app = order;
        }
        if let Some(order) = self.dice.find(&datasets).filter(|_| self.dice.chance(30)) {
            orders.dataset = order;
        }
        if let Some(order) = self.dice.find(&pools).filter(|_| self.dice.chance(30)) {
            orders.workerpool = order;
        }
    }
}

impl Orders {
    pub(super) fn volumes(&mut self) -> [&mut U256; 4] {
        [
            &mut self.app.volume,
            &mut self.dataset.volume,
            &mut self.workerpool.volume,
            &mut self.request.volume,
        ]
    }
}
