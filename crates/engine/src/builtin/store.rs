//! Images on disk: one directory per image id with its config, its names and its unpacked root.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::config::ImageConfig;
use super::layer::{self, Budget};
use crate::archive::Archive;
use crate::{Digest, Error, Image, ImageRef, Pin, Resolved};

const CONFIG_FILE: &str = "config.json";
const NAMES_FILE: &str = "names.json";
const ROOT_DIR: &str = "rootfs";
/// Begins the names of directories that become images when they are complete.
const PART_PREFIX: &str = "part-";

/// The images of one machine; safe to use from several tasks at once.
#[derive(Debug)]
pub(super) struct Store {
    images: PathBuf,
    blobs: PathBuf,
    parts: AtomicU64,
    names: Mutex<()>,
}

/// How an image has been called.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    /// `registry/repository:tag`.
    tags: BTreeSet<String>,
    /// `registry/repository@sha256:…`.
    digests: BTreeSet<String>,
}

impl Store {
    pub(super) fn open(root: &Path) -> Result<Self, Error> {
        let store = Self {
            images: root.join("images"),
            blobs: root.join("blobs/sha256"),
            parts: AtomicU64::new(0),
            names: Mutex::new(()),
        };
        create_private(&store.images)?;
        create_private(&store.blobs)?;
        store.remove_parts()?;
        Ok(store)
    }

    /// What a killed process left half done.
    fn remove_parts(&self) -> Result<(), Error> {
        let ours = format!("{PART_PREFIX}{}-", process::id());
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

    fn new_part(&self) -> String {
        let number = self.parts.fetch_add(1, Ordering::Relaxed);
        format!("{PART_PREFIX}{}-{number}", process::id())
    }

    fn dir(&self, id: Digest) -> PathBuf {
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
            return Ok(Some(Image {
                reference: reference.clone(),
                id,
                digest: Some(pin.digest),
            }));
        }
        if !pin.allow_local || !self.contains(pin.digest) {
            return Ok(None);
        }
        let digest = self.names(pin.digest)?.digest_of(reference);
        Ok(Some(Image {
            reference: reference.clone(),
            id: pin.digest,
            digest,
        }))
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
            let names = self.names(id)?;
            if wanted(&names) {
                return Ok(Some((id, names)));
            }
        }
        Ok(None)
    }

    fn names(&self, id: Digest) -> Result<Names, Error> {
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
            let config = ImageConfig::parse(&archive.config)?;
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
        Ok(Image {
            reference: reference.clone(),
            id,
            digest,
        })
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
        fill(&root, &mut Budget::default())
    }

    /// Adds a name; a tag is taken from the image that had it before.
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
        names
            .digests
            .extend(digest.map(|digest| reference.at(digest).to_string()));
        write_names(&self.dir(id), &names)
    }
}

impl Names {
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
    let next = dir.join(format!("{NAMES_FILE}.next"));
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
mod tests {
    use super::*;

    fn archive(comment: &str) -> Archive {
        let config = format!(
            r#"{{"architecture":"{}","os":"linux","comment":"{comment}",
                "rootfs":{{"type":"layers","diff_ids":[]}}}}"#,
            crate::archive::architecture()
        );
        Archive {
            config: config.into(),
            layers: Vec::new(),
        }
    }

    fn open(dir: &tempfile::TempDir) -> (Store, ImageRef) {
        (
            Store::open(dir.path()).unwrap(),
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
        Store::open(dir.path()).unwrap();
        assert!(list(&store.images).unwrap().is_empty() && list(&store.blobs).unwrap().is_empty());
    }
}
