//! A real registry on this machine's loopback.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use oci_client::client::{Config, ImageLayer};
use oci_client::manifest::{OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciImageManifest};
use serde_json::json;
use tempfile::TempDir;

use super::image::TestImage;
use super::install::ensure;
use crate::{Credentials, Digest, ImageRef, registry};

const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// Debian's `docker-registry` on a port of its own, gone with its images when dropped.
#[derive(Debug)]
pub struct Registry {
    process: Child,
    address: String,
    credentials: Credentials,
    _folder: TempDir,
}

impl Registry {
    /// Starts one and waits until it listens.
    ///
    /// # Errors
    /// A sentence saying what to do.
    pub fn start() -> Result<Self, String> {
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        Self::serve(&config(folder.path()), folder)
    }

    /// Starts one that serves this user alone, by HTTP basic authentication.
    ///
    /// # Errors
    /// A sentence saying what to do.
    pub fn private(username: &str, password: &str) -> Result<Self, String> {
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        let users = folder.path().join("htpasswd");
        std::fs::write(&users, htpasswd(username, password)?).map_err(|e| e.to_string())?;
        let config = format!(
            "{}auth:\n  htpasswd:\n    realm: private\n    path: {}\n",
            config(folder.path()),
            users.display()
        );
        let mut registry = Self::serve(&config, folder)?;
        let added = registry
            .credentials
            .add(&registry.address, username, password);
        added.map_err(|error| error.to_string())?;
        Ok(registry)
    }

    fn serve(config: &str, folder: TempDir) -> Result<Self, String> {
        let program = ensure("/usr/bin/docker-registry", "docker-registry")?;
        let mut process = Command::new(program)
            .args(["serve", "/dev/stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("docker-registry: {error}"))?;
        let written = process
            .stdin
            .take()
            .map(|mut stdin| stdin.write_all(config.as_bytes()));
        written
            .transpose()
            .map_err(|error| format!("docker-registry: {error}"))?;
        let stderr = process.stderr.take();
        let mut lines = stderr
            .map(BufReader::new)
            .into_iter()
            .flat_map(BufRead::lines);
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| address_in(&line));
        // Reads on, or the registry would stop at a full pipe; ends with the process.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        match address {
            Some(address) => Ok(Self {
                process,
                address,
                credentials: Credentials::default(),
                _folder: folder,
            }),
            None => {
                let _ = process.kill();
                let _ = process.wait();
                Err("docker-registry does not start".to_owned())
            }
        }
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Uploads an image as `<address>/<path>`, e.g. `user/app:1`; its name and digest.
    ///
    /// # Errors
    /// What the registry said.
    pub async fn push(&self, image: &TestImage, path: &str) -> Result<(ImageRef, Digest), String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let name =
            ImageRef::parse(&format!("{}/{path}", self.address)).map_err(|error| text(&error))?;
        let archive = image.to_archive().map_err(|error| text(&error))?;
        let layers = archive.layers.into_iter();
        let layers: Vec<_> = layers
            .map(|layer| ImageLayer::new(layer, LAYER_TYPE.to_owned(), None))
            .collect();
        let config = Config::new(archive.config, CONFIG_TYPE.to_owned(), None);
        let manifest = OciImageManifest::build(&layers, &config, None);
        let reference = registry::reference(&name);
        registry::client(&name)
            .push(
                &reference,
                &layers,
                config,
                &self.credentials.auth(&name),
                Some(manifest),
            )
            .await
            .map_err(|error| text(&error))?;
        let digest = registry::manifest_digest(&name, &self.credentials)
            .await
            .map_err(|error| text(&error))?;
        Ok((name, digest))
    }

    /// Uploads an index of images for their architectures as `<address>/<repository>:<tag>`; its
    /// name, its digest, and the digests of the images in the same order.
    ///
    /// # Errors
    /// What the registry said.
    pub async fn push_index(
        &self,
        images: &[TestImage],
        repository: &str,
        tag: &str,
    ) -> Result<(ImageRef, Digest, Vec<Digest>), String> {
        let (mut digests, mut entries) = (Vec::new(), Vec::new());
        for image in images {
            let path = format!("{repository}:{tag}-{}", image.architecture);
            let (_, digest) = self.push(image, &path).await?;
            digests.push(digest);
            entries.push(json!({
                "mediaType": OCI_IMAGE_MEDIA_TYPE, "digest": digest.to_string(),
                "size": 0, "platform": { "os": "linux", "architecture": image.architecture },
            }));
        }
        let index = json!({
            "schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX_MEDIA_TYPE, "manifests": entries,
        });
        let index = index.to_string();
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let name = ImageRef::parse(&format!("{}/{repository}:{tag}", self.address));
        let name = name.map_err(|error| text(&error))?;
        let kind = OCI_IMAGE_INDEX_MEDIA_TYPE.parse();
        registry::client(&name)
            .push_manifest_raw(
                &registry::reference(&name),
                index.clone(),
                kind.map_err(|_| "no media type".to_owned())?,
            )
            .await
            .map_err(|error| text(&error))?;
        Ok((name, Digest::of(index.as_bytes()), digests))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A line of Apache's format, the only one the registry reads.
fn htpasswd(username: &str, password: &str) -> Result<Vec<u8>, String> {
    let program = ensure("/usr/bin/htpasswd", "apache2-utils")?;
    let made = Command::new(program)
        .args(["-nbB", username, password])
        .output()
        .map_err(|error| format!("htpasswd: {error}"))?;
    match made.status.success() {
        true => Ok(made.stdout),
        false => Err(String::from_utf8_lossy(&made.stderr).into_owned()),
    }
}

/// The address in `level=info msg="listening on 127.0.0.1:40123" …`.
fn address_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("listening on ")?;
    let end = rest.find(|c: char| c == '"' || c == ',' || c.is_whitespace())?;
    Some(rest[..end].to_owned())
}

/// On disk: what it keeps in memory, it copies again for every few bytes that come.
fn config(folder: &Path) -> String {
    format!(
        "version: 0.1
storage:
  filesystem:
    rootdirectory: {}
http:
  addr: 127.0.0.1:0
",
        folder.display()
    )
}
