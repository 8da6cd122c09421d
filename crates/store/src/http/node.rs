//! The two calls of an IPFS node (kubo's HTTP API) that the JS SDK makes (spec/client.md §3.6).

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json,
    body::Body,
    extract::{Multipart, Query, State, multipart::Field, multipart::MultipartRejection},
    http::{
        HeaderName, StatusCode,
        header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;

use super::receive::drain;
use crate::{Cid, Error, cid::Version, service::Shared, staging::Lane, unixfs::Profile};

/// Files of one request: the SDK sends one; a bulk of datasets is a few.
const ADD_FILES_MAX: usize = 256;
/// Options that would give other CIDs, with the only value that is honoured.
const FIXED: [(&str, &str); 5] = [
    ("chunker", "size-262144"),
    ("hash", "sha2-256"),
    ("trickle", "false"),
    ("wrap-with-directory", "false"),
    ("inline", "false"),
];
/// kubo's clients look for it to know that lines follow.
const STREAM_OUTPUT: HeaderName = HeaderName::from_static("x-stream-output");

type Options = HashMap<String, String>;

/// Errors as kubo writes them: its clients show `Message`.
pub(super) struct Problem(Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({ "Message": self.0.sentence(), "Code": 0, "Type": "error" });
        (self.0.status(), Json(body)).into_response()
    }
}

/// One line of the answer to [`add`].
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Added {
    name: String,
    hash: String,
    /// Bytes of all blocks, as text.
    size: String,
}

/// `POST /api/v0/add`: keeps each file of a multipart body under its own CID.
pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    Query(options): Query<Options>,
    body: Result<Multipart, MultipartRejection>,
) -> Result<Response, Problem> {
    if !shared.public_add {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    let profile = profile(&options)?;
    let keeps = !flag(&options, "only-hash")?.unwrap_or(false);
    let mut parts = body.map_err(|error| Error::bad_request(error.body_text()))?;
    let mut lines = Vec::new();
    for _ in 0..ADD_FILES_MAX {
        let part = parts.next_field().await;
        let part = part.map_err(|error| Error::Broken {
            reason: error.body_text(),
        })?;
        let Some(part) = part else {
            return Ok(answer(lines));
        };
        let added = add_part(&shared, part, profile, keeps).await?;
        serde_json::to_writer(&mut lines, &added).map_err(|e| Error::bad_request(e.to_string()))?;
        lines.push(b'\n');
    }
    let reason = format!("at most {ADD_FILES_MAX} files at once");
    Err(Error::bad_request(reason).into())
}

fn answer(lines: Vec<u8>) -> Response {
    let head = [
        (CONTENT_TYPE, "application/json"),
        (STREAM_OUTPUT, "1"),
        (HeaderName::from_static("x-chunked-output"), "1"),
    ];
    (head, lines).into_response()
}

async fn add_part(
    shared: &Shared,
    part: Field<'_>,
    profile: Profile,
    keeps: bool,
) -> Result<Added, Error> {
    if part.content_type() == Some("application/x-directory") {
        return Err(Error::bad_request("directories are not supported"));
    }
    let name = part.file_name().map(percent_decode).unwrap_or_default();
    let mut writer = shared.staging.begin(profile, Lane::Public).await?;
    drain(&mut writer, part).await?;
    let imported = match keeps {
        true => writer.finish().await?,
        false => writer.discard(),
    };
    let hash = imported.cid.to_string();
    Ok(Added {
        name: if name.is_empty() { hash.clone() } else { name },
        hash,
        size: imported.dag_size.to_string(),
    })
}

/// `POST /api/v0/cat?arg=<cid>`: the content, or a part of it by `offset` and `length`.
pub(super) async fn cat(
    State(shared): State<Arc<Shared>>,
    Query(options): Query<Options>,
) -> Result<Response, Problem> {
    let arg = options.get("arg").map_or("", String::as_str);
    let cid: Cid = arg.strip_prefix("/ipfs/").unwrap_or(arg).parse()?;
    let size = shared.backend.size(cid).await?;
    let size = size.ok_or(Error::NotFound { what: "content" })?;
    let start = number(&options, "offset")?.unwrap_or(0).min(size);
    let length = number(&options, "length")?.unwrap_or(u64::MAX);
    let length = length.min(size - start);
    let content = shared.backend.read(cid, start, length).await?;
    let head = [
        (CONTENT_TYPE, "application/octet-stream"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (STREAM_OUTPUT, "1"),
    ];
    Ok((head, Body::from_stream(content)).into_response())
}

/// Version 1 implies raw leaves unless told otherwise, as in kubo.
fn profile(options: &Options) -> Result<Profile, Error> {
    for (name, only) in FIXED {
        if options.get(name).is_some_and(|value| value != only) {
            return Err(Error::bad_request(format!(
                "option `{name}` is fixed to {only}"
            )));
        }
    }
    let default = match number(options, "cid-version")? {
        None | Some(0) => Profile::DEFAULT,
        Some(1) => Profile::V1,
        Some(_) => return Err(Error::bad_request("option `cid-version` is 0 or 1")),
    };
    let raw_leaves = flag(options, "raw-leaves")?.unwrap_or(default.raw_leaves);
    let version: Version = default.version;
    Ok(Profile {
        version,
        raw_leaves,
    })
}

fn flag(options: &Options, name: &str) -> Result<Option<bool>, Error> {
    match options.get(name).map(String::as_str) {
        None => Ok(None),
        Some("" | "true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(_) => Err(Error::bad_request(format!(
            "option `{name}` is true or false"
        ))),
    }
}

fn number(options: &Options, name: &str) -> Result<Option<u64>, Error> {
    let text = options.get(name);
    let number = text.map(|text| text.parse()).transpose();
    number.map_err(|_| Error::bad_request(format!("option `{name}` is not a number")))
}

/// Clients escape the names of files; a name that is not escaped stays as it is.
fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hex::decode([*high, *low]).ok(),
            _ => None,
        };
        match escaped {
            Some(byte) => {
                bytes.extend(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
