//! The images that this engine has pulled itself, and which of them may go.
//!
//! The daemon does not know who pulled an image or when it was last used, so a file does. A name
//! is written down before its pull begins: whenever we are killed, nothing that we pulled is
//! forgotten. What was there before, and what somebody else has given a name, is never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bollard::models::ImageInspect;
use bollard::query_parameters::RemoveImageOptions;
use serde::{Deserialize, Serialize};

use super::pull::inspect;
use super::{message, status};
use crate::cache::{Eviction, Kept, Leases, now_us};
use crate::{Digest, ImageRef};

/// By the reference that was pulled, which names a digest.
type Book = BTreeMap<String, Record>;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Record {
    /// The daemon's id; none while it is being pulled.
    id: Option<String>,
    /// Its size as if it shared no layer.
    bytes: u64,
    /// Earlier versions noted milliseconds; theirs are the oldest.
    #[serde(alias = "used_ms")]
    used_us: u64,
}

/// What this engine has pulled through one daemon.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// None where nothing is remembered, and so nothing removed.
    file: Option<PathBuf>,
    bytes_max: Option<u64>,
    book: Mutex<Book>,
    pub(super) leases: Leases,
    /// One pass at a time.
    pass: tokio::sync::Mutex<()>,
}

impl Shelf {
    /// Reads what an earlier process wrote down. A file that cannot be read is begun anew: its
    /// images then stay until somebody removes them.
    pub(super) fn open(file: PathBuf, bytes_max: u64) -> Self {
        let book = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Book::new()),
            Err(error) => Err(error),
        };
        let book = book.unwrap_or_else(|error| {
            tracing::warn!(file = %file.display(), %error, "pulled images are forgotten");
            Book::new()
        });
        Self {
            file: Some(file),
            bytes_max: Some(bytes_max),
            book: Mutex::new(book),
            ..Self::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the book here and on the disk; fails no pull.
    fn write(&self, change: impl FnOnce(&mut Book)) {
        let Some(file) = &self.file else { return };
        let mut book = self.lock();
        let before = book.clone();
        change(&mut book);
        if *book == before {
            return;
        }
        let text = serde_json::to_vec_pretty(&*book).map_err(io::Error::from);
        if let Err(error) = text.and_then(|text| replace(file, &text)) {
            tracing::warn!(file = %file.display(), %error, "pulled images are not remembered");
        }
    }

    /// A pull is about to begin of what is not there.
    pub(super) fn begin(&self, name: &ImageRef) {
        self.write(|book| {
            book.insert(name.to_string(), Record::default());
        });
    }

    /// It is there now.
    pub(super) fn done(&self, name: &ImageRef, found: &ImageInspect) {
        self.write(|book| {
            book.insert(name.to_string(), Record::of(found));
        });
    }

    pub(super) fn forget(&self, name: &str) {
        self.write(|book| {
            book.remove(name);
        });
    }

    /// It was asked for.
    pub(super) fn touch(&self, name: &ImageRef) {
        self.write(|book| {
            if let Some(record) = book.get_mut(&name.to_string()) {
                record.used_us = now_us();
            }
        });
    }

    /// When this was last asked for; never is the oldest.
    pub(super) fn used_us(&self, name: &ImageRef) -> u64 {
        let book = self.lock();
        book.get(&name.to_string())
            .map_or(0, |record| record.used_us)
    }

    /// Removes what is too much and not in use.
    pub(super) async fn tidy(&self, api: &bollard::Docker) {
        let Some(bytes_max) = self.bytes_max else {
            return;
        };
        let _one = self.pass.lock().await;
        self.settle(api).await;
        let mut eviction = Eviction::new(self.kept(), bytes_max);
        while let Some(one) = eviction.next() {
            let gone = self.leases.unless_held(&one.keys, self.remove(api, &one));
            if !gone.await {
                eviction.keep(one);
            }
        }
    }

    /// Finds out what became of pulls that were cut off.
    async fn settle(&self, api: &bollard::Docker) {
        let book = self.lock().clone();
        for (name, _) in book.iter().filter(|(_, record)| record.id.is_none()) {
            if self.leases.is_held(std::slice::from_ref(name)) {
                continue;
            }
            match inspect(api, name).await {
                Ok(Some(found)) => self.write(|book| {
                    book.insert(name.clone(), Record::of(&found));
                }),
                Ok(None) => self.forget(name),
                Err(error) => tracing::debug!(name, %error, "not known"),
            }
        }
    }

    /// By the daemon's ids: one image may have been pulled by several names.
    fn kept(&self) -> Vec<Kept> {
        let mut kept = BTreeMap::<String, Kept>::new();
        for (name, record) in &*self.lock() {
            let Some(id) = &record.id else { continue };
            let one = kept.entry(id.clone()).or_insert_with(|| Kept {
                keys: vec![id.clone()],
                bytes: 0,
                used_us: 0,
                is_busy: false,
            });
            one.keys.push(name.clone());
            one.bytes = one.bytes.max(record.bytes);
            one.used_us = one.used_us.max(record.used_us);
        }
        kept.into_values().collect()
    }

    /// Whether it is gone, or not ours to remove any more.
    async fn remove(&self, api: &bollard::Docker, one: &Kept) -> bool {
        let Some((id, names)) = one.keys.split_first() else {
            return true;
        };
        let is_gone = match inspect(api, id).await {
            Ok(found) => found.is_none_or(|found| is_wanted(&found, names)),
            Err(error) => {
                tracing::debug!(id, %error, "an image is not removed");
                return false;
            }
        };
        for name in names {
            if !is_gone && !remove_name(api, name).await {
                return false;
            }
            self.forget(name);
        }
        if !is_gone {
            tracing::info!(id, bytes = one.bytes, "removed an image that was not used");
        }
        true
    }
}

