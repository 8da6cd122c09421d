//! The root of a container: the image below, a layer of its own above.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, lchown, symlink};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat2};
use rustix::mount::{MountFlags, mount};

use super::bundle::{Bundle, Plan};

/// Mounts the root, and makes the working directory that Docker would make too.
pub(super) fn prepare(bundle: &Bundle, plan: &Plan) -> io::Result<()> {
    let root = bundle.rootfs();
    if let Err(error) = overlay(bundle, plan) {
        tracing::debug!(%error, "no overlay here, copying the image");
        copy(&plan.lower, &root)?;
    }
    make_dirs(&root, Path::new(&plan.workdir))
}

/// Writes go to `upper`, which is removed after the run. Paths are relative, because the
/// options of a mount know no safe way to quote a colon or a comma.
fn overlay(bundle: &Bundle, plan: &Plan) -> io::Result<()> {
    std::env::set_current_dir(&bundle.0)?;
    symlink(&plan.lower, "lower")?;
    let mut options = "lowerdir=lower,upperdir=upper,workdir=work".to_owned();
    if plan.ids.is_some() {
        // Its notes are attributes that only root may write, unless they are the user's.
        options += ",userxattr";
    }
    let options = CString::new(options)?;
    // The root of the overlay has the owner and mode of the upper directory.
    fs::set_permissions("upper", fs::metadata("lower")?.permissions())?;
    mount(
        "overlay",
        "rootfs",
        "overlay",
        MountFlags::empty(),
        options.as_c_str(),
    )?;
    std::env::set_current_dir("/")
}

/// Copies a tree with its owners, modes and links.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    if metadata.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
    } else if metadata.is_dir() {
        fs::create_dir(to).or_else(|error| if to.is_dir() { Ok(()) } else { Err(error) })?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name))?;
        }
    } else {
        fs::copy(from, to)?;
    }
    lchown(to, Some(metadata.uid()), Some(metadata.gid()))?;
    match metadata.is_symlink() {
        true => Ok(()),
        // After the owner: changing that clears the set-user-id bit.
        false => fs::set_permissions(to, metadata.permissions()),
    }
}

/// Makes a directory and its parents as seen from inside the root; links cannot lead out of it.
fn make_dirs(root: &Path, path: &Path) -> io::Result<()> {
    let top = File::open(root)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |path: &Path| openat2(&top, path, flags, Mode::empty(), ResolveFlags::IN_ROOT);
    let (mut parent, mut done) = (open(Path::new("/"))?, PathBuf::from("/"));
    for part in path.components() {
        let Component::Normal(name) = part else {
            continue;
        };
        done.push(name);
        parent = match open(&done) {
            Ok(dir) => dir,
            Err(rustix::io::Errno::NOENT) => {
                mkdirat(&parent, name, Mode::from_raw_mode(0o755))?;
                open(&done)?
            }
            Err(error) => return Err(error.into()),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_inside_only() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("real")).unwrap();
        symlink("../..", root.join("up")).unwrap();
        symlink("/real", root.join("link")).unwrap();
        for path in ["/", "/a/b/c", "/link/x", "/up/y", "relative/z"] {
            make_dirs(&root, Path::new(path)).unwrap();
        }
        for path in ["a/b/c", "real/x", "y", "relative/z"] {
            assert!(root.join(path).is_dir(), "{path}");
        }
        assert!(!dir.path().join("y").exists());
    }

    #[test]
    fn a_copy_keeps_links_and_modes() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::write(from.join("file"), "x").unwrap();
        fs::set_permissions(
            from.join("file"),
            std::os::unix::fs::PermissionsExt::from_mode(0o4755),
        )
        .unwrap();
        symlink("/nowhere", from.join("link")).unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(
            fs::metadata(to.join("file")).unwrap().mode() & 0o7777,
            0o4755
        );
        assert_eq!(
            fs::read_link(to.join("link")).unwrap(),
            Path::new("/nowhere")
        );
    }
}
