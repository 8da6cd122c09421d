//! Everything that can go wrong between a client's bytes and the disk.

use std::{io, path::PathBuf};

use crate::gate::Refusal;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Disk or directory trouble of ours.
    #[error("failed to {what} `{path}`")]
    Disk {
        /// What was being done, an infinitive.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// A file of ours does not hold what it should.
    #[error("`{path}` is not {expected}")]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// Not the text of a CID; it is not repeated, as it may be long.
    #[error("invalid CID")]
    NotACid,
    /// The content is longer than one may be.
    #[error("content exceeds {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// The store holds as much as it may.
    #[error("the store is full: it holds up to {capacity} bytes")]
    Full {
        /// Bytes allowed.
        capacity: u64,
    },
    /// The client broke off, or stopped sending.
    #[error("upload broken off: {reason}")]
    Broken {
        /// What happened on the way.
        reason: String,
    },
    /// The client's request has no meaning.
    #[error("{reason}")]
    BadRequest {
        /// Which rule it breaks.
        reason: String,
    },
    /// No token, or one that is forged, expired or for another task.
    #[error("invalid token")]
    Token,
    /// The gate refused a token.
    #[error("{0}")]
    Refused(Refusal),
    /// The worker uploaded too many results of one task.
    #[error("at most {limit} uploads of a task per worker")]
    TooManyUploads {
        /// Uploads allowed.
        limit: u32,
    },
    /// Nothing under that name.
    #[error("{what} not found")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
}

impl Error {
    /// For `map_err` on disk operations.
    pub(crate) fn disk(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk { what, path, source }
    }

    pub(crate) fn bad_request(reason: impl Into<String>) -> Self {
        Self::BadRequest {
            reason: reason.into(),
        }
    }
}
