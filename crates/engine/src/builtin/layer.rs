//! Unpacking layers onto a root directory, without ever leaving it.
//!
//! A layer is a tar written by a stranger and unpacked by root, so each entry is placed by hand:
//! its parents must be real directories inside the root (links are never followed), device
//! files are not made, and there is a limit to what is written.

use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};
use tar::EntryType;

use crate::{Digest, Error};

/// All layers of an image unpacked; larger images exist, for tasks nobody runs here.
const UNPACKED_BYTES_MAX: u64 = 32 << 30;
/// A full distribution has some hundred thousand files.
const ENTRIES_MAX: u64 = 2_000_000;

/// Marks a file of a lower layer as deleted (OCI image spec, "Whiteouts").
const WHITEOUT: &str = ".wh.";
/// Marks all files of lower layers in this directory as deleted.
const OPAQUE: &str = ".wh..wh..opq";

/// What the owner of a folder needs to change what is in it.
const OWNER_ALL: u32 = 0o700;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What an image may still write, over all of its layers.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: u64,
    entries: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bytes: UNPACKED_BYTES_MAX,
            entries: ENTRIES_MAX,
        }
    }
}

impl Budget {
    fn spend(&mut self, bytes: u64) -> io::Result<()> {
        let left = (self.bytes.checked_sub(bytes), self.entries.checked_sub(1));
        let (Some(bytes), Some(entries)) = left else {
            return refuse("too large unpacked");
        };
        *self = Self { bytes, entries };
        Ok(())
    }
}

/// Unpacks one layer, gzipped or plain, over what lower layers left in `root`.
pub(super) fn apply(
    packed: impl Read,
    diff_id: Digest,
    root: &Path,
    budget: &mut Budget,
) -> Result<(), Error> {
    let bad = |reason: String| Error::BadImage {
        id: diff_id,
        reason: format!("layer: {reason}"),
    };
    let unpacked = decompress(packed).map_err(|error| bad(error.to_string()))?;
    let mut hashed = Hashed {
        inner: unpacked,
        hash: Sha256::new(),
    };
    let placed = Layer::new(root).unpack(&mut hashed, budget);
    placed.map_err(|error| bad(error.to_string()))?;
    // The padding after the last entry counts too.
    io::copy(&mut hashed, &mut io::sink()).map_err(|error| bad(error.to_string()))?;
    let found = Digest(hashed.hash.finalize().into());
    match found == diff_id {
        true => Ok(()),
        false => Err(bad(format!("its content has digest {found}"))),
    }
}

fn decompress<'a>(packed: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut packed = BufReader::with_capacity(1 << 16, packed);
    let start = packed.fill_buf()?;
    if start.starts_with(&GZIP_MAGIC) {
        Ok(Box::new(MultiGzDecoder::new(packed)))
    } else if start.starts_with(&ZSTD_MAGIC) {
        refuse("compressed with zstd, only gzip is supported; use Docker")
    } else {
        Ok(Box::new(packed))
    }
}

struct Hashed<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

fn refuse<T>(reason: impl Into<String>) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidData, reason.into()))
}

struct Layer<'a> {
    root: &'a Path,
    /// What this very layer made: its own whiteouts do not concern it.
    made: HashSet<PathBuf>,
    /// Only root can give files to others, and write to folders that are closed to everybody.
    is_root: bool,
}

impl<'a> Layer<'a> {
    fn new(root: &'a Path) -> Self {
        Self {
            root,
            made: HashSet::new(),
            is_root: rustix::process::geteuid().is_root(),
        }
    }

    fn unpack(&mut self, tar: &mut dyn Read, budget: &mut Budget) -> io::Result<()> {
        let mut archive = tar::Archive::new(tar);
        archive.set_preserve_permissions(true);
        archive.set_preserve_ownerships(self.is_root);
        archive.set_unpack_xattrs(self.is_root);
        for entry in archive.entries()? {
            let mut entry = entry?;
            budget.spend(entry.size())?;
            let path = relative(&entry.path()?)?;
            self.place(&mut entry, &path).map_err(|error| {
                io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
            })?;
        }
        Ok(())
    }

