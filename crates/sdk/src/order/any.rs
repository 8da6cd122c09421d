//! One of the four orders.

use chain::{Actor, Receipt};
use protocol::{
    Address, OrderHash, Tag, U256,
    order::{AppOrder, DatasetOrder, Kind, Order, RequestOrder, Signed, WorkerpoolOrder},
};
use serde_json::Value;

use crate::{Client, Error, asset::sign, order::facts, services::market};

/// `apporder`, `datasetorder`, `workerpoolorder` or `requestorder`: the key of files and of
/// `--raw`.
pub const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::App => "apporder",
        Kind::Dataset => "datasetorder",
        Kind::Workerpool => "workerpoolorder",
        Kind::Request => "requestorder",
    }
}

/// An order of any kind; its signature may still be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyOrder {
    /// Sells runs of an app.
    App(Signed<AppOrder>),
    /// Sells uses of a dataset.
    Dataset(Signed<DatasetOrder>),
    /// Sells computing.
    Workerpool(Signed<WorkerpoolOrder>),
    /// Asks for runs.
    Request(Signed<RequestOrder>),
}

macro_rules! each {
    ($any:expr, $order:ident => $body:expr) => {
        match $any {
            AnyOrder::App($order) => $body,
            AnyOrder::Dataset($order) => $body,
            AnyOrder::Workerpool($order) => $body,
            AnyOrder::Request($order) => $body,
        }
    };
}

impl AnyOrder {
    /// Reads an order of a kind as the official JSON writes it, with `salt` and `sign`.
    ///
    /// # Errors
    /// What is missing or malformed.
    pub fn read(kind: Kind, value: Value) -> Result<Self, serde_json::Error> {
        Ok(match kind {
            Kind::App => Self::App(serde_json::from_value(value)?),
            Kind::Dataset => Self::Dataset(serde_json::from_value(value)?),
            Kind::Workerpool => Self::Workerpool(serde_json::from_value(value)?),
            Kind::Request => Self::Request(serde_json::from_value(value)?),
        })
    }

    /// Which kind it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::App(_) => Kind::App,
            Self::Dataset(_) => Kind::Dataset,
            Self::Workerpool(_) => Kind::Workerpool,
            Self::Request(_) => Kind::Request,
        }
    }

    /// The official JSON.
    pub fn to_json(&self) -> Value {
        each!(self, order => serde_json::to_value(order)).unwrap_or_default()
    }

    /// Its id on the client's chain.
    pub fn hash(&self, client: &Client) -> OrderHash {
        each!(self, order => order.hash(client.hub().domain()))
    }

    /// What it asks or offers.
    pub fn tag(&self) -> Tag {
        each!(self, order => order.order.tag())
    }

    /// The app, dataset or workerpool; of a request, the requester.
    pub fn subject(&self) -> Address {
        each!(self, order => order.order.subject())
    }

    /// The app that a request asks for or an app order sells.
    pub fn app(&self) -> Option<Address> {
        match self {
            Self::App(order) => Some(order.order.app),
            Self::Request(order) => Some(order.order.app),
            _ => None,
        }
    }

    pub(super) fn signed(self, actor: &Actor) -> Result<Self, Error> {
        Ok(match self {
            Self::App(order) => Self::App(sign(actor, order.order)?),
            Self::Dataset(order) => Self::Dataset(sign(actor, order.order)?),
            Self::Workerpool(order) => Self::Workerpool(sign(actor, order.order)?),
            Self::Request(order) => Self::Request(sign(actor, order.order)?),
        })
    }

    pub(super) async fn remaining(&self, client: &Client) -> Result<U256, Error> {
        each!(self, order => facts::remaining(client, order).await)
    }

    pub(super) async fn post(&self, client: &Client, actor: &Actor) -> Result<OrderHash, Error> {
        each!(self, order => market::publish(client, actor.wallet(), order).await)
    }

    pub(super) async fn close(&self, actor: &Actor) -> Result<Receipt, Error> {
        each!(self, order => actor.close_order(order).await)
            .map_err(Error::chain("cancel the order"))
    }
}
