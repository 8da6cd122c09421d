//! What the market asks of the chain, small enough to be faked in tests.

mod hub;

pub(crate) use hub::fact;

use alloy::sol_types::Eip712Domain;
use async_trait::async_trait;
use protocol::{
    Address, B256, Bytes, DealId, OrderHash, U256,
    deal::{Category, Deal},
    order::Kind,
};

use crate::Error;

/// Reads of one hub. Every error is [`Error::Chain`]: the client is told to retry.
#[async_trait]
pub trait Chain: Send + Sync {
    /// The domain under which orders are hashed (spec/contracts.md §4).
    fn domain(&self) -> Eip712Domain;
    /// Whether `entry` is in the registry of apps, datasets or workerpools; never asked of
    /// [`Kind::Request`].
    async fn is_registered(&self, kind: Kind, entry: Address) -> Result<bool, Error>;
    /// Who owns a registered entry.
    async fn owner_of(&self, entry: Address) -> Result<Address, Error>;
    /// Whether `sign` is `signer`'s over `hash`: by key, by contract (ERC-1271) or presigned.
    async fn verify(&self, signer: Address, hash: B256, sign: &Bytes) -> Result<bool, Error>;
    /// How much of an order's volume is used.
    async fn consumed(&self, order: OrderHash) -> Result<U256, Error>;
    /// An account's free stake, nRLC.
    async fn stake(&self, account: Address) -> Result<U256, Error>;
    /// A deal, if it exists.
    async fn deal(&self, id: DealId) -> Result<Option<Deal>, Error>;
    /// A category, if it exists.
    async fn category(&self, id: u64) -> Result<Option<Category>, Error>;
    /// When a block was made, seconds since 1970.
    async fn block_time(&self, block: u64) -> Result<u64, Error>;
}

/// Something that happened on the hub and concerns the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Four orders became a deal.
    Matched(Match),
    /// The signer cancelled an order on chain.
    Closed(OrderHash),
    /// The hub's owner made a category.
    Category(u64),
}

/// The deal and orders of one `OrdersMatched`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The deal.
    pub deal: DealId,
    /// App order.
    pub app: OrderHash,
    /// Dataset order; the hash of the empty order when there is no dataset.
    pub dataset: OrderHash,
    /// Workerpool order.
    pub workerpool: OrderHash,
    /// Request order.
    pub request: OrderHash,
    /// Tasks in this match.
    pub volume: U256,
}

impl Match {
    /// The four orders.
    pub fn orders(&self) -> [OrderHash; 4] {
        [self.app, self.dataset, self.workerpool, self.request]
    }
}

/// A fact and where it is on the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// What happened.
    pub fact: Fact,
    /// Its block.
    pub block: u64,
    /// Its transaction.
    pub tx: B256,
}