    fn place(&mut self, entry: &mut tar::Entry<'_, &mut dyn Read>, path: &Path) -> io::Result<()> {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Ok(());
        };
        let parent = self.parent(path)?;
        if name == OPAQUE {
            return self.clear(&parent);
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            return match hidden {
                "" | "." | ".." => refuse("hides no file"),
                hidden => self.hide(&parent.join(hidden)),
            };
        }
        let target = parent.join(name);
        match entry.header().entry_type() {
            EntryType::Char | EntryType::Block | EntryType::Fifo => return Ok(()),
            EntryType::Directory if is_dir(&target) => {}
            _ => remove(&target)?,
        }
        self.made.insert(target.clone());
        match entry.link_name()? {
            Some(original) if entry.header().entry_type() == EntryType::Link => {
                let original = relative(&original)?;
                let Some(name) = original.file_name() else {
                    return refuse("link to the root");
                };
                fs::hard_link(self.parent(&original)?.join(name), &target)
            }
            _ => entry.unpack(&target).and_then(|_| self.open_up(&target)),
        }
    }

    /// Others than root could neither fill nor remove a folder that its owner may not write to.
    fn open_up(&self, target: &Path) -> io::Result<()> {
        let metadata = fs::symlink_metadata(target)?;
        if self.is_root || !metadata.is_dir() {
            return Ok(());
        }
        let mode = metadata.permissions().mode() | OWNER_ALL;
        fs::set_permissions(target, fs::Permissions::from_mode(mode))
    }

    /// The directory an entry belongs to, made where missing. Nothing on the way is a link.
    fn parent(&self, path: &Path) -> io::Result<PathBuf> {
        let mut dir = self.root.to_owned();
        for part in path.parent().into_iter().flat_map(Path::components) {
            dir.push(part);
            match fs::symlink_metadata(&dir) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return refuse("its parent is not a directory"),
                Err(_) => fs::create_dir(&dir)?,
            }
        }
        Ok(dir)
    }

    fn hide(&self, target: &Path) -> io::Result<()> {
        match self.made.contains(target) {
            true => Ok(()),
            false => remove(target),
        }
    }

    fn clear(&self, dir: &Path) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            self.hide(&entry?.path())?;
        }
        Ok(())
    }
}

fn is_dir(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}

