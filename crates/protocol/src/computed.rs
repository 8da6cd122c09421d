//! `computed.json`: the app's proof of execution (the tutorial's *Application outputs*,
//! spec/pool-worker.md §2.12).

use serde::Deserialize;

use crate::environment;

/// What an app declares in `/iexec_out/computed.json`. Unknown keys are ignored.
///
/// The official worker also trusts a `result-digest` that the app wrote itself; we do not: the
/// digest is always computed from the files (spec/pool-worker.md §6.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ComputedFile {
    /// File or folder under `/iexec_out` that is the same for the same inputs.
    #[serde(rename = "deterministic-output-path")]
    pub deterministic_output_path: Option<String>,
    /// `0x…` bytes for the deal's callback.
    #[serde(rename = "callback-data")]
    pub callback_data: Option<String>,
}

/// Name of the file in `IEXEC_OUT`.
pub const FILE_NAME: &str = "computed.json";
/// Where the app's standard output stands in the archive.
pub const STDOUT: &str = "stdout.txt";
/// Where the app's standard error stands in the archive.
pub const STDERR: &str = "stderr.txt";
/// Where an app may write how far it is while it runs: `0.37` or `37%`. It is gone before the
/// result is made, so it never changes a digest.
pub const PROGRESS: &str = ".progress";
/// Characters a name in `IEXEC_OUT` may have (spec/pool-worker.md §2.12).
pub const NAME_CHARS_MAX: usize = 31;

/// Why `deterministic-output-path` cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The key is missing.
    #[error("computed.json has no `deterministic-output-path`")]
    Missing,
    /// The path does not start with `/iexec_out`.
    #[error("`deterministic-output-path` is not inside /iexec_out")]
    Outside,
    /// The path has a `..` in it.
    #[error("`deterministic-output-path` leaves /iexec_out")]
    Escape,
}

impl ComputedFile {
    /// Reads the file's bytes.
    ///
    /// # Errors
    /// The JSON error, for the message.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The deterministic path relative to `/iexec_out`: clean components, possibly none (the
    /// whole folder).
    ///
    /// # Errors
    /// [`PathError`]: the path is missing or does not stay inside `/iexec_out`.
    pub fn relative_path(&self) -> Result<Vec<&str>, PathError> {
        let path = self
            .deterministic_output_path
            .as_deref()
            .ok_or(PathError::Missing)?;
        let inside = path
            .strip_prefix(environment::OUT)
            .ok_or(PathError::Outside)?;
        if !inside.is_empty() && !inside.starts_with('/') {
            return Err(PathError::Outside);
        }
        let parts: Vec<_> = inside
            .split('/')
            .filter(|p| !p.is_empty() && *p != ".")
            .collect();
        if parts
            .iter()
            .any(|part| *part == ".." || part.contains('\0'))
        {
            return Err(PathError::Escape);
        }
        Ok(parts)
    }

    /// The callback's bytes: none when the key is missing or not hexadecimal.
    pub fn callback_bytes(&self) -> Option<Vec<u8>> {
        let text = self.callback_data.as_deref()?;
        alloy_primitives::hex::decode(text).ok()
    }
}

/// What a worker writes to `error.txt` when app or data could not be downloaded: the exact bytes
/// of the official worker, so that a mixed pool agrees (spec/pool-worker.md §2.9).
pub fn error_text(status: &str, cause: crate::Cause) -> String {
    format!(
        "[IEXEC] Errors occurred while computing the task \
         [error:{status}, causes:[WorkflowError[cause={cause}, message=]]]"
    )
}

/// Name of the file that holds [`error_text`].
pub const ERROR_FILE: &str = "error.txt";

#[cfg(test)]
mod tests {
    use alloy_primitives::b256;

    use super::*;
    use crate::{Cause, digest};

    fn path(text: &str) -> Result<Vec<String>, PathError> {
        let json = format!(r#"{{"deterministic-output-path":"{text}"}}"#);
        let computed = ComputedFile::parse(json.as_bytes()).unwrap();
        computed
            .relative_path()
            .map(|parts| parts.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn paths_stay_inside() {
        assert_eq!(path("/iexec_out/result.txt").unwrap(), ["result.txt"]);
        assert_eq!(path("/iexec_out/a//b/").unwrap(), ["a", "b"]);
        assert_eq!(path("/iexec_out").unwrap(), Vec::<String>::new());
        assert_eq!(path("/iexec_outside"), Err(PathError::Outside));
        assert_eq!(path("/etc/passwd"), Err(PathError::Outside));
        assert_eq!(path("/iexec_out/../etc/passwd"), Err(PathError::Escape));
        assert_eq!(
            ComputedFile::default().relative_path(),
            Err(PathError::Missing)
        );
    }

    #[test]
    fn the_apps_own_digest_is_ignored() {
        let json = br#"{"deterministic-output-path":"/iexec_out","result-digest":"0x01"}"#;
        assert!(ComputedFile::parse(json).is_ok());
    }

    /// spec/pool-worker.md §8.2.
    #[test]
    fn error_texts_have_the_official_digests() {
        let digest_of = |status, cause| digest::file(error_text(status, cause).as_bytes());
        assert_eq!(
            digest_of("APP_DOWNLOAD_FAILED", Cause::AppImageDownloadFailed),
            b256!("6b234cc858ad3404f912dd7f119afe2178251bec64cb25e5cbeba61dd764fc5d")
        );
        assert_eq!(
            digest_of("DATA_DOWNLOAD_FAILED", Cause::InputFilesDownloadFailed),
            b256!("0667139fc3aade5e376044a41fbf2b37df1f191ee28f04debc01c1d5c64c0a54")
        );
    }

    proptest::proptest! {
        /// No path that an app can write leads out of its folder.
        #[test]
        fn every_accepted_path_stays_inside(text in "(/iexec_out)?(/|\\.|[a-z]|\\.\\.){0,12}") {
            if let Ok(parts) = path(&text) {
                proptest::prop_assert!(parts.iter().all(|p| p != ".." && !p.contains('/')));
            }
        }
    }
}
