//! One thing that happens in both worlds.
use std::fmt;

use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::SolCall;

use contracts::Hub;

use crate::chain::Tx;
use crate::orders::Orders;

#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) what: What,
    /// Signed orders that may be used again if the step succeeds.
    pub(crate) offers: Vec<Offer>,
}

#[derive(Debug, Clone)]
pub(crate) enum Offer {
    App(Hub::AppOrder),
    Dataset(Hub::DatasetOrder),
    Pool(Hub::WorkerpoolOrder),
    Request(Hub::RequestOrder),
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    /// The same transaction in both worlds.
    Send(Tx),
    /// The same, but for the names of the entries of the deployment's own registries.
    Registry(Tx),
    /// `RLC.approveAndCall` of the hub with these data, of which 6.1.0 ignores the last argument:
    /// there it is an `approveAndCall` without them and then what they ask for.
    ApproveAndMatch {
        sender: Address,
        amount: U256,
        data: Bytes,
    },
    Wait(u64),
    ChainId(u64),
}

impl Step {
    pub(crate) fn new(from: Address, to: Address, call: &impl SolCall) -> Self {
        Self::raw(from, to, call.abi_encode().into())
    }

    pub(crate) fn raw(from: Address, to: Address, data: Bytes) -> Self {
        Self::of(What::Send(Tx {
            from,
            to,
            value: U256::ZERO,
            data,
        }))
    }

    pub(crate) fn of(what: What) -> Self {
        Self {
            name: "",
            what,
            offers: Vec::new(),
        }
    }

    /// For what is chosen by the state of things rather than by its name.
    pub(crate) fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    pub(crate) fn with_orders(mut self, orders: Orders) -> Self {
        self.offers = vec![
            Offer::App(orders.app),
            Offer::Dataset(orders.dataset),
            Offer::Pool(orders.workerpool),
            Offer::Request(orders.request),
        ];
        self
    }

    pub(crate) fn with_offer(mut self, offer: Offer) -> Self {
        self.offers.push(offer);
        self
    }

    pub(crate) fn with_value(mut self, wei: U256) -> Self {
        if let What::Send(tx) | What::Registry(tx) = &mut self.what {
            tx.value = wei;
        }
        self
    }

    /// The transaction, if it is one.
    pub(crate) fn tx(&self) -> Option<&Tx> {
        match &self.what {
            What::Send(tx) | What::Registry(tx) => Some(tx),
            _ => None,
        }
    }

    pub(crate) fn tx_mut(&mut self) -> Option<&mut Tx> {
        match &mut self.what {
            What::Send(tx) | What::Registry(tx) => Some(tx),
            _ => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match self.tx() {
            Some(Tx {
                from,
                to,
                value,
                data,
            }) => {
                write!(f, "{name}: {from} -> {to}, {value} wei, {data}")
            }
            None => write!(f, "{name}: {:?}", self.what),
        }
    }
}
