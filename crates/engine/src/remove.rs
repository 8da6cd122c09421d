//! Removing what a container left, however it looks.
//!
//! The standard library goes down a tree with a descriptor and a stack frame for each level, and a
//! path may be longer than the kernel takes. A stranger decides how deep it is, so here every
//! folder is moved to the top first: two descriptors and no recursion, whatever the depth.

use std::io;
use std::path::Path;

#[cfg(target_os = "linux")]
use std::{ffi::CString, os::fd::OwnedFd};

#[cfg(target_os = "linux")]
use rustix::{
    fs::{AtFlags, CWD, Dir, Mode, OFlags, chmodat, fchmod, openat, renameat, unlinkat},
    io::Errno,
};

/// Removes a tree and everything in it; links are removed and not followed. Fine when there is
/// none. Folders that a program without privileges closed to itself are opened first.
///
/// # Errors
/// The disk's, or that something belongs to another user.
#[cfg(target_os = "linux")]
pub fn remove_tree(dir: &Path) -> io::Result<()> {
    let name = CString::new(dir.as_os_str().as_encoded_bytes())?;
    let top = match open(CWD, &name) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut moved = 0;
    loop {
        let names = names(&top)?;
        if names.is_empty() {
            break;
        }
        for name in names {
            if !remove(&top, &name)? {
                let folder = open(&top, &name)?;
                empty(&folder, &top, &mut moved)?;
                unlinkat(&top, &name, AtFlags::REMOVEDIR)?;
            }
        }
    }
    Ok(unlinkat(CWD, &name, AtFlags::REMOVEDIR)?)
}

/// Elsewhere there are no strangers' containers.
///
/// # Errors
/// The disk's.
#[cfg(not(target_os = "linux"))]
pub fn remove_tree(dir: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes what is in a folder, or moves it to the top.
#[cfg(target_os = "linux")]
fn empty(folder: &OwnedFd, top: &OwnedFd, moved: &mut u64) -> io::Result<()> {
    for name in names(folder)? {
        if !remove(folder, &name)? {
            // Moving a folder changes its parent, which is written in it.
            open(folder, &name)?;
            raise(folder, &name, top, moved)?;
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn raise(folder: &OwnedFd, name: &CString, top: &OwnedFd, moved: &mut u64) -> io::Result<()> {
    loop {
        *moved += 1;
        match renameat(folder, name, top, format!(".moved-{moved}")) {
            // Somebody guessed the name.
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            done => return Ok(done?),
        }
    }
}

/// Removes one thing; false for a folder that is not empty.
#[cfg(target_os = "linux")]
fn remove(folder: &OwnedFd, name: &CString) -> io::Result<bool> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) => return Ok(true),
        Err(Errno::ISDIR) => {}
        Err(error) => return Err(error.into()),
    }
    match unlinkat(folder, name, AtFlags::REMOVEDIR) {
        Ok(()) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Opens a folder, and makes it one that its owner may change.
#[cfg(target_os = "linux")]
fn open(parent: impl std::os::fd::AsFd, name: &CString) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let once = || openat(&parent, name, flags, Mode::empty());
    let folder = match once() {
        Err(Errno::ACCESS) => {
            chmodat(&parent, name, Mode::RWXU, AtFlags::empty())?;
            once()?
        }
        opened => opened?,
    };
    // Somebody else's stays as it is; then removing will fail, and say so.
    let _ = fchmod(&folder, Mode::RWXU);
    Ok(folder)
}

#[cfg(target_os = "linux")]
fn names(folder: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// As a container makes it: each folder relative to the last.
    pub(crate) fn deep_tree(top: &Path, levels: usize, name: &str) {
        std::fs::create_dir(top).unwrap();
        let flags = OFlags::DIRECTORY;
        let mut folder = openat(CWD, top, flags, Mode::empty()).unwrap();
        for _ in 0..levels {
            rustix::fs::mkdirat(&folder, name, Mode::RWXU).unwrap();
            folder = openat(&folder, name, flags, Mode::empty()).unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn ten_thousand_levels_of_long_names_go() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("top");
        testing::deep_tree(&top, 10_000, &"n".repeat(255));
        remove_tree(&top).unwrap();
        assert!(!top.exists());
        remove_tree(&top).unwrap();
    }

    #[test]
    fn closed_folders_links_and_guessed_names_go_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (top, outside) = (dir.path().join("top"), dir.path().join("outside"));
        fs::create_dir_all(top.join("a/b/c")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "safe").unwrap();
        fs::write(top.join(".moved-1"), "").unwrap();
        fs::create_dir_all(top.join(".moved-2/full")).unwrap();
        symlink(&outside, top.join("a/link")).unwrap();
        symlink(&outside, top.join("a/b/link")).unwrap();
        fs::set_permissions(top.join("a/b"), fs::Permissions::from_mode(0o000)).unwrap();
        remove_tree(&top).unwrap();
        assert!(!top.exists());
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "safe");
        // A link in place of the folder is not the folder.
        symlink(&outside, &top).unwrap();
        assert!(remove_tree(&top).is_err());
        assert!(outside.join("file").exists());
    }
}
