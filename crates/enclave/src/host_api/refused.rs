//! Why a call of a container is refused.

use std::io;

/// A refusal, each with one status of HTTP.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// Another task, another stage, no such thing.
    #[error("nothing is here for this container")]
    NotFound,
    /// No signature of the enclave's key, or not the token.
    #[error("the authorization is not this container's")]
    Unsigned,
    /// It cannot be read.
    #[error("{0}")]
    Malformed(&'static str),
    /// It can be read, but is not a result of this task: the official worker takes that for a
    /// matter of authorization.
    #[error("{0}")]
    Rejected(&'static str),
    /// There is one already.
    #[error("the archive is here already")]
    Twice,
    /// Beyond a limit.
    #[error("it is larger than what is taken here")]
    TooLarge,
    /// The disk of the worker, not the container's doing.
    #[error("it cannot be kept or read here")]
    Disk(#[source] io::Error),
}
