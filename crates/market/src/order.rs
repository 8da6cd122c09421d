//! An order as the market looks at it: the same few terms for all four kinds.

use alloy::sol_types::Eip712Domain;
use protocol::{
    Address, Bytes, OrderHash, Tag,
    order::{AppOrder, DatasetOrder, Kind, Order, RequestOrder, WorkerpoolOrder},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Error, input::INTEGER_MAX};

/// A dataset order of at least this volume at price 0 may be used in bulk: one below the largest
/// exact integer, as upstream.
const BULK_VOLUME_MIN: u64 = INTEGER_MAX - 1;

/// What an order says, whatever its kind. In the kind that sells or asks for it, a role is the
/// subject; in the others it is the restriction, zero for none. Amounts are nRLC a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Subject of app and request orders.
    pub app: Address,
    /// Subject of dataset orders; what a request uses.
    pub dataset: Address,
    /// Subject of workerpool orders.
    pub workerpool: Address,
    /// Subject of request orders.
    pub requester: Address,
    /// Requests only; zero otherwise.
    pub beneficiary: Address,
    /// The asked price; in a request, the highest price for the workerpool.
    pub price: u64,
    /// Requests only: the highest price for the app.
    pub app_max_price: u64,
    /// Requests only: the highest price for the dataset.
    pub dataset_max_price: u64,
    /// Tasks.
    pub volume: u64,
    /// Workerpool and request orders only.
    pub category: u64,
    /// Workerpool and request orders only.
    pub trust: u64,
    /// What it offers or asks of the machine.
    pub tag: Tag,
}

impl Terms {
    /// Reads a normalised body (see [`crate::input::read_order`]).
    pub(crate) fn of(kind: Kind, body: &Map<String, Value>) -> Self {
        let role = |name: &str| address(body, name, &format!("{name}restrict"));
        Self {
            app: role("app"),
            dataset: role("dataset"),
            workerpool: role("workerpool"),
            requester: role("requester"),
            beneficiary: address(body, "beneficiary", "beneficiary"),
            price: number(body, price_field(kind)),
            app_max_price: number(body, "appmaxprice"),
            dataset_max_price: number(body, "datasetmaxprice"),
            volume: number(body, "volume"),
            category: number(body, "category"),
            trust: number(body, "trust"),
            tag: Tag(read(body, "tag").unwrap_or_default()),
        }
    }

    /// The resource that an order of `kind` speaks of.
    pub fn subject(&self, kind: Kind) -> Address {
        match kind {
            Kind::App => self.app,
            Kind::Dataset => self.dataset,
            Kind::Workerpool => self.workerpool,
            Kind::Request => self.requester,
        }
    }

    /// Whether a dataset order may be used in bulk.
    pub fn is_bulk(&self) -> bool {
        self.volume >= BULK_VOLUME_MIN && self.price == 0
    }
}

const fn price_field(kind: Kind) -> &'static str {
    match kind {
        Kind::App => "appprice",
        Kind::Dataset => "datasetprice",
        Kind::Workerpool => "workerpoolprice",
        Kind::Request => "workerpoolmaxprice",
    }
}

fn address(body: &Map<String, Value>, name: &str, restriction: &str) -> Address {
    let found = read(body, name).or_else(|| read(body, restriction));
    found.unwrap_or_default()
}

fn number(body: &Map<String, Value>, name: &str) -> u64 {
    body.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn read<T: std::str::FromStr>(body: &Map<String, Value>, name: &str) -> Option<T> {
    body.get(name)?.as_str()?.parse().ok()
}

/// An order that somebody wants to publish.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) kind: Kind,
    pub(crate) hash: OrderHash,
    pub(crate) terms: Terms,
    pub(crate) body: Map<String, Value>,
}

impl Draft {
    /// Hashes a normalised body.
    ///
    /// # Errors
    /// [`Error::Damaged`] if `body` is not normalised, which is a bug of ours.
    pub(crate) fn new(
        kind: Kind,
        body: Map<String, Value>,
        domain: &Eip712Domain,
    ) -> Result<Self, Error> {
        let hash = match kind {
            Kind::App => hash::<AppOrder>(&body, domain),
            Kind::Dataset => hash::<DatasetOrder>(&body, domain),
            Kind::Workerpool => hash::<WorkerpoolOrder>(&body, domain),
            Kind::Request => hash::<RequestOrder>(&body, domain),
        };
        Ok(Self {
            kind,
            hash: hash?,
            terms: Terms::of(kind, &body),
            body,
        })
    }

    /// The signature, unless it is not even hexadecimal.
    pub(crate) fn signature(&self) -> Option<Bytes> {
        read(&self.body, "sign")
    }
}

fn hash<O: Order + DeserializeOwned>(
    body: &Map<String, Value>,
    domain: &Eip712Domain,
) -> Result<OrderHash, Error> {
    let order: O = serde_json::from_value(Value::Object(body.clone()))
        .map_err(|_| Error::Damaged { what: "order" })?;
    Ok(order.hash(domain))
}
