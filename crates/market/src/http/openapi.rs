//! What the API is, as an OpenAPI document and as a page. The document is committed as
//! `openapi.json`; a test makes it anew and holds it against the routes.

#[cfg(test)]
mod document;

use axum::response::Html;

/// The document as it is committed.
const DOCUMENT: &str = include_str!("../../openapi.json");
const PAGE: &str = include_str!("docs.html");

/// `GET /openapi.json`.
pub(super) async fn document() -> ([(&'static str, &'static str); 1], &'static str) {
    ([("content-type", "application/json")], DOCUMENT)
}

/// `GET /docs`.
pub(super) async fn page() -> Html<&'static str> {
    Html(PAGE)
}
