//! Answers of Podman while a container's exit is being written down.

use std::time::Duration;

use bollard::errors::Error as ApiError;

/// Podman calls a container `stopped` between its end and the note of its exit code, and so fails
/// a list of all of them; Docker has no such word, and neither has the library. Two seconds, for
/// a daemon that is busy.
const LOOKS_MAX: u32 = 40;
/// Between two of them.
const LOOK_MS: u64 = 50;

/// The first answer that speaks of no container in that state.
///
/// # Errors
/// Those of the question; the daemon's word for the state when it never leaves it.
pub(super) async fn settled<T, F>(ask: impl Fn() -> F) -> Result<T, ApiError>
where
    F: Future<Output = Result<T, ApiError>>,
{
    for _ in 1..LOOKS_MAX {
        match ask().await {
            Err(ApiError::JsonDataError { message, .. }) if message.contains("`stopped`") => {
                tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            }
            answer => return answer,
        }
    }
    ask().await
}
