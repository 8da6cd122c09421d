//! Why a network could not start.

use std::{net::SocketAddr, path::PathBuf};

/// A failure while the roles are wired together.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory cannot be used.
    #[error("failed to use `{}`", path.display())]
    DataDir {
        /// Which file or folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Another network runs on the same data directory.
    #[error("a network is running on `{}` already", .0.display())]
    Running(PathBuf),
    /// The address is taken.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// No container engine.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The embedded chain did not open.
    #[error("the embedded chain did not open")]
    Devchain(#[from] devchain::Error),
    /// The contracts could not be deployed.
    #[error("the contracts could not be deployed")]
    Contracts(#[from] contracts::Error),
    /// The chain did not answer or refused the set-up.
    #[error("the chain refused the set-up")]
    Chain(#[from] chain::Error),
    /// The market did not open.
    #[error("the market did not open")]
    Market(#[from] market::Error),
    /// The secret manager did not open.
    #[error("the secret manager did not open")]
    Secrets(#[from] secrets::Error),
    /// The result store did not open.
    #[error("the result store did not open")]
    Store(#[from] store::Error),
    /// The pool did not open.
    #[error("the pool did not open")]
    Pool(#[from] pool::Error),
    /// A worker did not start.
    #[error("a worker did not start")]
    Worker(#[from] worker::Error),
    /// Workers or offers did not appear in time.
    #[error("the network is up but not ready after {seconds} s: {missing}")]
    NotReady {
        /// How long we waited.
        seconds: u64,
        /// What is missing.
        missing: String,
    },
}

impl Error {
    pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::DataDir { path, source }
    }
}
