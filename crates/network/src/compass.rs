//! The directory that tells the SDK where a workerpool's API is (spec/client.md §3.4).

use axum::{
    Json, Router,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use protocol::Address;
use serde_json::json;

/// `GET /{chainId}/workerpools/{address}` for the one workerpool of this network.
pub(crate) fn router(chain_id: u64, workerpool: Address, api_url: String) -> Router {
    // Read as text: what is no address is no workerpool either.
    let answer = move |Path((chain, address)): Path<(String, String)>| async move {
        let is_ours = chain.parse() == Ok(chain_id) && address.parse() == Ok(workerpool);
        find(is_ours, &api_url)
    };
    Router::new().route("/{chain}/workerpools/{address}", get(answer))
}

fn find(known: bool, api_url: &str) -> Response {
    if known {
        return Json(json!({ "apiUrl": api_url })).into_response();
    }
    let error = json!({ "ok": false, "error": "workerpool not found" });
    (StatusCode::NOT_FOUND, Json(error)).into_response()
}
