//! Who owns a dataset or an app: the chain knows.

use async_trait::async_trait;
use chain::Hub;
use protocol::Address;

/// The chain cannot be asked now; asking again later makes sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chain is unreachable: {0}")]
pub struct Unavailable(pub String);

/// Answers who may set the secret of a registry entry.
#[async_trait]
pub trait Owners: Send + Sync + 'static {
    /// `owner()` of the contract at `entry`; none when there is no such contract.
    ///
    /// # Errors
    /// When the chain cannot be asked.
    async fn owner_of(&self, entry: Address) -> Result<Option<Address>, Unavailable>;
}

#[async_trait]
impl Owners for Hub {
    async fn owner_of(&self, entry: Address) -> Result<Option<Address>, Unavailable> {
        match Hub::owner_of(self, entry).await {
            Ok(owner) => Ok(Some(owner)),
            Err(error) if error.is_retryable() => Err(Unavailable(error.to_string())),
            Err(_) => Ok(None),
        }
    }
}
