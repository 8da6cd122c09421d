//! What stops one replicate: a cause for the protocol, a message for people.

use protocol::Cause;

/// A cause and what exactly happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}: {message}")]
pub struct Failure {
    /// The official code.
    pub cause: Cause,
    /// One line for people. Never a secret.
    pub message: String,
}

impl Failure {
    /// A cause with its story.
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self {
            cause,
            message: message.into(),
        }
    }

    /// A cause whose sentence says it all.
    pub fn plain(cause: Cause) -> Self {
        Self::new(cause, cause.sentence())
    }

    /// The error and its sources in one line.
    pub fn from_error(cause: Cause, error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            message = format!("{message}: {error}");
            source = error.source();
        }
        Self::new(cause, message)
    }
}
