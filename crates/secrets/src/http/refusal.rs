//! How a refusal looks: `/secrets` answers with a bare status, apps and requesters with the
//! official sentences too (spec/secrets-tee.md §1.2).

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{Error, Unavailable};

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Something is missing or has no meaning.
    Malformed(&'static str),
    /// Not signed by who may.
    Unauthorized,
    /// The value is too long; the official service has two statuses for it.
    TooLarge(StatusCode),
    /// Written once already.
    Exists,
    /// The signed request was accepted before, and the value replaced since.
    Replayed,
    /// Nothing in the slot.
    NotFound,
    /// The chain cannot be asked.
    Unavailable,
    /// Nobody has given the key yet.
    Sealed,
    /// Our own trouble.
    Internal,
}

impl Refusal {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::TooLarge(status) => *status,
            Self::Exists | Self::Replayed => StatusCode::CONFLICT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unavailable | Self::Sealed => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn sentence(&self) -> &'static str {
        match self {
            Self::Malformed(sentence) => sentence,
            Self::Unauthorized => "Invalid authorization",
            Self::TooLarge(_) => "Secret size should not exceed 4 Kb",
            Self::Exists => "Secret already exists",
            Self::Replayed => "Secret was replaced since this was signed",
            Self::NotFound => "Secret not found",
            Self::Unavailable => "The chain is unreachable",
            Self::Sealed => "The store is sealed",
            Self::Internal => "Internal error",
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        if matches!(error, Error::Sealed) {
            return Self::Sealed;
        }
        let source = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(source, "{error}");
        Self::Internal
    }
}

impl From<Unavailable> for Refusal {
    fn from(error: Unavailable) -> Self {
        tracing::warn!("{error}");
        Self::Unavailable
    }
}

/// A refusal that is a status only.
pub(super) struct Bare(Refusal);

impl<E: Into<Refusal>> From<E> for Bare {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Bare {
    fn into_response(self) -> Response {
        self.0.status().into_response()
    }
}

/// A refusal with its sentence: `{"error": ["…"]}`.
pub(super) struct Told(Refusal);

impl<E: Into<Refusal>> From<E> for Told {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let body = json!({ "error": [self.0.sentence()] });
        (self.0.status(), Json(body)).into_response()
    }
}
