//! Why a request gets no good answer. Turned into status and text by [`crate::http`].

use crate::{Error, input::Invalid, rules::Denial};

/// All failures of a request, by class (spec/market-explorer.md §2).
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Something in query, path or body is wrong.
    Invalid(Invalid),
    /// The body is not JSON.
    Malformed,
    /// The body is longer than allowed.
    TooLarge,
    /// No valid challenge came with the request; why is nobody's business.
    Unauthorized,
    /// A business rule is broken.
    Denied(Denial),
    /// There is no such object: its name.
    NotFound(String),
    /// Too many requests: seconds until the next window.
    TooMany(u64),
    /// Our fault.
    Failed(Error),
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
