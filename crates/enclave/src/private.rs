//! The folder for what is in clear.

use std::{io, path::Path};

use worker::sandbox::Folders;

/// Bytes of a task's inputs in clear. They are in memory: a task that needs more would take it from
/// all the others.
pub(crate) const PRIVATE_BYTES_MAX: u64 = 2 << 30;

/// Makes the folders of one task, for this user alone; they are removed on drop.
pub(crate) fn create(root: &Path) -> io::Result<Folders> {
    Folders::create(root)
}
