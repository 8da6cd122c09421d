//! Deals as the market lists them (spec/market-explorer.md §4).

use protocol::{Address, OrderHash, order::Kind};
use serde::Deserialize;
use serde_json::Value;

use crate::{Client, Error, error::Api, http::Call};

/// Deals a page.
const PAGE_DEALS: usize = 20;

/// Which deals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Those that used an order.
    Order(Kind, OrderHash),
    /// Those that somebody asked for.
    Requester(Address),
}

impl Of {
    fn query(self) -> (&'static str, String) {
        match self {
            Self::Order(kind, hash) => (order_key(kind), hash.to_string()),
            Self::Requester(requester) => ("requester", requester.to_checksum(None)),
        }
    }
}

const fn order_key(kind: Kind) -> &'static str {
    match kind {
        Kind::App => "apporderHash",
        Kind::Dataset => "datasetorderHash",
        Kind::Workerpool => "workerpoolorderHash",
        Kind::Request => "requestorderHash",
    }
}

/// The newest deals.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Deals {
    /// All there are.
    #[serde(default)]
    pub count: u64,
    /// The newest of them, as the market wrote them.
    #[serde(default)]
    pub deals: Vec<Value>,
}

/// The newest deals.
///
/// # Errors
/// [`Error::Api`].
pub async fn deals(client: &Client, of: Of) -> Result<Deals, Error> {
    let (key, value) = of.query();
    let call = Call::get(Api::Market, client.chain().market()?, "/deals")
        .query("chainId", client.hub().chain_id())
        .query(key, value)
        .query("pageIndex", 0)
        .query("pageSize", PAGE_DEALS);
    Ok(client.http().json(&call).await?.unwrap_or_default())
}
