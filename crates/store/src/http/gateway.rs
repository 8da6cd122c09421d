//! `GET|HEAD /ipfs/{cid}`: the gateway that result links point to (spec/client.md §3.6).

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, State},
    http::{
        HeaderMap, HeaderName, StatusCode,
        header::{
            ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
            IF_NONE_MATCH, RANGE, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use futures_util::TryStreamExt;

use super::range::{self, Range};
use crate::{Cid, Error, service::Shared};

/// Content under a CID never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Every zip begins so; results are zips.
const ZIP_MAGIC: &[u8] = b"PK";

/// Sends the content. Anybody may have uploaded it, so no browser is let to run it: it is a zip or
/// a file to save, nothing else.
pub(super) async fn content(
    State(shared): State<Arc<Shared>>,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let cid: Cid = text.parse()?;
    let size = shared.backend.size(cid).await?;
    let size = size.ok_or(Error::NotFound { what: "content" })?;
    let etag = format!("\"{cid}\"");
    let fixed = [
        (ETAG, etag.clone()),
        (CACHE_CONTROL, FOREVER.to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (ACCEPT_RANGES, "bytes".to_owned()),
    ];
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if header(IF_NONE_MATCH).is_some_and(|known| known == "*" || known.contains(&etag)) {
        return Ok((StatusCode::NOT_MODIFIED, fixed).into_response());
    }
    let answer = match range::parse(header(RANGE), size) {
        Range::Unsatisfiable => return Ok((fixed, beyond(size)).into_response()),
        Range::Whole => send(&shared, cid, 0, size).await?.into_response(),
        Range::Part { first, last } => {
            let range = format!("bytes {first}-{last}/{size}");
            let part = send(&shared, cid, first, last - first + 1).await?;
            let head = [(CONTENT_RANGE, range)];
            (StatusCode::PARTIAL_CONTENT, head, part).into_response()
        }
    };
    Ok((fixed, answer).into_response())
}

fn beyond(size: u64) -> impl IntoResponse {
    let range = [(CONTENT_RANGE, format!("bytes */{size}"))];
    (StatusCode::RANGE_NOT_SATISFIABLE, range)
}

async fn send(
    shared: &Shared,
    cid: Cid,
    start: u64,
    length: u64,
) -> Result<impl IntoResponse + use<>, Error> {
    let head = [
        (CONTENT_TYPE, content_type(shared, cid).await?.to_owned()),
        (CONTENT_LENGTH, length.to_string()),
    ];
    let content = shared.backend.read(cid, start, length).await?;
    Ok((head, Body::from_stream(content)))
}

async fn content_type(shared: &Shared, cid: Cid) -> Result<&'static str, Error> {
    let mut start = shared.backend.read(cid, 0, ZIP_MAGIC.len() as u64).await?;
    let first = start
        .try_next()
        .await
        .map_err(Error::disk("read", cid.to_string()))?;
    let is_zip = first.is_some_and(|bytes| bytes == ZIP_MAGIC);
    Ok(if is_zip {
        "application/zip"
    } else {
        "application/octet-stream"
    })
}
