//! Images on disk: one directory per image id with its config, its names and its unpacked root.
//! What is kept for how long is in `shelf.rs`.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::config::ImageConfig;
use super::layer::{self, Budget};
use crate::archive::Archive;
use crate::cache::{Leases, now_us};
use crate::{Digest, Error, Image, ImageRef, Pin, Resolved};

const CONFIG_FILE: &str = "config.json";
const NAMES_FILE: &str = "names.json";
const ROOT_DIR: &str = "rootfs";
/// Begins the names of directories that become images when they are complete.
const PART_PREFIX: &str = "part-";

/// Tells this process from an earlier one that had its id, as the first of a container has.
static BEGUN: LazyLock<u64> = LazyLock::new(now_us);

/// The images of one machine; safe to use from several tasks at once.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) images: PathBuf,
    blobs: PathBuf,
    parts: AtomicU64,
    pub(super) names: Mutex<()>,
    /// How much of what registries have is kept; all where there is no limit.
    pub(super) bytes_max: Option<u64>,
    pub(super) leases: Leases,
    /// One pass of removals at a time.
    pub(super) pass: tokio::sync::Mutex<()>,
}

/// How an image has been called.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    /// `registry/repository:tag`.
    pub(super) tags: BTreeSet<String>,
    /// `registry/repository@sha256:…`.
    pub(super) digests: BTreeSet<String>,
    /// Whether somebody has put it here by hand.
    #[serde(default)]
    imported: bool,
}

impl Store {
    /// What a killed process left half done is removed, but not by a guest.
    pub(super) fn open(root: &Path, is_guest: bool) -> Result<Self, Error> {
        let store = Self {
            images: root.join("images"),
            blobs: root.join("blobs/sha256"),
            parts: AtomicU64::new(0),
            names: Mutex::new(()),
            bytes_max: None,
            leases: Leases::default(),
            pass: tokio::sync::Mutex::default(),
        };
        create_private(&store.images)?;
        create_private(&store.blobs)?;
        if !is_guest {
            store.remove_parts()?;
        }
        Ok(store)
    }

    /// What a killed process left half done.
    fn remove_parts(&self) -> Result<(), Error> {
        let ours = our_parts();
        for dir in [&self.images, &self.blobs] {
            for name in list(dir)? {
                if name.starts_with(PART_PREFIX) && !name.starts_with(&ours) {
                    let path = dir.join(&name);
                    let removed = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
                    removed.map_err(Error::io("remove", &path))?;
                }
            }
        }
        Ok(())
    }

    /// Where a layer is kept between its download and its unpacking.
    pub(super) fn new_blob(&self) -> PathBuf {
        self.blobs.join(self.new_part())
    }

    pub(super) fn new_part(&self) -> String {
        let number = self.parts.fetch_add(1, Ordering::Relaxed);
        format!("{}{number}", our_parts())
    }

    pub(super) fn dir(&self, id: Digest) -> PathBuf {
        self.images.join(id.hex())
    }

    /// The unpacked root of an image.
    pub(super) fn root(&self, id: Digest) -> PathBuf {
        self.dir(id).join(ROOT_DIR)
    }

    pub(super) fn contains(&self, id: Digest) -> bool {
        self.dir(id).is_dir()
    }

    pub(super) fn config(&self, id: Digest) -> Result<ImageConfig, Error> {
        let path = self.dir(id).join(CONFIG_FILE);
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        ImageConfig::parse(&bytes)
    }

    /// The pinned image, when it is here.
    pub(super) fn find(&self, reference: &ImageRef, pin: &Pin) -> Result<Option<Image>, Error> {
        let wanted = reference.at(pin.digest).to_string();
        if let Some((id, _)) = self.search(|names| names.digests.contains(&wanted))? {
            return Ok(Some(Image::new(reference.clone(), id, Some(pin.digest))));
        }
        if !pin.allow_local || !self.contains(pin.digest) {
            return Ok(None);
        }
        let digest = self.names(pin.digest)?.digest_of(reference);
        Ok(Some(Image::new(reference.clone(), pin.digest, digest)))
    }

