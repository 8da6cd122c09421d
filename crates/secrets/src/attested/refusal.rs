//! Why nothing is released, as the wire says it.

use attest::{Reason, Rejected};
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{Error, Unavailable};

/// A refusal of a challenge or a redemption.
#[derive(Debug)]
pub(super) enum Refusal {
    /// This service is not set up to verify anybody.
    NotSetUp,
    /// The body is not what it should be.
    Malformed,
    /// No such session, or it has no such stage.
    NotFound,
    /// Three times already.
    Redeemed,
    /// The task's final deadline is over.
    Expired,
    /// Too often, or too many at once.
    TooMany,
    /// The evidence does not hold.
    Rejected(Rejected),
    /// The chain cannot be asked.
    Chain,
    /// No fresh collateral for this machine.
    Collateral,
    /// Our own store or log failed, or has no key yet.
    Store(&'static str),
}

impl Refusal {
    /// Evidence that does not hold.
    pub(super) fn rejected(reason: Reason, detail: &str) -> Self {
        Self::Rejected(Rejected::new(reason, detail))
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::NotSetUp => StatusCode::NOT_IMPLEMENTED,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Redeemed => StatusCode::CONFLICT,
            Self::Expired => StatusCode::GONE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Rejected(_) => StatusCode::FORBIDDEN,
            Self::Chain | Self::Collateral | Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The word of the answer, and of the audit log.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::NotSetUp => "ATTESTATION_NOT_AVAILABLE",
            Self::Malformed => "MALFORMED",
            Self::NotFound => "NOT_FOUND",
            Self::Redeemed => "ALREADY_REDEEMED",
            Self::Expired => "SESSION_EXPIRED",
            Self::TooMany => "TOO_MANY_REQUESTS",
            Self::Rejected(_) => "ATTESTATION_REJECTED",
            Self::Chain => "CHAIN_UNAVAILABLE",
            Self::Collateral => "COLLATERAL_UNAVAILABLE",
            Self::Store(word) => word,
        }
    }

    /// Why, for the audit log.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Rejected(rejected) => rejected.reason.name(),
            other => other.word(),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(source, "{error}");
        Self::Store("STORE_UNAVAILABLE")
    }
}

impl From<Unavailable> for Refusal {
    fn from(error: Unavailable) -> Self {
        tracing::warn!("{error}");
        Self::Chain
    }
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = match &self {
            Self::Rejected(rejected) => json!({ "error": self.word(), "reason": rejected.reason }),
            _ => json!({ "error": self.word() }),
        };
        (self.status(), Json(body)).into_response()
    }
}
