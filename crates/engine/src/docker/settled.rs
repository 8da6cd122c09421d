//! Answers of Podman while a container's exit is being written down.

use std::time::Duration;

use bollard::errors::Error as ApiError;

/// Podman calls a container `stopped` between its end and the note of its exit code, and so fails
/// a list of all of them; Docker has no such word, and neither has the library. Nor does it know
/// then that the process whose `/proc` it reads is gone, and fails a look at that one container.
/// Two seconds, for a daemon that is busy.
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
            Err(error) if is_passing(&error) => {
                tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            }
            answer => return answer,
        }
    }
    ask().await
}

/// Whether the daemon was asked between a container's end and its own notice of that.
fn is_passing(error: &ApiError) -> bool {
    match error {
        ApiError::JsonDataError { message, .. } => message.contains("`stopped`"),
        ApiError::DockerResponseServerError {
            status_code: 500,
            message,
        } => message.contains("/proc/") && message.contains("no such process"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn refused(status_code: u16, message: &str) -> ApiError {
        ApiError::DockerResponseServerError {
            status_code,
            message: message.to_owned(),
        }
    }

    /// In Podman 5's words, heard on a busy machine.
    #[tokio::test(start_paused = true)]
    async fn a_process_that_has_just_ended_is_asked_about_again() {
        let asked = Cell::new(0);
        let answer = settled(|| {
            asked.set(asked.get() + 1);
            let ended = refused(500, "read /proc/23668/cgroup: no such process");
            std::future::ready(if asked.get() < 3 { Err(ended) } else { Ok(7) })
        });
        assert_eq!(answer.await.unwrap(), 7);
        assert_eq!(asked.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn other_answers_are_believed_at_once_and_none_is_waited_for_without_end() {
        let asks = async |status_code, message: &str| {
            let asked = Cell::new(0);
            let answer = settled(|| {
                asked.set(asked.get() + 1);
                std::future::ready(Err::<(), _>(refused(status_code, message)))
            });
            answer.await.unwrap_err();
            asked.get()
        };
        assert_eq!(asks(404, "no such container").await, 1);
        assert_eq!(asks(500, "no space left on device").await, 1);
        assert_eq!(
            asks(500, "/proc/1/cgroup: no such process").await,
            LOOKS_MAX
        );
    }
}
