//! What can go wrong inside the service; what is wrong with a request is the API's matter.

/// A failure that is not the client's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database refused or could not be reached.
    #[error("failed to {action}")]
    Database {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: sqlx::Error,
    },
    /// The database could not be brought to the present schema.
    #[error("failed to migrate the market's database")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The chain could not be read.
    #[error("failed to read the chain")]
    Chain(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A change of the book was cut short: the service is stopping, or has a bug.
    #[error("failed to finish a request")]
    Interrupted(#[source] tokio::task::JoinError),
    /// A stored row does not read back: the database was changed by another program.
    #[error("stored {what} is damaged")]
    Damaged {
        /// Which kind of row.
        what: &'static str,
    },
}

impl Error {
    /// For `map_err` after a query.
    pub(crate) fn database(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { action, source }
    }

    /// A failed read of the chain, whatever client made it.
    pub fn chain(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Chain(source.into())
    }
}
