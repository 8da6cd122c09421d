//! The device files of graphics processors.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{major, minor};
use serde_json::{Value, json};

/// How NVIDIA's driver names its device files: `nvidia0`, `nvidiactl`, `nvidia-uvm`.
const PREFIX: &str = "nvidia";
/// `mknod`, which a container cannot do, is left out.
const ACCESS: &str = "rw";

/// One device file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gpu {
    path: String,
    major: u32,
    minor: u32,
}

impl Gpu {
    /// As in `linux.devices` of the runtime's config.
    pub(super) fn node(&self) -> Value {
        json!({
            "path": self.path, "type": "c", "major": self.major, "minor": self.minor,
            "fileMode": 0o666, "uid": 0, "gid": 0,
        })
    }

    /// As in `linux.resources.devices`.
    pub(super) fn rule(&self) -> Value {
        json!({
            "allow": true, "type": "c", "major": self.major, "minor": self.minor,
            "access": ACCESS,
        })
    }
}

/// Those that the machine has.
pub(super) fn list(dev: &Path) -> Vec<Gpu> {
    let entries = fs::read_dir(dev).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    let mut found: Vec<_> = named
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            metadata.file_type().is_char_device().then(|| Gpu {
                path: entry.path().to_string_lossy().into_owned(),
                major: major(metadata.rdev()),
                minor: minor(metadata.rdev()),
            })
        })
        .collect();
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_files_of_the_driver_are_passed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("nvidia-notes"), "").unwrap();
        assert_eq!(list(dir.path()), []);
        let made = std::process::Command::new("mknod")
            .arg(dir.path().join("nvidia0"))
            .args(["c", "195", "0"])
            .status()
            .unwrap();
        // Not everybody may make device files.
        if made.success() {
            let found = list(dir.path());
            assert_eq!((found.len(), found[0].major, found[0].minor), (1, 195, 0));
            assert_eq!(found[0].rule()["access"], "rw");
        }
    }
}
