//! What the framework itself refuses, such as a query without a field that must be there, in the
//! form of the services: their clients show the `error` of a JSON body and nothing else.

use axum::{
    Json,
    body::to_bytes,
    http::{
        HeaderValue,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Longest sentence that is passed on, in bytes: the framework quotes what it could not read.
const SENTENCE_BYTES_MAX: usize = 16 * 1024;

/// Puts the sentence of a refusal in plain text into JSON; everything else passes.
pub(crate) async fn as_json(response: Response) -> Response {
    let plain = |value: &HeaderValue| value.as_bytes().starts_with(b"text/plain");
    let is_plain = response.headers().get(CONTENT_TYPE).is_some_and(plain);
    let status = response.status();
    if !is_plain || !status.is_client_error() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let sentence = match to_bytes(body, SENTENCE_BYTES_MAX).await {
        Ok(sentence) => String::from_utf8_lossy(&sentence).into_owned(),
        Err(_) => status.canonical_reason().unwrap_or_default().to_owned(),
    };
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(CONTENT_LENGTH);
    let body = Json(json!({ "ok": false, "error": sentence }));
    (status, parts.headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    async fn text(response: Response) -> String {
        let body = to_bytes(response.into_body(), SENTENCE_BYTES_MAX).await;
        String::from_utf8(body.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn sentences_of_refusals_become_json() {
        let refusal = (StatusCode::BAD_REQUEST, "no \"such\" thing").into_response();
        let told = as_json(refusal).await;
        assert_eq!(told.status(), StatusCode::BAD_REQUEST);
        assert_eq!(told.headers()[CONTENT_TYPE], "application/json");
        let said: serde_json::Value = serde_json::from_str(&text(told).await).unwrap();
        assert_eq!(said, json!({ "ok": false, "error": "no \"such\" thing" }));
    }

    #[tokio::test]
    async fn answers_stay_as_they_are() {
        assert_eq!(
            text(as_json("a token".into_response()).await).await,
            "a token"
        );
        let empty = as_json(StatusCode::UNAUTHORIZED.into_response()).await;
        assert_eq!(text(empty).await, "");
    }
}
