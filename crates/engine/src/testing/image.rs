//! A real image of one program, made in the test: no registry can be asked for one.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

use bytes::Bytes;
use serde_json::json;

use super::install::ensure;
use crate::archive::Archive;
use crate::platform::architecture;
use crate::{Digest, Error, ImageRef};

/// The programs of busybox that tests call by name.
const APPLETS: [&str; 28] = [
    "sh", "cat", "chown", "dd", "echo", "env", "grep", "head", "id", "ifconfig", "ip", "kill",
    "ls", "hostname", "mkdir", "mount", "printf", "pwd", "rm", "sleep", "sort", "stat", "tail",
    "test", "touch", "tr", "true", "wget",
];

/// An image with busybox in it and the config one likes.
///
/// It has a user `app` (1000:1000), a directory `/tmp` for all and nothing else.
#[derive(Debug, Clone)]
pub struct TestImage {
    /// `ENTRYPOINT`.
    pub entrypoint: Vec<String>,
    /// `CMD`.
    pub cmd: Vec<String>,
    /// `ENV`, as `NAME=value`.
    pub env: Vec<String>,
    /// `WORKDIR`.
    pub workdir: String,
    /// `USER`.
    pub user: String,
    /// The processor it says it is for, e.g. `amd64`: that of this machine unless changed.
    pub architecture: String,
    busybox: Vec<u8>,
    files: Vec<(String, Vec<u8>)>,
    links: Vec<(String, String)>,
    owned: Vec<Owned>,
}

/// A file, or a folder when it has no content, of somebody else.
#[derive(Debug, Clone)]
struct Owned {
    path: String,
    uid: u64,
    mode: u32,
    content: Option<&'static str>,
}

/// Busybox with `ENTRYPOINT ["/bin/sh", "-c"]`, so that a run's first argument is a script.
///
/// # Errors
/// A sentence saying why this machine cannot make it.
pub fn busybox() -> Result<TestImage, String> {
    let path = ensure("/bin/busybox", "busybox-static")?;
    let busybox = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(TestImage {
        entrypoint: ["/bin/sh", "-c"].map(str::to_owned).to_vec(),
        cmd: vec!["echo hello".to_owned()],
        env: vec!["PATH=/bin".to_owned()],
        workdir: String::new(),
        user: String::new(),
        architecture: architecture().to_owned(),
        busybox,
        files: Vec::new(),
        links: Vec::new(),
        owned: Vec::new(),
    })
}

impl TestImage {
    /// Adds a file, mode 0755, to make a program or to make this image unlike all others.
    #[must_use]
    pub fn with_file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files
            .push((path.to_owned(), content.as_ref().to_vec()));
        self
    }

    /// Adds a program of this machine as `path`, and the libraries that it is linked to where they
    /// are here.
    ///
    /// # Errors
    /// A file that cannot be read, or no `ldd`.
    pub fn with_program(mut self, path: &str, program: &Path) -> io::Result<Self> {
        self = self.with_file(path, fs::read(program)?);
        let said = Command::new("ldd").arg(program).output()?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        for library in said.split_whitespace().filter(|word| word.starts_with('/')) {
            self = self.with_file(library, fs::read(library)?);
        }
        Ok(self)
    }

    /// Adds a symbolic link, which may point wherever an attacker likes.
    #[must_use]
    pub fn with_link(mut self, path: &str, target: &str) -> Self {
        self.links.push((path.to_owned(), target.to_owned()));
        self
    }

    /// Adds a file that belongs to somebody, or a folder when there is no content.
    #[must_use]
    pub fn with_owned(
        mut self,
        path: &str,
        uid: u64,
        mode: u32,
        content: Option<&'static str>,
    ) -> Self {
        let path = path.trim_start_matches('/').to_owned();
        self.owned.push(Owned {
            path,
            uid,
            mode,
            content,
        });
        self
    }

    /// With the arguments of a run as its whole command.
    #[must_use]
    pub fn without_entrypoint(mut self) -> Self {
        self.entrypoint = Vec::new();
        self
    }

    /// As a docker-archive, without name.
    ///
    /// # Errors
    /// When the tar cannot be written.
    pub fn archive(&self) -> Result<Bytes, Error> {
        self.to_archive()?
            .to_docker_archive(&ImageRef::parse("unnamed:latest")?)
    }

    pub(super) fn to_archive(&self) -> Result<Archive, Error> {
        let layers = self
            .layers()
            .map_err(Error::io("write", "layer.tar".as_ref()))?;
        let diff_ids: Vec<_> = layers
            .iter()
            .map(|layer| Digest::of(layer).to_string())
            .collect();
        let config = json!({
            "architecture": self.architecture, "os": "linux",
            "config": {
                "Entrypoint": self.entrypoint, "Cmd": self.cmd, "Env": self.env,
                "WorkingDir": self.workdir, "User": self.user,
            },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        Ok(Archive {
            config: config.to_string().into(),
            layers,
        })
    }

    /// A base like a distribution's, and a second layer that replaces and removes some of it.
    fn layers(&self) -> io::Result<Vec<Bytes>> {
        let mut base = Layer::default();
        for dir in ["bin", "etc", "tmp", "gone"] {
            base.dir(dir, if dir == "tmp" { 0o1777 } else { 0o755 })?;
        }
        base.file("bin/busybox", 0o755, &self.busybox)?;
        for applet in APPLETS {
            base.link(&format!("bin/{applet}"), "/bin/busybox")?;
        }
        base.file(
            "etc/passwd",
            0o644,
            b"root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n",
        )?;
        base.file(
            "etc/group",
            0o644,
            b"root:x:0:\napp:x:1000:\nextra:x:2000:app\n",
        )?;
        base.file("etc/release", 0o644, b"base\n")?;
        base.file("gone/file", 0o644, b"base\n")?;
        let mut top = Layer::default();
        top.file("etc/release", 0o644, b"top\n")?;
        top.file(".wh.gone", 0o644, b"")?;
        for (path, content) in &self.files {
            top.file(path.trim_start_matches('/'), 0o755, content)?;
        }
        for (path, target) in &self.links {
            top.link(path.trim_start_matches('/'), target)?;
        }
        for owned in &self.owned {
            top.owned(owned)?;
        }
        Ok(vec![base.finish()?, top.finish()?])
    }
}

struct Layer(tar::Builder<Vec<u8>>);

impl Default for Layer {
    fn default() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }
}

impl Layer {
    fn header(kind: tar::EntryType, mode: u32, size: usize) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size as u64);
        header.set_uid(0);
        header.set_gid(0);
        header
    }

    fn dir(&mut self, path: &str, mode: u32) -> io::Result<()> {
        let mut header = Self::header(tar::EntryType::Directory, mode, 0);
        self.0.append_data(&mut header, path, io::empty())
    }

    fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        let mut header = Self::header(tar::EntryType::Regular, mode, content.len());
        self.0.append_data(&mut header, path, content)
    }

    fn owned(&mut self, owned: &Owned) -> io::Result<()> {
        let content = owned.content.unwrap_or_default().as_bytes();
        let kind = match owned.content {
            Some(_) => tar::EntryType::Regular,
            None => tar::EntryType::Directory,
        };
        let mut header = Self::header(kind, owned.mode, content.len());
        header.set_uid(owned.uid);
        header.set_gid(owned.uid);
        self.0.append_data(&mut header, &owned.path, content)
    }

    fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        let mut header = Self::header(tar::EntryType::Symlink, 0o777, 0);
        self.0.append_link(&mut header, path, target)
    }

    fn finish(self) -> io::Result<Bytes> {
        self.0.into_inner().map(Bytes::from)
    }
}