/// The path below the root; `..` has no honest use in a layer.
fn relative(path: &Path) -> io::Result<PathBuf> {
    let mut relative = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => relative.push(name),
            Component::ParentDir => return refuse(format!("`..` in `{}`", path.display())),
            _ => {}
        }
    }
    Ok(relative)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    enum Make<'a> {
        Dir(&'a str),
        File(&'a str, &'a str),
        Symlink(&'a str, &'a str),
        Link(&'a str, &'a str),
        Device(&'a str),
    }
    use Make::{Device, Dir, File, Link, Symlink};

    fn header(kind: EntryType, path: &str, size: usize) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        // Written by hand: the library refuses the paths that we must refuse.
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_size(size as u64);
        let metadata = fs::metadata("/proc/self").unwrap();
        header.set_uid(std::os::unix::fs::MetadataExt::uid(&metadata).into());
        header.set_gid(std::os::unix::fs::MetadataExt::gid(&metadata).into());
        header
    }

    fn layer(entries: &[Make<'_>]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for entry in entries {
            let (mut header, content) = match entry {
                Dir(path) => (header(EntryType::Directory, path, 0), ""),
                File(path, content) => (header(EntryType::Regular, path, content.len()), *content),
                Device(path) => (header(EntryType::Char, path, 0), ""),
                Symlink(path, target) | Link(path, target) => {
                    let hard = matches!(entry, Link(..));
                    let kind = if hard {
                        EntryType::Link
                    } else {
                        EntryType::Symlink
                    };
                    let mut header = header(kind, path, 0);
                    header.as_gnu_mut().unwrap().linkname[..target.len()]
                        .copy_from_slice(target.as_bytes());
                    (header, "")
                }
            };
            header.set_cksum();
            tar.append(&header, content.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn apply_all(root: &Path, layers: &[Vec<u8>]) -> Result<(), Error> {
        let mut budget = Budget::default();
        layers
            .iter()
            .try_for_each(|layer| apply(&layer[..], Digest::of(layer), root, &mut budget))
    }

    /// A root inside a directory that also holds a file nobody may touch.
    fn sandbox() -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("outside"), "safe").unwrap();
        fs::create_dir(dir.path().join("root")).unwrap();
        let root = dir.path().join("root");
        (dir, root)
    }

    #[test]
    fn later_layers_replace_hide_and_clear() {
        let (_dir, root) = sandbox();
        let base = layer(&[
            Dir("a"),
            File("a/one", "1"),
            File("a/two", "2"),
            Dir("b"),
            File("b/old", "old"),
            File("c", "file"),
            Dir("d"),
            File("d/x", "x"),
        ]);
        let top = layer(&[
            File("a/.wh.one", ""),
            File("a/two", "two"),
            File("b/new", "new"),
            File("b/.wh..wh..opq", ""),
            Dir("c"),
            File("c/inside", "x"),
            Symlink("d", "a"),
        ]);
        apply_all(&root, &[base, top]).unwrap();
        assert!(!root.join("a/one").exists());
        assert_eq!(fs::read_to_string(root.join("a/two")).unwrap(), "two");
        assert!(!root.join("b/old").exists() && root.join("b/new").exists());
        assert!(root.join("c/inside").exists());
        assert_eq!(fs::read_link(root.join("d")).unwrap(), Path::new("a"));
    }

    #[test]
    fn gzipped_layers_and_hard_links_work() {
        let (_dir, root) = sandbox();
        let plain = layer(&[File("a", "content"), Link("b", "/a"), Symlink("abs", "/a")]);
        let mut packed = Vec::new();
        flate2::read::GzEncoder::new(&plain[..], Default::default())
            .read_to_end(&mut packed)
            .unwrap();
        apply(
            &packed[..],
            Digest::of(&plain),
            &root,
            &mut Budget::default(),
        )
        .unwrap();
        assert_eq!(fs::read_to_string(root.join("b")).unwrap(), "content");
    }

    #[test]
    fn nothing_leaves_the_root() {
        for entries in [
            vec![File("../outside", "evil")],
            vec![File("a/../../outside", "evil")],
            vec![Symlink("up", ".."), File("up/outside", "evil")],
            vec![Symlink("abs", "/tmp"), File("abs/evil", "evil")],
            vec![Link("copy", "../outside")],
            vec![Symlink("up", ".."), Link("copy", "up/outside")],
            vec![Symlink("up", ".."), File("up/.wh.outside", "")],
            vec![File(".wh...", "")],
        ] {
            let (dir, root) = sandbox();
            let error = apply_all(&root, &[layer(&entries)]).unwrap_err();
            assert!(matches!(error, Error::BadImage { .. }), "{error:?}");
            assert_eq!(
                fs::read_to_string(dir.path().join("outside")).unwrap(),
                "safe"
            );
            assert!(!root.join("copy").exists());
        }
    }

    #[test]
    fn a_file_replaces_a_link_and_does_not_follow_it() {
        let (dir, root) = sandbox();
        symlink(dir.path().join("outside"), root.join("link")).unwrap();
        apply_all(&root, &[layer(&[File("link", "evil")])]).unwrap();
        assert_eq!(
            fs::read_to_string(dir.path().join("outside")).unwrap(),
            "safe"
        );
        assert_eq!(fs::read_to_string(root.join("link")).unwrap(), "evil");
    }

    #[test]
    fn devices_are_not_made() {
        let (_dir, root) = sandbox();
        apply_all(&root, &[layer(&[Device("sda"), File("after", "")])]).unwrap();
        assert!(!root.join("sda").exists() && root.join("after").exists());
    }

    #[test]
    fn other_content_and_too_much_are_refused() {
        let (_dir, root) = sandbox();
        let one = layer(&[File("a", "12345")]);
        let mut budget = Budget::default();
        assert!(apply(&one[..], Digest([0; 32]), &root, &mut budget).is_err());
        for mut budget in [
            Budget {
                bytes: 4,
                entries: 9,
            },
            Budget {
                bytes: 9,
                entries: 0,
            },
        ] {
            assert!(apply(&one[..], Digest::of(&one), &root, &mut budget).is_err());
        }
    }
}
