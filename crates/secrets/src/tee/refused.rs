//! Why no session is made.

use std::fmt;

use protocol::Cause;

use crate::{Unavailable, Unread};

/// Characters of a reason: some of it is other people's text.
const REASON_CHARS_MAX: usize = 300;

/// The official cause, and what is to be told beyond it. Nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) cause: Cause,
    pub(crate) reason: Option<String>,
}

impl Refused {
    /// A cause with its story, in one line.
    pub(crate) fn new(cause: Cause, reason: impl AsRef<str>) -> Self {
        let reason = reason.as_ref().chars().take(REASON_CHARS_MAX);
        let reason = reason.map(|c| if c.is_control() { ' ' } else { c });
        Self {
            cause,
            reason: Some(reason.collect()),
        }
    }

    /// What the task consists of cannot be served, now or later.
    pub(crate) fn description(reason: impl AsRef<str>) -> Self {
        Self::new(Cause::SessionGetTaskDescriptionFailed, reason)
    }

    /// Asking again may help; the pool must not take it for a verdict.
    pub(crate) fn not_now(reason: impl AsRef<str>) -> Self {
        Self::new(Cause::SessionUnknownIssue, reason)
    }
}

impl From<Cause> for Refused {
    fn from(cause: Cause) -> Self {
        let reason = None;
        Self { cause, reason }
    }
}

/// The chain does not answer just now, which is no verdict.
impl From<Unavailable> for Refused {
    fn from(error: Unavailable) -> Self {
        tracing::warn!(%error, "a task cannot be described");
        Cause::SessionGetChainDealFailed.into()
    }
}

impl From<Unread> for Refused {
    fn from(error: Unread) -> Self {
        match error {
            Unread::Unreachable { .. } => Self::not_now(error.to_string()),
            Unread::TooLarge { .. } => Self::description(error.to_string()),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason.as_deref();
        write!(
            f,
            "{}: {}",
            self.cause,
            reason.unwrap_or(self.cause.sentence())
        )
    }
}
