//! The result proxy (spec/pool-worker.md §3.2), and a streaming upload of our own.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Path, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use protocol::{TaskId, message::Authorization};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, json};

use super::{now_s, receive::drain};
use crate::{
    Error,
    gate::{Refusal, digest_of, recover},
    service::Shared,
    staging::{Lane, Writer},
    token::Claims,
    unixfs::Profile,
};

/// Bytes of an upload as JSON: it is held in memory, up to four times as large as the archive.
/// Larger archives take `PUT /v1/results/{id}`.
pub const RESULT_JSON_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The official upload, of which only the archive and its task matter: the rest is on chain.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResultModel {
    chain_task_id: TaskId,
    #[serde(deserialize_with = "archive")]
    zip: Vec<u8>,
}

/// `POST /v1/results/token`: a token for the worker whose signature over the authorization is the
/// `Authorization` header.
pub(super) async fn token(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<String, Error> {
    let body = body.map_err(|error| Error::bad_request(error.body_text()))?;
    let authorization: Authorization = parse(&body)?;
    let signature = bearer(&headers)?;
    let signature = signature.strip_prefix("0x").unwrap_or(signature);
    let signer = hex::decode(signature)
        .ok()
        .and_then(|signature| recover(digest_of(&authorization), &signature));
    let signer = signer.ok_or(Error::Refused(Refusal::NotTheWorker))?;
    let permit = shared.gate.may_upload(&authorization, signer).await;
    let permit = permit.map_err(Error::Refused)?;
    let issued = now_s();
    shared.tokens.issue(&Claims {
        worker: signer,
        task: authorization.chain_task_id,
        issued,
        expires: issued.saturating_add(permit.life_s),
    })
}

/// `POST /v1/results`: the official upload; answers `/ipfs/<cid>`.
pub(super) async fn upload_json(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<String, Error> {
    let claims = shared.tokens.check(bearer(&headers)?, now_s())?;
    let body = body.map_err(|error| too_large_or_broken(&error))?;
    let model: ResultModel = parse(&body)?;
    drop(body);
    let mut writer = admit(&shared, claims, model.chain_task_id).await?;
    writer.write(&model.zip).await?;
    let cid = keep(&shared, claims, writer).await?;
    Ok(format!("/ipfs/{cid}"))
}

/// `PUT /v1/results/{id}`: the archive as the body, of any size; answers `{"cid": …}`.
pub(super) async fn upload(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Error> {
    let claims = shared.tokens.check(bearer(&headers)?, now_s())?;
    let mut writer = admit(&shared, claims, task_id(&id)?).await?;
    drain(&mut writer, body.into_data_stream()).await?;
    let cid = keep(&shared, claims, writer).await?;
    Ok(Json(json!({ "cid": cid })))
}

/// `HEAD /v1/results/{id}`: 204 when somebody uploaded a result, else 404.
pub(super) async fn exists(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Error> {
    let claims = shared.tokens.check(bearer(&headers)?, now_s())?;
    if claims.task != task_id(&id)? {
        return Err(Error::Token);
    }
    latest(&shared, claims.task).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/results/{id}/ipfshash`: the CID uploaded last. What counts is the one on chain.
pub(super) async fn hash(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<String, Error> {
    latest(&shared, task_id(&id)?).await
}

async fn latest(shared: &Shared, task: TaskId) -> Result<String, Error> {
    let entry = shared.index.get(task).await?;
    entry.latest.ok_or(Error::NotFound { what: "result" })
}

/// Checks what can be checked before the archive is read.
async fn admit(shared: &Shared, claims: Claims, task: TaskId) -> Result<Writer, Error> {
    if claims.task != task {
        return Err(Error::Token);
    }
    shared.index.get(task).await?.allows(claims.worker)?;
    shared.staging.begin(Profile::DEFAULT, Lane::Trusted).await
}

async fn keep(shared: &Shared, claims: Claims, writer: Writer) -> Result<String, Error> {
    let cid = writer.finish().await?.cid.to_string();
    shared
        .index
        .record(claims.task, claims.worker, &cid)
        .await?;
    tracing::info!(task = %claims.task, worker = %claims.worker, cid, "result uploaded");
    Ok(cid)
}

/// The official clients send the bare value, others a scheme word too.
fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let value = headers.get(AUTHORIZATION).ok_or(Error::Token)?;
    let text = value.to_str().map_err(|_| Error::Token)?;
    Ok(text.strip_prefix("Bearer ").unwrap_or(text))
}

fn task_id(text: &str) -> Result<TaskId, Error> {
    text.parse()
        .map_err(|_| Error::bad_request("invalid task id"))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::bad_request(error.to_string()))
}

fn too_large_or_broken(error: &BytesRejection) -> Error {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge {
            limit: RESULT_JSON_BYTES_MAX as u64,
        },
        _ => Error::Broken {
            reason: error.body_text(),
        },
    }
}

/// Base64 text (the official worker) or an array of numbers (the official enclave programs).
fn archive<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    from.deserialize_any(ArchiveVisitor)
}

struct ArchiveVisitor;

impl<'de> de::Visitor<'de> for ArchiveVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("base64 text or an array of bytes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        STANDARD
            .decode(text)
            .map_err(|_| E::custom("zip is not base64"))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}
