//! Images as files: what `docker save` and OCI-layout tools write, read from memory.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::platform::{Platform, mismatch};
use crate::{Digest, Error, ImageRef};

/// Archives are held in memory, so a compressed one may not unfold beyond this.
const ARCHIVE_BYTES_MAX: u64 = 2 << 30;
/// An archive has two or three files per layer.
const ARCHIVE_FILES_MAX: usize = 4096;
/// `index.json` may point to an index of platforms, which points to manifests, and no further.
pub(crate) const INDEX_DEPTH_MAX: usize = 3;

/// An index may list as many platforms as it likes; a message should stay readable.
const PLATFORMS_TOLD_MAX: usize = 8;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// An image out of an archive: its config and its layers, still packed, lowest first.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    pub(crate) config: Bytes,
    pub(crate) layers: Vec<Bytes>,
}

impl Archive {
    /// Reads either format; the tar may be gzipped.
    pub(crate) fn parse(archive: Bytes) -> Result<Self, Error> {
        let files = Files::read(gunzip(archive)?)?;
        if files.contains("manifest.json") {
            files.docker_image()
        } else if files.contains("index.json") {
            files.oci_image()
        } else {
            Err(bad("neither manifest.json nor index.json inside"))
        }
    }

    /// The image id: the digest of the config.
    pub(crate) fn id(&self) -> Digest {
        Digest::of(&self.config)
    }

    /// What it is made for, from its config.
    pub(crate) fn platform(&self) -> Result<Platform, Error> {
        json(&self.config)
    }

    /// Writes the docker-archive format under one name, which every daemon can load.
    pub(crate) fn to_docker_archive(&self, name: &ImageRef) -> Result<Bytes, Error> {
        let config_path = format!("{}.json", self.id().hex());
        let layer_path = |index: usize| format!("{index}/layer.tar");
        let layers: Vec<_> = (0..self.layers.len()).map(layer_path).collect();
        let manifest = json!([{
            "Config": config_path, "RepoTags": [name.to_string()], "Layers": layers,
        }]);
        let mut tar = tar::Builder::new(Vec::new());
        append(&mut tar, &config_path, &self.config)?;
        for (path, layer) in layers.iter().zip(&self.layers) {
            append(&mut tar, path, layer)?;
        }
        append(&mut tar, "manifest.json", manifest.to_string().as_bytes())?;
        tar.into_inner()
            .map(Bytes::from)
            .map_err(|error| bad(error.to_string()))
    }
}

fn append(tar: &mut tar::Builder<Vec<u8>>, path: &str, content: &[u8]) -> Result<(), Error> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, path, content)
        .map_err(|error| bad(error.to_string()))
}

fn bad(reason: impl Into<String>) -> Error {
    Error::BadArchive {
        reason: reason.into(),
    }
}

fn gunzip(archive: Bytes) -> Result<Bytes, Error> {
    if !archive.starts_with(&GZIP_MAGIC) {
        return Ok(archive);
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(archive.as_ref())
        .take(ARCHIVE_BYTES_MAX + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| bad(error.to_string()))?;
    if unpacked.len() as u64 > ARCHIVE_BYTES_MAX {
        return Err(bad("unpacks to more than 2 GiB"));
    }
    Ok(unpacked.into())
}

#[derive(Debug, Deserialize)]
struct DockerManifest {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "Layers")]
    layers: Vec<String>,
}

/// A list of manifests, one per platform (OCI image spec, "Image Index").
#[derive(Debug, Deserialize)]
pub(crate) struct OciIndex {
    pub(crate) manifests: Vec<Descriptor>,
}

