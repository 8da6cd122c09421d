//! How errors look to a client: a status and `{"error": "…"}`, the field the SDK shows.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{Error, gate::Refusal};

impl Error {
    /// The status that tells a client what to do about it.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Disk { .. } | Self::Corrupt { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotACid | Self::Broken { .. } | Self::BadRequest { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Full { .. } => StatusCode::INSUFFICIENT_STORAGE,
            Self::Refused(Refusal::Unavailable(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Token | Self::Refused(_) => StatusCode::UNAUTHORIZED,
            Self::TooManyUploads { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
        }
    }

    /// The sentence for the client; our own trouble is logged instead of told.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Disk { source, .. } => {
                tracing::error!(%source, "{self}");
                "internal error".to_owned()
            }
            Self::Corrupt { .. } => {
                tracing::error!("{self}");
                "internal error".to_owned()
            }
            told => told.to_string(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": self.sentence() }));
        (self.status(), body).into_response()
    }
}