    /// What this machine knows of a name.
    pub(super) fn resolve(&self, reference: &ImageRef) -> Result<Option<Resolved>, Error> {
        let name = reference.to_string();
        let known = |names: &Names| names.tags.contains(&name) || names.digests.contains(&name);
        let found = self.search(known)?;
        Ok(found.map(|(id, names)| Resolved {
            digest: names.digest_of(reference),
            image_id: Some(id),
        }))
    }

    fn search(&self, wanted: impl Fn(&Names) -> bool) -> Result<Option<(Digest, Names)>, Error> {
        for name in list(&self.images)? {
            let Ok(id) = name.parse::<Digest>() else {
                continue;
            };
            let names = match self.names(id) {
                // Removed at this very moment.
                Err(_) if !self.contains(id) => continue,
                names => names?,
            };
            if wanted(&names) {
                return Ok(Some((id, names)));
            }
        }
        Ok(None)
    }

    pub(super) fn names(&self, id: Digest) -> Result<Names, Error> {
        let path = self.dir(id).join(NAMES_FILE);
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        serde_json::from_slice(&bytes).map_err(|error| Error::BadImage {
            id,
            reason: error.to_string(),
        })
    }

    /// Unpacks an archive unless that image is here, and gives it the name.
    pub(super) fn import(&self, archive: &Archive, reference: &ImageRef) -> Result<Image, Error> {
        let id = archive.id();
        if !self.contains(id) {
            let config = ImageConfig::parse(&archive.config);
            let config = config.map_err(|error| error.about(reference))?;
            self.install(id, &archive.config, |root, budget| {
                config.check_layers(archive.layers.len())?;
                for (packed, diff_id) in archive.layers.iter().zip(&config.diff_ids) {
                    layer::apply(packed.as_ref(), *diff_id, root, budget)?;
                }
                Ok(())
            })?;
        }
        self.add_name(id, reference, None)?;
        let digest = self.names(id)?.digest_of(reference);
        Ok(Image::new(reference.clone(), id, digest))
    }

    /// Makes an image directory with the root that `fill` unpacks: complete or not at all.
    pub(super) fn install(
        &self,
        id: Digest,
        config: &[u8],
        fill: impl FnOnce(&Path, &mut Budget) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let part = self.images.join(self.new_part());
        let filled = self.fill(&part, config, fill);
        let installed = filled.and_then(|()| match fs::rename(&part, self.dir(id)) {
            // Another task was faster with the same image.
            Err(_) if self.contains(id) => Ok(()),
            result => result.map_err(Error::io("rename", &part)),
        });
        if part.exists() {
            fs::remove_dir_all(&part).map_err(Error::io("remove", &part))?;
        }
        installed
    }

    fn fill(
        &self,
        part: &Path,
        config: &[u8],
        fill: impl FnOnce(&Path, &mut Budget) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let root = part.join(ROOT_DIR);
        create_private(part)?;
        DirBuilder::new()
            .mode(0o755)
            .create(&root)
            .map_err(Error::io("create", &root))?;
        write(&part.join(CONFIG_FILE), config)?;
        write_names(part, &Names::default())?;
        fill(&root, &mut Budget::default())?;
        self.weigh(part).map(drop)
    }

    /// Adds a name, without digest to what is imported; a tag is taken from the image that had
    /// it before.
    pub(super) fn add_name(
        &self,
        id: Digest,
        reference: &ImageRef,
        digest: Option<Digest>,
    ) -> Result<(), Error> {
        let _one = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if reference.tag().is_some() {
            let tag = reference.to_string();
            while let Some((other, mut names)) = self.search(|names| names.tags.contains(&tag))? {
                names.tags.remove(&tag);
                write_names(&self.dir(other), &names)?;
            }
        }
        let mut names = self.names(id)?;
        if reference.tag().is_some() {
            names.tags.insert(reference.to_string());
        }
        names.imported |= digest.is_none();
        names
            .digests
            .extend(digest.map(|digest| reference.at(digest).to_string()));
        write_names(&self.dir(id), &names)
    }
}

