//! The result archive: `result.zip` with the tutorial's tree.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use protocol::{Cause, computed};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use crate::Failure;

/// Bytes of all files of one result: what a store takes.
pub(crate) const RESULT_BYTES_MAX: u64 = 1 << 30;
/// Files of one result.
const RESULT_FILES_MAX: usize = 10_000;

/// Writes the regular files below `out` to `archive`, sorted and undated, so that equal results
/// give equal archives. Symbolic links are left out: they could point anywhere. `stdout.txt` and
/// `stderr.txt` are there even when the app wrote nothing, as the tutorial promises.
///
/// # Errors
/// [`Cause::OutFolderZipFailed`] for a tree beyond the limits or a file that cannot be read.
pub fn pack(out: &Path, archive: &Path) -> Result<(), Failure> {
    let mut files = Vec::new();
    collect(out, out, &mut files)?;
    files.sort();
    write(out, archive, &files).map_err(|e| failed(&e.to_string()))
}

fn failed(message: &str) -> Failure {
    Failure::new(Cause::OutFolderZipFailed, message)
}

/// Adds the paths of the regular files below `dir`, relative to `root`.
fn collect(root: &Path, dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let mut total = 0u64;
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|e| failed(&e.to_string()))? {
            let entry = entry.map_err(|e| failed(&e.to_string()))?;
            let kind = entry.file_type().map_err(|e| failed(&e.to_string()))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                total += entry.metadata().map(|m| m.len()).unwrap_or_default();
                files.extend(entry.path().strip_prefix(root).ok().map(Path::to_owned));
            }
            if total > RESULT_BYTES_MAX || files.len() > RESULT_FILES_MAX {
                let limits = format!("{RESULT_BYTES_MAX} bytes or {RESULT_FILES_MAX} files");
                return Err(failed(&format!("the result is larger than {limits}")));
            }
        }
    }
    Ok(())
}

fn write(out: &Path, archive: &Path, files: &[PathBuf]) -> io::Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o644);
    // A result is nobody else's business, wherever it lies.
    let mut file = fs::OpenOptions::new();
    let file = file.write(true).create(true).truncate(true).mode(0o600);
    let mut zip = ZipWriter::new(io::BufWriter::new(file.open(archive)?));
    for path in files {
        zip.start_file(path.to_string_lossy(), options)?;
        io::copy(&mut fs::File::open(out.join(path))?, &mut zip)?;
    }
    for name in [computed::STDERR, computed::STDOUT] {
        if !files.iter().any(|path| path.as_os_str() == name) {
            zip.start_file(name, options)?;
        }
    }
    io::Write::flush(&mut zip.finish()?)
}

/// The names in a result archive, sorted.
///
/// # Errors
/// The reader's, or an archive that is none.
pub fn names(archive: impl io::Read + io::Seek) -> io::Result<Vec<String>> {
    let zip = zip::ZipArchive::new(archive)?;
    let names: Result<Vec<_>, _> = zip
        .file_names()
        .map(|n| n.map(|n| n.into_owned()))
        .collect();
    let mut names = names?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::unix::fs::MetadataExt};

    use super::*;

    fn names_in(archive: &Path) -> Vec<String> {
        names(fs::File::open(archive).unwrap()).unwrap()
    }

    #[test]
    fn equal_trees_give_equal_archives_with_the_tutorials_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut archives = Vec::new();
        for run in ["a", "b"] {
            let out = dir.path().join(run);
            fs::create_dir_all(out.join("sub")).unwrap();
            fs::write(out.join("computed.json"), "{}").unwrap();
            fs::write(out.join("sub/result.txt"), "hello").unwrap();
            let archive = dir.path().join(format!("{run}.zip"));
            pack(&out, &archive).unwrap();
            archives.push(fs::read(&archive).unwrap());
        }
        assert_eq!(archives[0], archives[1]);
        let mode = fs::metadata(dir.path().join("a.zip")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        let names = names_in(&dir.path().join("a.zip"));
        for name in [
            "computed.json",
            "stdout.txt",
            "stderr.txt",
            "sub/result.txt",
        ] {
            assert!(names.iter().any(|n| n == name), "{name} in {names:?}");
        }
    }

    #[test]
    fn a_tree_beyond_the_limits_is_no_archive() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        fs::create_dir(&out).unwrap();
        let file = fs::File::create(out.join("huge")).unwrap();
        file.set_len(RESULT_BYTES_MAX + 1).unwrap();
        let failed = pack(&out, &dir.path().join("r.zip")).unwrap_err();
        assert_eq!(failed.cause, Cause::OutFolderZipFailed);
    }

    #[test]
    fn links_do_not_leak_the_workers_files() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        fs::create_dir(&out).unwrap();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), out.join("link")).unwrap();
        std::os::unix::fs::symlink(dir.path(), out.join("folder")).unwrap();
        let archive = dir.path().join("r.zip");
        pack(&out, &archive).unwrap();
        assert_eq!(names_in(&archive), ["stderr.txt", "stdout.txt"]);
        let mut zip = zip::ZipArchive::new(fs::File::open(&archive).unwrap()).unwrap();
        let mut text = String::new();
        zip.by_index(0).unwrap().read_to_string(&mut text).unwrap();
        assert!(text.is_empty());
    }
}