/// Whether somebody has given it a name that is not of our pulls.
fn is_wanted(found: &ImageInspect, names: &[String]) -> bool {
    let parse = |text: &String| ImageRef::parse(text).ok().map(|name| name.name());
    let ours: BTreeSet<_> = names.iter().filter_map(parse).collect();
    let mut tags = found.repo_tags.iter().flatten();
    let mut digests = found.repo_digests.iter().flatten().filter_map(parse);
    tags.any(|tag| !tag.starts_with("<none>")) || digests.any(|name| !ours.contains(&name))
}

/// The daemon itself refuses where a container, running or not, is made of it.
async fn remove_name(api: &bollard::Docker, name: &str) -> bool {
    let removed = api.remove_image(name, None::<RemoveImageOptions>, None);
    match removed.await {
        Ok(_) => true,
        Err(error) if status(&error) == Some(404) => true,
        Err(error) => {
            tracing::debug!(name, error = message(&error), "an image is not removed");
            false
        }
    }
}

impl Record {
    fn of(found: &ImageInspect) -> Self {
        let bytes = found.size.and_then(|size| u64::try_from(size).ok());
        let id = found.id.as_deref().and_then(|id| id.parse::<Digest>().ok());
        Self {
            id: id.map(|id| id.to_string()),
            bytes: bytes.unwrap_or_default(),
            used_us: now_us(),
        }
    }
}

/// The old content or the new one, whenever the machine stops.
fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let next = file.with_extension("next");
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut written = File::create(&next)?;
    written.write_all(content)?;
    written.sync_all()?;
    fs::rename(&next, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(tags: &[&str], digests: &[&str]) -> ImageInspect {
        let owned = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
        ImageInspect {
            id: Some(Digest::of(b"image").to_string()),
            size: Some(7),
            repo_tags: owned(tags),
            repo_digests: owned(digests),
            ..ImageInspect::default()
        }
    }

    fn name(repository: &str) -> ImageRef {
        let name = ImageRef::parse(&format!("{repository}:1")).unwrap();
        name.at(Digest::of(b"manifest"))
    }

    #[test]
    fn what_somebody_else_has_named_is_not_ours() {
        let (ours, theirs) = (name("user/app").to_string(), name("other/app").to_string());
        let names = [ours.clone()];
        assert!(!is_wanted(&image(&[], &[&ours]), &names));
        assert!(!is_wanted(&image(&["<none>:<none>"], &[&ours]), &names));
        assert!(is_wanted(&image(&["user/app:1"], &[&ours]), &names));
        assert!(is_wanted(&image(&[], &[&ours, &theirs]), &names));
    }

    #[test]
    fn the_book_outlives_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Shelf::open(dir.path().join("new/pulled.json"), 0);
        let shelf = open();
        shelf.begin(&name("one/app"));
        shelf.begin(&name("two/app"));
        shelf.done(&name("two/app"), &image(&[], &[]));
        shelf.begin(&name("three/app"));
        shelf.forget(&name("three/app").to_string());
        let book = open().lock().clone();
        assert_eq!(book, *shelf.lock());
        assert_eq!(book.len(), 2);
        // A pull that was cut off counts only when it is known what became of it.
        let kept = open().kept();
        assert_eq!((kept.len(), kept[0].bytes), (1, 7));
        assert_eq!(kept[0].keys[1], name("two/app").to_string());
    }

    #[test]
    fn a_broken_book_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pulled.json");
        fs::write(&file, "{").unwrap();
        let shelf = Shelf::open(file.clone(), 0);
        assert!(shelf.lock().is_empty());
        shelf.begin(&name("user/app"));
        assert_eq!(Shelf::open(file, 0).lock().len(), 1);
    }
}
