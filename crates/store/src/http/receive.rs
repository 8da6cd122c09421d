//! From a request's body to the staging area.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use crate::{Error, staging::Writer};

/// How long a client may say nothing in the middle of an upload: it holds one of few writers.
const UPLOAD_IDLE_MS: u64 = 60_000;

/// Writes the whole of `body`.
pub(super) async fn drain<S, E>(writer: &mut Writer, mut body: S) -> Result<(), Error>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    while let Some(bytes) = next(&mut body).await? {
        writer.write(&bytes).await?;
    }
    Ok(())
}

async fn next<S, E>(body: &mut S) -> Result<Option<Bytes>, Error>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    let broken = |reason: String| Error::Broken { reason };
    let idle = Duration::from_millis(UPLOAD_IDLE_MS);
    let piece = tokio::time::timeout(idle, body.next())
        .await
        .map_err(|_| broken("the client fell silent".to_owned()))?;
    piece.transpose().map_err(|error| broken(error.to_string()))
}