/// What an image is made of (OCI image spec, "Image Manifest").
#[derive(Debug, Deserialize)]
pub(crate) struct OciManifest {
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

/// A pointer to a blob.
#[derive(Debug, Deserialize)]
pub(crate) struct Descriptor {
    pub(crate) digest: String,
    /// Bytes.
    #[serde(default)]
    pub(crate) size: u64,
    platform: Option<Platform>,
}

/// The regular files of a tar, without copying them.
struct Files {
    contents: HashMap<PathBuf, Bytes>,
    links: HashMap<PathBuf, PathBuf>,
}

impl Files {
    fn read(archive: Bytes) -> Result<Self, Error> {
        let mut files = Self {
            contents: HashMap::new(),
            links: HashMap::new(),
        };
        files
            .collect(&archive)
            .map_err(|error| bad(error.to_string()))?;
        Ok(files)
    }

    fn collect(&mut self, archive: &Bytes) -> io::Result<()> {
        for entry in tar::Archive::new(archive.as_ref())
            .entries()?
            .take(ARCHIVE_FILES_MAX)
        {
            let entry = entry?;
            let path = normal(&entry.path()?);
            match entry.header().entry_type() {
                tar::EntryType::Regular | tar::EntryType::Continuous => {
                    let content = slice(archive, entry.raw_file_position(), entry.size())?;
                    self.contents.insert(path, content);
                }
                tar::EntryType::Symlink => {
                    let target = entry.link_name()?.unwrap_or_default();
                    let base = path.parent().unwrap_or(Path::new(""));
                    self.links.insert(path.clone(), normal(&base.join(target)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn contains(&self, path: &str) -> bool {
        self.contents.contains_key(Path::new(path))
    }

    fn get(&self, path: &str) -> Result<Bytes, Error> {
        let path = normal(Path::new(path));
        let target = self.links.get(&path).unwrap_or(&path);
        let found = self.contents.get(target).cloned();
        found.ok_or_else(|| bad(format!("`{}` is missing", path.display())))
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Bytes, Error> {
        let digest: Digest = descriptor.digest.parse()?;
        let blob = self.get(&format!("blobs/sha256/{}", digest.hex()))?;
        if Digest::of(&blob) != digest {
            return Err(bad(format!("blob {digest} has other content")));
        }
        Ok(blob)
    }

    fn docker_image(&self) -> Result<Archive, Error> {
        let images: Vec<DockerManifest> = json(&self.get("manifest.json")?)?;
        let [image] = images.as_slice() else {
            return Err(bad(format!("{} images inside, one expected", images.len())));
        };
        let layers = image
            .layers
            .iter()
            .map(|path| self.get(path))
            .collect::<Result<_, _>>()?;
        Ok(Archive {
            config: self.get(&image.config)?,
            layers,
        })
    }

    fn oci_image(&self) -> Result<Archive, Error> {
        let mut document = self.get("index.json")?;
        for _ in 0..INDEX_DEPTH_MAX {
            match json::<OciIndex>(&document) {
                Ok(index) => document = self.blob(choose(&index.manifests, "in the archive")?)?,
                Err(_) => return self.oci_manifest(&document),
            }
        }
        Err(bad("too many nested indexes"))
    }

    fn oci_manifest(&self, document: &Bytes) -> Result<Archive, Error> {
        let manifest: OciManifest = json(document)?;
        let layers = manifest.layers.iter().map(|layer| self.blob(layer));
        Ok(Archive {
            layers: layers.collect::<Result<_, _>>()?,
            config: self.blob(&manifest.config)?,
        })
    }
}

/// The only manifest, or the one for this machine; `image` names them all in the error.
pub(crate) fn choose<'a>(
    manifests: &'a [Descriptor],
    image: &str,
) -> Result<&'a Descriptor, Error> {
    match manifests {
        [] => return Err(bad("an index without images")),
        [only] => return Ok(only),
        _ => {}
    }
    let host = Platform::host();
    let ours = |descriptor: &&Descriptor| descriptor.platform.as_ref() == Some(&host);
    let found = manifests.iter().find(ours);
    found.ok_or_else(|| mismatch(image, platforms(manifests), &host))
}

/// The platforms an index offers, as one text.
pub(crate) fn platforms(manifests: &[Descriptor]) -> String {
    let named = manifests.iter().filter_map(|one| one.platform.as_ref());
    // Attestations are listed as images for "unknown".
    let named = named.filter(|platform| platform.os != "unknown");
    let names: Vec<_> = named
        .take(PLATFORMS_TOLD_MAX)
        .map(Platform::to_string)
        .collect();
    match names.is_empty() {
        true => "no platform at all".to_owned(),
        false => names.join(", "),
    }
}

fn json<T: DeserializeOwned>(document: &Bytes) -> Result<T, Error> {
    serde_json::from_slice(document).map_err(|error| bad(error.to_string()))
}

fn slice(archive: &Bytes, start: u64, size: u64) -> io::Result<Bytes> {
    let start = usize::try_from(start).map_err(io::Error::other)?;
    let end = usize::try_from(size)
        .ok()
        .and_then(|size| start.checked_add(size));
    match end {
        Some(end) if end <= archive.len() => Ok(archive.slice(start..end)),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The path without `.`, and with `..` resolved as far as the archive reaches.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => {
                normal.pop();
            }
            _ => {}
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::architecture;

    fn pack(files: &[(&str, &[u8])]) -> Bytes {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content) in files {
            append(&mut tar, path, content).unwrap();
        }
        tar.into_inner().unwrap().into()
    }

    fn image() -> Archive {
        Archive {
            config: Bytes::from("{}"),
            layers: vec!["one".into(), "two".into()],
        }
    }

    #[test]
    fn reads_the_docker_archive_it_writes_gzipped_or_not() {
        let name = ImageRef::parse("user/app:1").unwrap();
        let packed = image().to_docker_archive(&name).unwrap();
        let mut gzipped = Vec::new();
        let mut encoder = flate2::read::GzEncoder::new(packed.as_ref(), Default::default());
        encoder.read_to_end(&mut gzipped).unwrap();
        for archive in [packed, gzipped.into()] {
            let read = Archive::parse(archive).unwrap();
            assert_eq!(read.id(), Digest::of(b"{}"));
            assert_eq!(read.layers, image().layers);
        }
    }

    fn oci(layer_content: &[u8]) -> Result<Archive, Error> {
        let blob = |content: &[u8]| format!("blobs/sha256/{}", Digest::of(content).hex());
        let descriptor = |content: &[u8]| json!({ "digest": Digest::of(content).to_string() });
        let manifest =
            json!({ "config": descriptor(b"{}"), "layers": [descriptor(b"one")] }).to_string();
        let mut ours = descriptor(manifest.as_bytes());
        ours["platform"] = json!({ "os": "linux", "architecture": architecture() });
        let mut other = descriptor(b"other");
        other["platform"] = json!({ "os": "plan9", "architecture": "mips" });
        let index = json!({ "manifests": [other, ours] }).to_string();
        let top = json!({ "manifests": [descriptor(index.as_bytes())] }).to_string();
        Archive::parse(pack(&[
            ("./index.json", top.as_bytes()),
            (&blob(index.as_bytes()), index.as_bytes()),
            (&blob(manifest.as_bytes()), manifest.as_bytes()),
            (&blob(b"{}"), b"{}"),
            (&blob(b"one"), layer_content),
        ]))
    }

    #[test]
    fn reads_an_oci_layout_for_this_machine() {
        assert_eq!(oci(b"one").unwrap().layers, vec![Bytes::from("one")]);
    }

    #[test]
    fn a_blob_with_other_content_is_refused() {
        let error = oci(b"two").unwrap_err().to_string();
        assert!(error.contains("has other content"), "{error}");
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let two = br#"[{"Config":"a","Layers":[]},{"Config":"a","Layers":[]}]"#;
        let missing = br#"[{"Config":"../a","Layers":[]}]"#;
        for archive in [
            Bytes::from("not a tar"),
            pack(&[]),
            pack(&[("manifest.json", two), ("a", b"{}")]),
            pack(&[("manifest.json", missing)]),
            pack(&[("index.json", br#"{"manifests":[]}"#)]),
        ] {
            assert!(matches!(
                Archive::parse(archive),
                Err(Error::BadArchive { .. })
            ));
        }
    }
}
