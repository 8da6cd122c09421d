//! What stops a worker, as opposed to a [`crate::Failure`], which stops one replicate.

use std::path::PathBuf;

/// A failure of the worker itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory cannot be used.
    #[error("failed to use `{}`", path.display())]
    DataDir {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The engine did not let us clean up what an earlier process left.
    #[error("failed to remove old containers")]
    Engine(#[from] engine::Error),
    /// There can be no HTTP client on this machine.
    #[error("failed to make an HTTP client")]
    HttpClient(#[source] reqwest::Error),
    /// The pool's URL is none.
    #[error("`{0}` is not a pool URL")]
    PoolUrl(String),
    /// The pool is that of another workerpool: nothing signed here would count there.
    #[error("the pool serves workerpool {found}, this worker is configured for {expected}")]
    OtherPool {
        /// What the pool says.
        found: protocol::Address,
        /// What we are configured for.
        expected: protocol::Address,
    },
    /// The pool speaks another version of the vocabulary.
    #[error("the pool speaks version {0} of the worker protocol")]
    OtherVersion(u32),
    /// The pool does not want this worker.
    #[error("the pool refused this worker: {0}")]
    Refused(String),
    /// The connection failed; it is dialled again.
    #[error("the connection to the pool failed: {0}")]
    Connection(String),
}

impl Error {
    /// Whether dialling again can help.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Connection(_))
    }
}
