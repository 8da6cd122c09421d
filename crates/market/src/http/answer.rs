//! Answers: `{"ok":true,…}` or `{"ok":false,"error":…}` with the official status
//! (spec/market-explorer.md §2).

use axum::{
    Json,
    extract::{FromRequestParts, Path},
    http::{StatusCode, header::RETRY_AFTER, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use crate::{Error, book::Page, input::Invalid, refusal::Refusal};

/// What every handler returns.
pub(super) type Answer = Result<Body, Refusal>;

/// The id in a path.
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) = path.map_err(|_| Invalid("the path is not text".to_owned()))?;
        Ok(Self(id))
    }
}

/// The members of a good answer beside `ok`.
#[derive(Debug)]
pub(super) struct Body(Map<String, Value>);

impl From<Map<String, Value>> for Body {
    fn from(members: Map<String, Value>) -> Self {
        Self(members)
    }
}

impl From<Value> for Body {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(members) => Self(members),
            _ => Self(Map::new()),
        }
    }
}

/// A page of a list: `nextPage` is there only when more follows.
pub(super) fn list(name: &str, items: Vec<Value>, count: u64, page: Page) -> Body {
    let mut members = Map::new();
    members.insert(name.to_owned(), items.into());
    members.insert("count".to_owned(), count.into());
    if let Some(next) = page.next(count) {
        members.insert("nextPage".to_owned(), next.into());
    }
    Body(members)
}

impl IntoResponse for Body {
    fn into_response(self) -> Response {
        let mut shown = Map::new();
        shown.insert("ok".to_owned(), true.into());
        shown.extend(self.0);
        Json(shown).into_response()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error) = self.shown();
        let mut response = (status, Json(json!({ "ok": false, "error": error }))).into_response();
        if let Self::TooMany(seconds) = self {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl Refusal {
    fn shown(&self) -> (StatusCode, String) {
        match self {
            Self::Invalid(invalid) => (StatusCode::BAD_REQUEST, invalid.to_string()),
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed JSON body".to_owned()),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body is too large".to_owned(),
            ),
            Self::Unauthorized => (StatusCode::FORBIDDEN, "invalid authorization".to_owned()),
            Self::Denied(denial) => (StatusCode::FORBIDDEN, denial.to_string()),
            Self::NotFound(what) => (StatusCode::NOT_FOUND, format!("{what} not found")),
            Self::TooMany(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "Rate limit exceeded".to_owned(),
            ),
            Self::Failed(error) => (StatusCode::INTERNAL_SERVER_ERROR, failed(error)),
        }
    }
}

/// The client learns nothing of our inside; the operator does.
fn failed(error: &Error) -> String {
    tracing::error!(%error, cause = ?error, "a request failed");
    let text = match error {
        Error::Chain(_) => "Something went wrong, you should retry later.",
        _ => "Internal error",
    };
    text.to_owned()
}
