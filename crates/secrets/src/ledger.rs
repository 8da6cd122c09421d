//! What is read from the chain: who owns a dataset or an app, and what a task consists of.

use async_trait::async_trait;
use chain::{AppInfo, DatasetInfo, Hub};
use protocol::{
    Address, DealId, TaskId,
    deal::{Deal, Task},
    order::{DatasetOrder, Signed},
};

/// The chain cannot be asked now; asking again later makes sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chain is unreachable: {0}")]
pub struct Unavailable(pub String);

/// What the owner of a dataset allows a deal that was made without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The order is the owner's, holds, and has no restriction that leaves the deal out.
    Given,
    /// It is not so: the hub's reason.
    Refused(String),
}

/// A hub as this service sees it. Every method fails only when the chain cannot be asked.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// The chain's id and the hub's address.
    fn place(&self) -> (u64, Address);

    /// `owner()` of the contract at `entry`; none when there is no such contract.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn owner_of(&self, entry: Address) -> Result<Option<Address>, Unavailable>;

    /// The newest block's timestamp, seconds since 1970.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn now(&self) -> Result<u64, Unavailable>;

    /// A task; none while it is not initialised.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn task(&self, id: TaskId) -> Result<Option<Task>, Unavailable>;

    /// A deal.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn deal(&self, id: DealId) -> Result<Option<Deal>, Unavailable>;

    /// A registered app.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn app(&self, app: Address) -> Result<Option<AppInfo>, Unavailable>;

    /// A registered dataset.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn dataset(&self, dataset: Address) -> Result<Option<DatasetInfo>, Unavailable>;

    /// Whether a deal without dataset may use the one of `order`, as the hub judges it: whose the
    /// signature is, what is left of the volume, for whom it is. Not the price, which no deal pays.
    ///
    /// # Errors
    /// [`Unavailable`]: nobody knows, and nothing is allowed.
    async fn grant(&self, order: &Signed<DatasetOrder>, deal: DealId)
    -> Result<Grant, Unavailable>;
}

fn unavailable(error: chain::Error) -> Unavailable {
    Unavailable(error.to_string())
}

#[async_trait]
impl Ledger for Hub {
    fn place(&self) -> (u64, Address) {
        (self.chain_id(), self.address())
    }

    async fn owner_of(&self, entry: Address) -> Result<Option<Address>, Unavailable> {
        match Hub::owner_of(self, entry).await {
            Ok(owner) => Ok(Some(owner)),
            Err(error) if error.is_retryable() => Err(unavailable(error)),
            Err(_) => Ok(None),
        }
    }

    async fn now(&self) -> Result<u64, Unavailable> {
        Hub::now(self).await.map_err(unavailable)
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>, Unavailable> {
        Hub::task(self, id).await.map_err(unavailable)
    }

    async fn deal(&self, id: DealId) -> Result<Option<Deal>, Unavailable> {
        Hub::deal(self, id).await.map_err(unavailable)
    }

    async fn app(&self, app: Address) -> Result<Option<AppInfo>, Unavailable> {
        Hub::app(self, app).await.map_err(unavailable)
    }

    async fn dataset(&self, dataset: Address) -> Result<Option<DatasetInfo>, Unavailable> {
        Hub::dataset(self, dataset).await.map_err(unavailable)
    }

    async fn grant(
        &self,
        order: &Signed<DatasetOrder>,
        deal: DealId,
    ) -> Result<Grant, Unavailable> {
        let refusal = self.dataset_refusal(order, deal).await;
        Ok(match refusal.map_err(unavailable)? {
            None => Grant::Given,
            Some(reason) => Grant::Refused(reason),
        })
    }
}
