//! Why a node could not be opened, or had to stop accepting transactions.

use std::io;
use std::path::PathBuf;

/// A failure of the node itself. What a client did wrong is a [`crate::RpcError`] instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory or a file in it could not be used.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was being done, as a verb: `open`, `read`, `append to`, …
        action: &'static str,
        /// The file or directory concerned.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Another node has this data directory open; two writers would tear the log.
    #[error("data directory `{}` is in use by another node", .0.display())]
    Locked(PathBuf),
    /// The log was damaged before its end, so the history after that point cannot be trusted.
    #[error("chain log `{}` is damaged at byte {offset}: {reason}", path.display())]
    Corrupt {
        /// The log file.
        path: PathBuf,
        /// Where the unreadable record starts.
        offset: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The data directory holds a chain with another id than the one asked for.
    #[error("data directory holds chain {found}, not chain {wanted}")]
    ChainId {
        /// The id in the log.
        found: u64,
        /// The id in the configuration.
        wanted: u64,
    },
    /// The node was closed; it answers questions but changes no more.
    #[error("the node is closed")]
    Closed,
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
