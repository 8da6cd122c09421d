//! Which of the store's images may go.
//!
//! Only what a registry has is removed: an image that somebody imported cannot be fetched again,
//! and does not count. Beside each image stand its size, written before the image gets its place,
//! and a file whose time of change is the last use; so there is nothing to get out of step.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::run::blocking;
use super::store::{Store, list};
use crate::cache::{Eviction, IMAGES_MAX, Kept};
use crate::disk;
use crate::{Digest, Error, Image, ImageRef};

const SIZE_FILE: &str = "bytes";
const USED_FILE: &str = "used";

impl Store {
    /// Notes how large the image in this directory is.
    pub(super) fn weigh(&self, dir: &std::path::Path) -> Result<u64, Error> {
        let (bytes, path) = (disk::bytes_in(dir), dir.join(SIZE_FILE));
        fs::write(&path, bytes.to_string()).map_err(Error::io("write", &path))?;
        Ok(bytes)
    }

    /// It was asked for now. Without this it would only go too early.
    pub(super) fn touch(&self, id: Digest) {
        let path = self.dir(id).join(USED_FILE);
        let touched = File::create(&path).and_then(|file| file.set_modified(SystemTime::now()));
        if let Err(error) = touched {
            tracing::debug!(path = %path.display(), %error, "use not noted");
        }
    }

    /// Since 1970; never is the oldest.
    fn used_us(&self, id: Digest) -> u64 {
        let metadata = fs::metadata(self.dir(id).join(USED_FILE));
        let used = metadata.and_then(|metadata| metadata.modified()).ok();
        let since = used.and_then(|used| used.duration_since(UNIX_EPOCH).ok());
        since.map_or(0, |since| {
            u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
        })
    }

    /// Those of an older version have not been weighed yet.
    fn bytes(&self, id: Digest) -> Result<u64, Error> {
        let text = fs::read_to_string(self.dir(id).join(SIZE_FILE)).ok();
        match text.and_then(|text| text.trim().parse().ok()) {
            Some(bytes) => Ok(bytes),
            None => self.weigh(&self.dir(id)),
        }
    }

    fn kept(&self) -> Result<Vec<Kept>, Error> {
        let mut kept = Vec::new();
        for (id, names) in self.all()? {
            if names.is_imported() {
                continue;
            }
            let bytes = match self.bytes(id) {
                // Removed at this very moment.
                Err(_) if !self.contains(id) => continue,
                bytes => bytes?,
            };
            kept.push(Kept {
                keys: std::iter::once(id.to_string())
                    .chain(names.digests)
                    .collect(),
                bytes,
                used_us: self.used_us(id),
                is_busy: false,
            });
        }
        Ok(kept)
    }

    /// Removes what is too much and not in use.
    pub(super) async fn tidy(self: &Arc<Self>) {
        let _one = self.pass.lock().await;
        if let Err(error) = self.pass().await {
            tracing::warn!(%error, "images are not removed");
        }
    }

    async fn pass(self: &Arc<Self>) -> Result<(), Error> {
        let Some(bytes_max) = self.bytes_max else {
            return Ok(());
        };
        let store = Arc::clone(self);
        let mut eviction = Eviction::new(blocking(move || store.kept()).await?, bytes_max);
        while let Some(one) = eviction.next() {
            let id = one.keys.first().map_or("", String::as_str).parse()?;
            let mut aside = None;
            let removed = self.leases.unless_held(&one.keys, async {
                aside = self.set_aside(id);
                aside.is_some()
            });
            if !removed.await {
                eviction.keep(one);
            } else if let Some(path) = aside {
                tracing::info!(%id, bytes = one.bytes, "removed an image that was not used");
                let gone =
                    blocking(move || crate::remove_tree(&path).map_err(Error::io("remove", &path)));
                gone.await?;
            }
        }
        Ok(())
    }

    /// Takes an image out of sight at once; should we end here, the next start removes it.
    fn set_aside(&self, id: Digest) -> Option<PathBuf> {
        let _one = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.images.join(self.new_part());
        fs::rename(self.dir(id), &path).ok().map(|()| path)
    }

