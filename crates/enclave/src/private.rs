//! The folder for what is in clear, and what a process does that holds secrets.

use std::{io, path::Path};

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use worker::sandbox::Folders;

/// Bytes of a task's inputs in clear. They are in memory: a task that needs more would take it from
/// all the others.
pub(crate) const PRIVATE_BYTES_MAX: u64 = 2 << 30;

/// Makes the folders of one task, for this user alone; they are removed on drop.
pub(crate) fn create(root: &Path) -> io::Result<Folders> {
    Folders::create(root)
}

/// No memory of this process gets to a disk or to another process of the same user.
pub(crate) fn keep_memory() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
