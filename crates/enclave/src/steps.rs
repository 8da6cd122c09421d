//! Steps that our own stages and those of containers have in common.

use engine::{Engine, Image, ImageRef, Pin, ProgressSink};
use protocol::{B256, Cause};
use tokio_util::sync::CancellationToken;
use worker::Failure;

/// `step`, unless nobody wants it any more.
///
/// # Errors
/// [`Cause::AbortedByWorker`] then.
pub(crate) async fn abortable<T>(
    cancel: &CancellationToken,
    step: impl Future<Output = T>,
) -> Result<T, Vec<Failure>> {
    let done = cancel.run_until_cancelled(step).await;
    done.ok_or_else(|| vec![Failure::plain(Cause::AbortedByWorker)])
}

/// The image called `name` with this digest, and no other: secrets are in its hands. `is_local`
/// lets it be pinned by its id.
///
/// # Errors
/// `cause`, with what the engine says.
pub(crate) async fn pull(
    engine: &dyn Engine,
    name: &str,
    digest: B256,
    is_local: bool,
    cause: Cause,
) -> Result<Image, Failure> {
    let reference = ImageRef::parse(name);
    let reference = reference.map_err(|e| Failure::from_error(cause, &e))?;
    let pin = match is_local {
        true => Pin::local(digest.0),
        false => Pin::registry(digest.0),
    };
    let silent = ProgressSink::none();
    let pulled = engine.pull(&reference, &pin, &silent).await;
    pulled.map_err(|e| Failure::from_error(cause, &e))
}
