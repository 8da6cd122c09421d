//! Orders that are signed or closed on the chain, or shown to everybody.
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::SolCall;
use contracts::Hub;

use super::{Gen, Make};
use crate::orders::{Order, typed};
use crate::step::{Offer, Step};

pub(super) const OPS: &[(u64, &str, Make)] = &[
    (6, "manageAppOrder", manage_app),
    (6, "manageDatasetOrder", manage_dataset),
    (6, "manageWorkerpoolOrder", manage_pool),
    (6, "manageRequestOrder", manage_request),
    (1, "broadcastAppOrder", broadcast_app),
    (1, "broadcastDatasetOrder", broadcast_dataset),
    (1, "broadcastWorkerpoolOrder", broadcast_pool),
    (1, "broadcastRequestOrder", broadcast_request),
];

const SIGN: u8 = 0;
const CLOSE: u8 = 1;

/// Who sends a management of an order, and what it carries.
struct Management {
    from: Address,
    operation: u8,
    sign: Bytes,
}

impl Gen<'_> {
    /// By the owner itself, by anybody with the owner's signature, or by nobody who may.
    fn manage(&mut self, owner: Address, typed: impl Fn(U256) -> B256) -> Management {
        let operation = match self.dice.below(20) {
            0 => self.dice.pick(&[2, 3, 0xff]),
            1..5 => CLOSE,
            _ => SIGN,
        };
        let hash = typed(U256::from(operation));
        let (from, sign) = match self.dice.below(10) {
            0..6 => (owner, Default::default()),
            6..9 => (self.rich(), self.cast.sign(self.dice, owner, hash)),
            _ => (self.rich(), self.cast.forge(self.dice, owner, hash)),
        };
        Management {
            from,
            operation,
            sign,
        }
    }

    fn management(
        &mut self,
        owner: Address,
        hash: impl Fn(U256) -> B256,
        call: impl Fn(u8, Bytes) -> Vec<u8>,
        offer: Offer,
    ) -> Step {
        let managed = self.manage(owner, hash);
        let data = call(managed.operation, managed.sign);
        let step = Step::raw(managed.from, self.hub(), data.into());
        if managed.operation == SIGN {
            step.with_offer(offer)
        } else {
            step
        }
    }

    /// New, or one that was used before.
    fn either<T: Clone>(&mut self, new: T, book: &[T]) -> T {
        match self.dice.find(book) {
            Some(order) if self.dice.chance(25) => order,
            _ => new,
        }
    }

    fn owner_of_any(&mut self, entry: Address) -> Address {
        let owner = self.known.owner_of(entry);
        if owner.is_zero() { self.rich() } else { owner }
    }
}

fn manage_app(g: &mut Gen<'_>) -> Step {
    let mut new = g.fresh(false).app;
    new.app = if g.dice.chance(90) {
        new.app
    } else {
        g.entry(0)
    };
    let book = &g.known.book.apps;
    let order = g.either(new, book);
    let separator = g.known.separator;
    let hash = |operation| {
        let order = order.typed();
        super::typed_data(separator, &typed::AppOrderOperation { order, operation })
    };
    let call = |operation: u8, sign| {
        let order = order.clone();
        let operation = Hub::AppOrderOperation {
            order,
            operation,
            sign,
        };
        Hub::manageAppOrderCall {
            apporderoperation: operation,
        }
        .abi_encode()
    };
    let owner = g.owner_of_any(order.app);
    g.management(owner, hash, call, Offer::App(order.clone()))
}

fn manage_dataset(g: &mut Gen<'_>) -> Step {
    let mut new = g.fresh(true).dataset;
    new.dataset = if g.dice.chance(90) {
        new.dataset
    } else {
        g.entry(1)
    };
    let book = &g.known.book.datasets;
    let order = g.either(new, book);
    let separator = g.known.separator;
    let hash = |operation| {
        let order = order.typed();
        super::typed_data(
            separator,
            &typed::DatasetOrderOperation { order, operation },
        )
    };
    let call = |operation: u8, sign| {
        let order = order.clone();
        let operation = Hub::DatasetOrderOperation {
            order,
            operation,
            sign,
        };
        Hub::manageDatasetOrderCall {
            datasetorderoperation: operation,
        }
        .abi_encode()
    };
    let owner = g.owner_of_any(order.dataset);
    g.management(owner, hash, call, Offer::Dataset(order.clone()))
}

fn manage_pool(g: &mut Gen<'_>) -> Step {
    let mut new = g.fresh(false).workerpool;
    new.workerpool = if g.dice.chance(90) {
        new.workerpool
    } else {
        g.entry(2)
    };
    let book = &g.known.book.pools;
    let order = g.either(new, book);
    let separator = g.known.separator;
    let hash = |operation| {
        let order = order.typed();
        super::typed_data(
            separator,
            &typed::WorkerpoolOrderOperation { order, operation },
        )
    };
    let call = |operation: u8, sign| {
        let order = order.clone();
        let operation = Hub::WorkerpoolOrderOperation {
            order,
            operation,
            sign,
        };
        Hub::manageWorkerpoolOrderCall {
            workerpoolorderoperation: operation,
        }
        .abi_encode()
    };
    let owner = g.owner_of_any(order.workerpool);
    g.management(owner, hash, call, Offer::Pool(order.clone()))
}

fn manage_request(g: &mut Gen<'_>) -> Step {
    let dataset = g.dice.chance(40);
    let mut new = g.new_request(dataset);
    new.requester = if g.dice.chance(90) {
        new.requester
    } else {
        g.anyone()
    };
    let book = &g.known.book.requests;
    let order = g.either(new, book);
    let separator = g.known.separator;
    let hash = |operation| {
        let order = order.typed();
        super::typed_data(
            separator,
            &typed::RequestOrderOperation { order, operation },
        )
    };
    let call = |operation: u8, sign| {
        let order = order.clone();
        let operation = Hub::RequestOrderOperation {
            order,
            operation,
            sign,
        };
        Hub::manageRequestOrderCall {
            requestorderoperation: operation,
        }
        .abi_encode()
    };
    let requester = order.requester;
    g.management(requester, hash, call, Offer::Request(order.clone()))
}

fn broadcast_app(g: &mut Gen<'_>) -> Step {
    let order = g.offers().app;
    let from = g.sender();
    Step::new(from, g.hub(), &Hub::broadcastAppOrderCall { order })
}

fn broadcast_dataset(g: &mut Gen<'_>) -> Step {
    let order = g.offers().dataset;
    let from = g.sender();
    Step::new(from, g.hub(), &Hub::broadcastDatasetOrderCall { order })
}

fn broadcast_pool(g: &mut Gen<'_>) -> Step {
    let order = g.offers().workerpool;
    let from = g.sender();
    Step::new(from, g.hub(), &Hub::broadcastWorkerpoolOrderCall { order })
}

fn broadcast_request(g: &mut Gen<'_>) -> Step {
    let order = g.offers().request;
    let from = g.sender();
    Step::new(from, g.hub(), &Hub::broadcastRequestOrderCall { order })
}
