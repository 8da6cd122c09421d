//! From the app's output folder to the digest: the rules of `computed.json` applied to a disk,
//! following no symbolic link (spec/pool-worker.md §2.12, `design.md` §5).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use protocol::{
    B256, Cause,
    computed::{self, ComputedFile},
    digest, environment,
    status::ReplicateStatus,
};

use crate::{Failure, archive::RESULT_BYTES_MAX};

/// Bytes of `computed.json`: callback data is at most a transaction's worth.
const COMPUTED_BYTES_MAX: u64 = 1 << 20;

/// What the app achieved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the workers agree on.
    pub digest: B256,
    /// For the deal's callback; empty without one.
    pub callback_data: Vec<u8>,
    /// The signature of the task's enclave; empty for a standard task.
    pub enclave_sign: Vec<u8>,
}

/// Reads `computed.json` in `out` and computes the digest it promises.
///
/// # Errors
/// A [`Failure`] with the official cause: no readable `computed.json` or nothing at its path
/// ([`Cause::DeterminismHashNotFound`]), a path that leaves the folder
/// ([`Cause::ResultDigestComputationFailed`]), a name too long
/// ([`Cause::TooLongResultFileName`]).
pub fn read_outcome(out: &Path, has_callback: bool) -> Result<Outcome, Failure> {
    check_names(out)?;
    let computed = read_computed(out)?;
    if has_callback {
        let data = computed.callback_bytes().ok_or_else(|| {
            not_found(
                "computed.json has no hexadecimal `callback-data`, which the deal's callback needs",
            )
        })?;
        return Ok(Outcome {
            digest: digest::callback(&data),
            callback_data: data,
            enclave_sign: Vec::new(),
        });
    }
    let parts = computed.relative_path().map_err(|e| match e {
        computed::PathError::Missing => not_found(&e.to_string()),
        _ => Failure::new(Cause::ResultDigestComputationFailed, e.to_string()),
    })?;
    let path = resolve(out, &parts)?;
    Ok(Outcome {
        digest: digest_of(&path)?,
        callback_data: Vec::new(),
        enclave_sign: Vec::new(),
    })
}

fn not_found(message: &str) -> Failure {
    Failure::new(Cause::DeterminismHashNotFound, message)
}

fn check_names(out: &Path) -> Result<(), Failure> {
    let entries = fs::read_dir(out).map_err(|e| not_found(&format!("no output folder: {e}")))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.chars().count() > computed::NAME_CHARS_MAX {
            let max = computed::NAME_CHARS_MAX;
            let message = format!("`{name}` has more than {max} characters");
            return Err(Failure::new(Cause::TooLongResultFileName, message));
        }
    }
    Ok(())
}

fn read_computed(out: &Path) -> Result<ComputedFile, Failure> {
    let path = out.join(computed::FILE_NAME);
    match fs::symlink_metadata(&path) {
        Err(_) => return Err(not_found("the app wrote no computed.json in IEXEC_OUT")),
        Ok(meta) if !meta.is_file() => return Err(not_found("computed.json is not a file")),
        Ok(meta) if meta.len() > COMPUTED_BYTES_MAX => {
            return Err(not_found(&format!(
                "computed.json exceeds {COMPUTED_BYTES_MAX} bytes"
            )));
        }
        Ok(_) => {}
    }
    let bytes = fs::read(&path).map_err(|e| not_found(&format!("computed.json: {e}")))?;
    ComputedFile::parse(&bytes).map_err(|e| not_found(&format!("computed.json: {e}")))
}

/// The path of `parts` below `out`, each step looked at so that no link is followed.
fn resolve(out: &Path, parts: &[&str]) -> Result<PathBuf, Failure> {
    let mut path = out.to_owned();
    for part in parts {
        path.push(part);
        match fs::symlink_metadata(&path) {
            Err(_) => {
                let inside = parts.join("/");
                let text = format!("there is no `{}/{inside}`", environment::OUT);
                return Err(not_found(&text));
            }
            Ok(meta) if meta.is_symlink() => {
                let message = "`deterministic-output-path` goes through a symbolic link";
                return Err(Failure::new(Cause::ResultDigestComputationFailed, message));
            }
            Ok(_) => {}
        }
    }
    Ok(path)
}

/// More than a store takes is not hashed either: a file with holes costs an app nothing, and the
/// worker hours.
fn digest_of(path: &Path) -> Result<B256, Failure> {
    let failed = |reason: String| {
        let message = format!("{}: {reason}", path.display());
        Failure::new(Cause::ResultDigestComputationFailed, message)
    };
    let unreadable = |e: io::Error| failed(e.to_string());
    let mut left = RESULT_BYTES_MAX;
    let mut hash = |path: &Path| {
        let size = fs::symlink_metadata(path).map_err(unreadable)?.len();
        let rest = left.checked_sub(size);
        left = rest.ok_or_else(|| failed(format!("larger than {RESULT_BYTES_MAX} bytes")))?;
        hash_file(path).map_err(unreadable)
    };
    if path.is_file() {
        return hash(path);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_type().map_err(unreadable)?.is_file() {
            let hash = hash(&entry.path())?;
            files.push((entry.file_name().to_string_lossy().into_owned(), hash));
        }
    }
    Ok(digest::folder(files))
}

