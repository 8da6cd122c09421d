//! Files that only our user can read.

use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path};

/// Writes a file of secret bytes that is whole or not there, also after a power cut.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    sync_parent(path)
}

/// Makes what was renamed or made there survive a power cut.
pub(crate) fn sync_parent(path: &Path) -> std::io::Result<()> {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    std::fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
