//! What can go wrong around the pool; what goes wrong with a task is a `Cause`, not an error.

/// An error of the service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database does not answer or does not accept a statement.
    #[error("the pool's database failed")]
    Database(#[from] sqlx::Error),
    /// The tables cannot be brought up to date.
    #[error("the pool's database cannot be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A stored document cannot be read or written.
    #[error("a stored document is unreadable")]
    Document(#[source] serde_json::Error),
    /// A stored value cannot be read.
    #[error("column `{0}` of a stored row is unreadable")]
    Row(&'static str),
    /// The chain does not answer or refuses.
    #[error("the chain call failed")]
    Chain(#[from] chain::Error),
    /// The stream of chain events ended for good.
    #[error("the chain's events ended")]
    EventsEnded,
    /// The market does not answer.
    #[error("the market at {url} does not answer")]
    MarketUnreachable {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The secret manager does not answer.
    #[error("the secret manager at {url} does not answer")]
    SmsUnreachable {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The secret manager gives no enclave key.
    #[error("the secret manager refuses: {0}")]
    SmsRefused(String),
    /// The market refuses an order.
    #[error("the market refuses: {0}")]
    MarketRefused(String),
}

impl Error {
    /// A transaction that certainly changed nothing and waits nowhere: its parts may be sent again.
    pub(crate) fn changed_nothing(&self) -> bool {
        use chain::Error::{Refused, Reverted};
        matches!(self, Self::Chain(Reverted { .. } | Refused { .. }))
    }
}