/// sha256 of a file's content.
pub(crate) fn hash_file(path: &Path) -> io::Result<B256> {
    digest::content(&mut fs::File::open(path)?)
}

/// Turns a failed download into a result that says so: the error itself is contributed, so the
/// task ends (spec/pool-worker.md §2.9).
///
/// # Errors
/// The disk's.
pub fn write_error(out: &Path, status: ReplicateStatus, cause: Cause) -> io::Result<()> {
    let path = format!("{}/{}", environment::OUT, computed::ERROR_FILE);
    fs::write(
        out.join(computed::ERROR_FILE),
        computed::error_text(&status.name(), cause),
    )?;
    let json = serde_json::json!({ "deterministic-output-path": path });
    fs::write(out.join(computed::FILE_NAME), json.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder(computed: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("computed.json"), computed).unwrap();
        dir
    }

    fn at(path: &str) -> String {
        serde_json::json!({ "deterministic-output-path": path }).to_string()
    }

    fn cause(dir: &tempfile::TempDir) -> Cause {
        read_outcome(dir.path(), false).unwrap_err().cause
    }

    #[test]
    fn a_file_is_its_sha256() {
        let dir = folder(&at("/iexec_out/result.txt"));
        fs::write(dir.path().join("result.txt"), "hello\n").unwrap();
        assert_eq!(
            read_outcome(dir.path(), false).unwrap().digest,
            digest::file(b"hello\n")
        );
    }

    #[test]
    fn a_folder_is_its_direct_files() {
        let dir = folder(&at("/iexec_out/d"));
        fs::create_dir_all(dir.path().join("d/sub")).unwrap();
        fs::write(dir.path().join("d/sub/ignored"), "x").unwrap();
        fs::write(dir.path().join("d/a"), "1").unwrap();
        let expected = digest::folder([("a", digest::file(b"1"))]);
        assert_eq!(read_outcome(dir.path(), false).unwrap().digest, expected);
    }

    #[test]
    fn what_is_missing_has_the_official_cause() {
        assert_eq!(
            cause(&folder(&at("/iexec_out/none"))),
            Cause::DeterminismHashNotFound
        );
        assert_eq!(cause(&folder("{}")), Cause::DeterminismHashNotFound);
        assert_eq!(cause(&folder("not json")), Cause::DeterminismHashNotFound);
        assert_eq!(
            cause(&tempfile::tempdir().unwrap()),
            Cause::DeterminismHashNotFound
        );
    }

    #[test]
    fn nothing_leaves_the_folder() {
        for path in ["/iexec_out/../etc/passwd", "/etc/passwd", "result.txt"] {
            assert_eq!(
                cause(&folder(&at(path))),
                Cause::ResultDigestComputationFailed,
                "{path}"
            );
        }
        let dir = folder(&at("/iexec_out/link"));
        symlink("/etc/passwd", dir.path().join("link")).unwrap();
        assert_eq!(cause(&dir), Cause::ResultDigestComputationFailed);
        let dir = folder(&at("/iexec_out/etc/passwd"));
        symlink("/etc", dir.path().join("etc")).unwrap();
        assert_eq!(cause(&dir), Cause::ResultDigestComputationFailed);
    }

    #[test]
    fn callbacks_need_their_data() {
        let dir = folder(r#"{"callback-data":"0x0102"}"#);
        let outcome = read_outcome(dir.path(), true).unwrap();
        assert_eq!(outcome.callback_data, [1, 2]);
        assert_eq!(outcome.digest, digest::callback(&[1, 2]));
        assert!(read_outcome(folder("{}").path(), true).is_err());
    }

    #[test]
    fn long_names_are_refused() {
        let dir = folder(&at("/iexec_out"));
        fs::write(dir.path().join("x".repeat(32)), "").unwrap();
        assert_eq!(cause(&dir), Cause::TooLongResultFileName);
    }

    #[test]
    fn an_error_becomes_a_result() {
        let dir = tempfile::tempdir().unwrap();
        let cause = Cause::InputFilesDownloadFailed;
        write_error(dir.path(), ReplicateStatus::DataDownloadFailed, cause).unwrap();
        let text = computed::error_text("DATA_DOWNLOAD_FAILED", cause);
        let outcome = read_outcome(dir.path(), false).unwrap();
        assert_eq!(outcome.digest, digest::file(text.as_bytes()));
    }
}
