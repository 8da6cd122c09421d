//! What the market asks of the chain, small enough to be faked in tests.

mod hub;

pub(crate) use hub::fact;

use alloy::sol_types::Eip712Domain;
use async_trait::async_trait;
use chain::Standing;
use protocol::{
    Address, B256, Bytes, DealId, OrderHash, TaskId, U256,
    deal::{Category, Deal, Task},
    order::Kind,
};

use crate::{Error, TaskStep};

/// Reads of one hub, most of them as it was after a block. Every error is [`Error::Chain`]: the
/// client is told to retry.
#[async_trait]
pub trait Chain: Send + Sync {
    /// The domain under which orders are hashed (spec/contracts.md §4).
    fn domain(&self) -> Eip712Domain;
    /// The newest block's number, asked now.
    async fn head(&self) -> Result<u64, Error>;
    /// Whether `sign` is `signer`'s over `hash`: by key, by contract (ERC-1271) or presigned.
    async fn verify(&self, signer: Address, hash: B256, sign: &Bytes) -> Result<bool, Error>;
    /// What the publication of an order depends on.
    async fn standing(&self, order: &Claim, at: u64) -> Result<Standing, Error>;
    /// Who owns a registered entry.
    async fn owner_of(&self, entry: Address, at: u64) -> Result<Address, Error>;
    /// How much of an order's volume is used.
    async fn consumed(&self, order: OrderHash, at: u64) -> Result<U256, Error>;
    /// An account's free stake, nRLC.
    async fn stake(&self, account: Address, at: u64) -> Result<U256, Error>;
    /// A deal, if it exists.
    async fn deal(&self, id: DealId, at: u64) -> Result<Option<Deal>, Error>;
    /// A task, if it is initialised.
    async fn task(&self, id: TaskId, at: u64) -> Result<Option<Task>, Error>;
    /// A category, if it exists.
    async fn category(&self, id: u64, at: u64) -> Result<Option<Category>, Error>;
    /// When a block was made, seconds since 1970.
    async fn block_time(&self, block: u64) -> Result<u64, Error>;
}

/// An order that somebody claims to have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which kind.
    pub kind: Kind,
    /// The resource that the order sells; not asked about for requests.
    pub resource: Address,
    /// Who claims.
    pub signer: Address,
    /// The order.
    pub hash: OrderHash,
    /// The signature.
    pub sign: Bytes,
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
    /// Somebody has less stake.
    StakeLeft(Address),
    /// Somebody gave an asset away.
    AssetLeft {
        /// App, dataset or workerpool.
        kind: Kind,
        /// The asset.
        entry: Address,
        /// Who owned it.
        from: Address,
    },
    /// Something happened to a task.
    Task {
        /// The task.
        task: TaskId,
        /// What happened.
        step: TaskStep,
        /// The worker who did it; zero when it was no worker.
        worker: Address,
    },
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
    /// Its place among the logs of the block.
    pub position: u64,
    /// Its transaction.
    pub tx: B256,
}
