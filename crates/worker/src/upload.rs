//! Bringing the archive to the result store: a token for the task, then the file.

use std::{path::Path, time::Duration};

use chain::Wallet;
use protocol::{Cause, digest, message::Authorization};
use reqwest::{Body, Client, Response, header};
use serde::Deserialize;
use tokio_util::io::ReaderStream;

use crate::Failure;

/// Tries before the replicate gives up: another worker gets the task then.
const TRIES_MAX: u32 = 4;
/// First pause between tries; it doubles.
const RETRY_MS: u64 = 300;
/// A store that accepts no byte for this long is gone.
const TIMEOUT_S: u64 = 600;

#[derive(Deserialize)]
struct Stored {
    cid: String,
}

/// A client for all uploads: making one costs more than a small upload.
///
/// # Errors
/// The system's, when there are no root certificates.
pub(crate) fn client() -> reqwest::Result<Client> {
    Client::builder()
        .timeout(Duration::from_secs(TIMEOUT_S))
        .build()
}

/// Uploads `archive` and returns its CID.
///
/// # Errors
/// [`Cause::ResultLinkMissing`] with the store's last answer.
pub(crate) async fn upload(
    client: &Client,
    store: &str,
    wallet: &Wallet,
    authorization: &Authorization,
    archive: &Path,
) -> Result<String, Failure> {
    let mut pause = Duration::from_millis(RETRY_MS);
    let mut attempt = 1;
    loop {
        match upload_once(client, store, wallet, authorization, archive).await {
            Ok(cid) => return Ok(cid),
            Err(reason) if attempt == TRIES_MAX => {
                return Err(Failure::new(Cause::ResultLinkMissing, reason));
            }
            Err(reason) => tracing::warn!(%reason, attempt, "upload failed, trying again"),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
        attempt += 1;
    }
}

async fn upload_once(
    client: &Client,
    store: &str,
    wallet: &Wallet,
    authorization: &Authorization,
    archive: &Path,
) -> Result<String, String> {
    let store = store.trim_end_matches('/');
    let token = token(client, store, wallet, authorization).await?;
    let file = tokio::fs::File::open(archive)
        .await
        .map_err(|e| e.to_string())?;
    let size = file.metadata().await.map_err(|e| e.to_string())?.len();
    let answer = client
        .put(format!(
            "{store}/v1/results/{}",
            authorization.chain_task_id
        ))
        .header(header::AUTHORIZATION, token)
        .header(header::CONTENT_TYPE, "application/zip")
        .header(header::CONTENT_LENGTH, size)
        .body(Body::wrap_stream(ReaderStream::new(file)))
        .send()
        .await
        .map_err(|e| e.to_string())?;
    let stored: Stored = good(answer)
        .await?
        .json()
        .await
        .map_err(|e| e.to_string())?;
    Ok(stored.cid)
}

/// A token to store the result of a task with.
///
/// # Errors
/// What the store says, or that it does not.
pub(crate) async fn token(
    client: &Client,
    store: &str,
    wallet: &Wallet,
    authorization: &Authorization,
) -> Result<String, String> {
    let store = store.trim_end_matches('/');
    let a = authorization;
    let hash = digest::authorization(a.worker_wallet, a.chain_task_id, a.enclave_challenge);
    let sign = wallet.sign_message_hash(hash).map_err(|e| e.to_string())?;
    let answer = client
        .post(format!("{store}/v1/results/token"))
        .header(header::AUTHORIZATION, sign.to_string())
        .json(authorization)
        .send()
        .await
        .map_err(|e| e.to_string())?;
    good(answer).await?.text().await.map_err(|e| e.to_string())
}

async fn good(answer: Response) -> Result<Response, String> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.unwrap_or_default();
    Err(format!("the store answered {status}: {text}"))
}
