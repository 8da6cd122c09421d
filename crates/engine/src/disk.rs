//! How much a container has written, and when that is too much.
//!
//! A quota of the file system would be exact, but needs one that has quotas, or an image file
//! and root to mount it, and the output folder must outlive the container. So the folders are
//! measured again and again, which works on every file system, with both engines and for every
//! user. What a program wrote into a file it has deleted is in no folder; therefore the free
//! space of the disk is watched too.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{Bind, Limits};

/// Between two measurements: what a fast disk takes meanwhile, some hundred megabytes, is how far
/// a container gets beyond its limit.
const PERIOD_MS: u64 = 200;
/// Measuring a large tree may take this part of a processor and no more: a tenth.
const REST_FACTOR: u32 = 10;
/// A container may not bring the disk's free space below this, where there was twice as much.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// Folders within folders; more is an attack on whoever has to remove them.
const DEPTH_MAX: usize = 128;
/// The longest path that is looked at: the kernel takes 4,096 bytes, and a name has up to 255.
const PATH_BYTES_MAX: usize = 3_840;
/// The unit of `st_blocks`, whatever the file system's own.
const BLOCK_BYTES: u64 = 512;

/// What is in some folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Used {
    bytes: u64,
    files: u64,
}

/// The folders a container writes to.
#[derive(Debug)]
pub(crate) struct Disk {
    folders: Vec<PathBuf>,
    before: Used,
    most: Used,
    /// Free bytes that must remain on the disk of each folder.
    floors: Vec<u64>,
    last: AtomicU64,
}

impl Disk {
    /// What was in the writable binds before the run: the caller's, not counted.
    pub(crate) async fn before(binds: &[Bind]) -> Used {
        let folders: Vec<_> = writable(binds).collect();
        let measured = tokio::task::spawn_blocking(move || measure(&folders, u64::MAX));
        measured.await.unwrap_or_default()
    }

    /// `own` are folders that are the container's alone, empty before its start.
    pub(crate) fn new(
        binds: impl IntoIterator<Item = PathBuf>,
        own: impl IntoIterator<Item = PathBuf>,
        before: Used,
        limits: &Limits,
    ) -> Arc<Self> {
        let folders: Vec<_> = binds.into_iter().chain(own).collect();
        let half = |free: u64| FREE_BYTES_MIN.min(free / 2);
        let floors = folders
            .iter()
            .map(|folder| free_bytes(folder).map_or(0, half));
        Arc::new(Self {
            floors: floors.collect(),
            folders,
            before,
            most: Used {
                bytes: before.bytes.saturating_add(limits.disk_bytes),
                files: before.files.saturating_add(limits.files),
            },
            last: AtomicU64::new(0),
        })
    }

    /// Returns when it is too much, which may be never.
    pub(crate) async fn exceeded(self: &Arc<Self>) {
        loop {
            let begun = Instant::now();
            if self.is_exceeded().await {
                return;
            }
            let rest = begun.elapsed() * REST_FACTOR;
            tokio::time::sleep(rest.max(Duration::from_millis(PERIOD_MS))).await;
        }
    }

    /// Whether it is too much now.
    pub(crate) async fn is_exceeded(self: &Arc<Self>) -> bool {
        let disk = Arc::clone(self);
        let looked = tokio::task::spawn_blocking(move || disk.look());
        looked.await.unwrap_or(false)
    }

    /// What the container had added when last measured, bytes.
    pub(crate) fn added_bytes(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    fn look(&self) -> bool {
        let used = measure(&self.folders, self.most.files);
        let added = used.bytes.saturating_sub(self.before.bytes);
        self.last.store(added, Ordering::Relaxed);
        let mut floors = self.folders.iter().zip(&self.floors);
        let full = floors.any(|(folder, floor)| free_bytes(folder).is_some_and(|f| f < *floor));
        full || used.bytes >= self.most.bytes || used.files > self.most.files
    }
}

/// The folders of the host that a container may write to.
pub(crate) fn writable(binds: &[Bind]) -> impl Iterator<Item = PathBuf> {
    let writable = binds.iter().filter(|bind| !bind.read_only);
    writable.map(|bind| bind.host.clone())
}

/// All that is in a folder, bytes.
pub(crate) fn bytes_in(folder: &Path) -> u64 {
    measure(&[folder.to_owned()], u64::MAX - 1).bytes
}

/// Counts until there are more than `files_max`, or folders so deep that not all can be seen: then
/// as too many files.
fn measure(folders: &[PathBuf], files_max: u64) -> Used {
    let mut used = Used::default();
    let mut linked = HashSet::new();
    let mut open: Vec<_> = folders.iter().map(|folder| (folder.clone(), 0)).collect();
    while let Some((folder, depth)) = open.pop() {
        if depth > DEPTH_MAX || folder.as_os_str().len() > PATH_BYTES_MAX {
            used.files = u64::MAX;
        }
        if used.files > files_max {
            return used;
        }
        // What vanishes while we look is not there; what we may not read, the free space tells.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let again = metadata.nlink() > 1
                && !metadata.is_dir()
                && !linked.insert((metadata.dev(), metadata.ino()));
            if !again {
                used.files += 1;
                used.bytes += metadata.blocks() * BLOCK_BYTES;
            }
            if metadata.is_dir() {
                open.push((entry.path(), depth + 1));
            }
        }
    }
    used
}

/// What anybody may still write to the disk of this folder, bytes.
#[cfg(target_os = "linux")]
fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(target_os = "linux"))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(disk_bytes: u64, files: u64) -> Limits {
        Limits {
            disk_bytes,
            files,
            ..Limits::default()
        }
    }

    #[tokio::test]
    async fn what_was_there_before_is_not_counted() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("input"), vec![1; 1 << 20]).unwrap();
        let bind = Bind::writable(dir.path(), "/out");
        let before = Disk::before(std::slice::from_ref(&bind)).await;
        let disk = Disk::new(writable(&[bind]), [], before, &limits(1 << 20, 2));
        assert!(!disk.is_exceeded().await);
        fs::write(dir.path().join("output"), vec![1; 1 << 20]).unwrap();
        assert!(disk.is_exceeded().await);
        assert!(disk.added_bytes() >= 1 << 20);
    }

    #[tokio::test]
    async fn files_are_counted_and_links_once() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(
            [],
            [dir.path().to_owned()],
            Used::default(),
            &limits(1 << 30, 2),
        );
        fs::write(dir.path().join("a"), "").unwrap();
        fs::hard_link(dir.path().join("a"), dir.path().join("b")).unwrap();
        std::os::unix::fs::symlink("/", dir.path().join("c")).unwrap();
        assert!(!disk.is_exceeded().await);
        fs::create_dir(dir.path().join("d")).unwrap();
        assert!(disk.is_exceeded().await);
    }

    #[tokio::test]
    async fn deep_folders_and_long_names_are_too_much() {
        for (levels, name) in [(DEPTH_MAX + 2, "d".to_owned()), (18, "n".repeat(255))] {
            let dir = tempfile::tempdir().unwrap();
            let top = dir.path().join("top");
            crate::remove::testing::deep_tree(&top, levels, &name);
            let disk = Disk::new([], [top.clone()], Used::default(), &Limits::default());
            assert!(disk.is_exceeded().await, "{levels} levels");
            crate::remove_tree(&top).unwrap();
        }
    }
}
