//! Reading what a service answers, which may never end.

use reqwest::Response;

/// Bytes of an answer that is a token, a CID, a session or an error: a hundred times the usual.
pub(crate) const BYTES_MAX: usize = 64 << 10;

/// An answer as text, or the first [`BYTES_MAX`] bytes of it.
///
/// # Errors
/// When the connection breaks.
pub(crate) async fn text(mut answer: Response) -> reqwest::Result<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        let room = BYTES_MAX - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