/// Begins the names of what this process makes.
fn our_parts() -> String {
    format!("{PART_PREFIX}{}-{}-", process::id(), *BEGUN)
}

impl Names {
    /// Whether no registry could give it again. An older version only knew that by the digest.
    pub(super) fn is_imported(&self) -> bool {
        self.imported || (self.digests.is_empty() && !self.tags.is_empty())
    }

    fn digest_of(&self, reference: &ImageRef) -> Option<Digest> {
        let known = self
            .digests
            .iter()
            .filter_map(|text| ImageRef::parse(text).ok());
        known
            .filter(|known| known.same_repository(reference))
            .find_map(|known| known.digest())
    }
}

fn write_names(dir: &Path, names: &Names) -> Result<(), Error> {
    let path = dir.join(NAMES_FILE);
    // Its own for each process: a guest may name an image at this very moment.
    let next = dir.join(format!("{NAMES_FILE}.{}", process::id()));
    let text = serde_json::to_vec(names).map_err(|error| Error::Io {
        action: "write",
        path: path.clone(),
        source: error.into(),
    })?;
    write(&next, &text)?;
    fs::rename(&next, &path).map_err(Error::io("rename", &next))
}

fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    fs::write(path, content).map_err(Error::io("write", path))
}

/// A directory for root's eyes only: images hold programs with the set-user-id bit.
pub(super) fn create_private(path: &Path) -> Result<(), Error> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(Error::io("create", path))
}

/// The names in a directory; none where there is no directory.
pub(super) fn list(dir: &Path) -> Result<Vec<String>, Error> {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("list", dir)(error)),
        Ok(entries) => Ok(entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::builtin) fn archive(comment: &str) -> Archive {
        let config = format!(
            r#"{{"architecture":"{}","os":"linux","comment":"{comment}",
                "rootfs":{{"type":"layers","diff_ids":[]}}}}"#,
            crate::platform::architecture()
        );
        Archive {
            config: config.into(),
            layers: Vec::new(),
        }
    }

    pub(in crate::builtin) fn open(dir: &tempfile::TempDir) -> (Store, ImageRef) {
        (
            Store::open(dir.path(), false).unwrap(),
            ImageRef::parse("user/app:1").unwrap(),
        )
    }

    #[test]
    fn a_tag_moves_to_the_newer_image() {
        let dir = tempfile::tempdir().unwrap();
        let (store, name) = open(&dir);
        let one = store.import(&archive("one"), &name).unwrap();
        let two = store.import(&archive("two"), &name).unwrap();
        assert_eq!(
            store.resolve(&name).unwrap().unwrap().image_id,
            Some(two.id)
        );
        assert!(store.find(&name, &Pin::local(one.id)).unwrap().is_some());
        assert!(store.find(&name, &Pin::registry(one.id)).unwrap().is_none());
    }

    #[test]
    fn a_digest_belongs_to_its_repository() {
        let dir = tempfile::tempdir().unwrap();
        let (store, name) = open(&dir);
        let image = store.import(&archive("one"), &name).unwrap();
        let digest = Digest([1; 32]);
        store.add_name(image.id, &name, Some(digest)).unwrap();
        let pin = Pin::registry(digest);
        assert_eq!(store.find(&name, &pin).unwrap().unwrap().id, image.id);
        let other = ImageRef::parse("other/app:1").unwrap();
        assert!(store.find(&other, &pin).unwrap().is_none());
    }

    #[test]
    fn a_failed_unpacking_leaves_nothing_and_parts_of_the_dead_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (store, name) = open(&dir);
        let mut broken = archive("broken");
        broken.layers.push("no layer is announced".into());
        assert!(matches!(
            store.import(&broken, &name),
            Err(Error::BadImage { .. })
        ));
        assert!(list(&store.images).unwrap().is_empty());
        fs::create_dir(store.images.join("part-0-0")).unwrap();
        fs::write(store.blobs.join("part-0-1"), "x").unwrap();
        Store::open(dir.path(), false).unwrap();
        assert!(list(&store.images).unwrap().is_empty() && list(&store.blobs).unwrap().is_empty());
    }
}