    /// What is here, the last used first.
    pub(super) fn known_images(&self) -> Result<Vec<Image>, Error> {
        let mut all: Vec<_> = self.all()?.collect();
        all.sort_by_key(|(id, _)| std::cmp::Reverse(self.used_us(*id)));
        let images = all.into_iter().flat_map(|(id, names)| {
            let names = match names.digests.is_empty() {
                true => names.tags.into_iter().take(1).collect(),
                false => names.digests,
            };
            let names = names.into_iter().flat_map(|name| ImageRef::parse(&name));
            names.map(move |name| {
                let digest = name.digest();
                Image::new(name, id, digest)
            })
        });
        Ok(images.take(IMAGES_MAX).collect())
    }

    /// All images with their names; one that goes meanwhile is not there.
    fn all(&self) -> Result<impl Iterator<Item = (Digest, super::store::Names)>, Error> {
        let ids = list(&self.images)?.into_iter();
        let ids = ids.filter_map(|name| name.parse::<Digest>().ok());
        Ok(ids.filter_map(|id| Some((id, self.names(id).ok()?))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pin;
    use crate::builtin::store::tests::{archive, open};

    /// An image of a registry.
    fn pulled(store: &Store, name: &str) -> Image {
        let name = ImageRef::parse(name).unwrap();
        let bytes = archive(&name.to_string());
        store
            .install(bytes.id(), &bytes.config, |_, _| Ok(()))
            .unwrap();
        let digest = Digest::of(name.to_string().as_bytes());
        store.add_name(bytes.id(), &name, Some(digest)).unwrap();
        store.touch(bytes.id());
        let found = store.find(&name, &Pin::registry(digest)).unwrap();
        found.unwrap()
    }

    #[tokio::test]
    async fn the_last_use_and_the_size_outlive_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = open(&dir);
        let images = ["one/app:1", "two/app:1", "three/app:1"].map(|name| pulled(&store, name));
        let order = [1, 2, 0];
        for (at, index) in order.into_iter().enumerate() {
            let path = store.dir(images[index].id).join(USED_FILE);
            let file = File::options().write(true).open(path).unwrap();
            let at = UNIX_EPOCH + std::time::Duration::from_secs(at as u64 + 1);
            file.set_modified(at).unwrap();
        }
        let one = store.kept().unwrap()[0].bytes;
        assert!(one > 0);
        let mut reopened = Store::open(dir.path(), false).unwrap();
        reopened.bytes_max = Some(2 * one);
        let store = Arc::new(reopened);
        store.tidy().await;
        let left = store.known_images().unwrap();
        let left: Vec<_> = left.into_iter().map(|image| image.id).collect();
        assert_eq!(left, [images[0].id, images[2].id]);
    }

    #[test]
    fn uses_right_after_each_other_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = open(&dir);
        let [first, second] = ["one/app:1", "two/app:1"].map(|name| pulled(&store, name).id);
        for _ in 0..20 {
            store.touch(first);
            store.touch(second);
            assert!(store.used_us(first) < store.used_us(second));
        }
    }

    #[tokio::test]
    async fn imported_and_held_images_stay_and_what_was_cut_off_goes() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, name) = open(&dir);
        let imported = store.import(&archive("imported"), &name).unwrap();
        let held = pulled(&store, "held/app:1");
        let nameless = archive("cut off before it had a name");
        store
            .install(nameless.id(), &nameless.config, |_, _| Ok(()))
            .unwrap();
        store.bytes_max = Some(0);
        let store = Arc::new(store);
        let lease = store.leases.hold(held.id.to_string()).await;
        store.tidy().await;
        assert!(store.contains(imported.id) && store.contains(held.id));
        assert!(!store.contains(nameless.id()));
        drop(lease);
        store.tidy().await;
        assert!(store.contains(imported.id) && !store.contains(held.id));
        assert_eq!(list(&store.images).unwrap().len(), 1);
    }
}
