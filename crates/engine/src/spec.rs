//! What to run and how it ended.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::usage::Usage;
use crate::{Error, Image, Loopback, Secret, network, secret};

/// Docker allows more; a host name does not.
const NAME_CHARS_MAX: usize = 128;
/// The kernel's limit for one execution is two megabytes; ours leaves room for the image's own.
const ARGS_BYTES_MAX: usize = 1024 * 1024;
/// Less memory than this cannot start a container.
const MEMORY_BYTES_MIN: u64 = 6 * 1024 * 1024;
/// A program that writes nothing still makes a directory or two.
const DISK_BYTES_MIN: u64 = 64 * 1024;

/// One container, from creation to removal.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSpec {
    /// Unique on this machine among running containers: letters, digits, `_`, `.` and `-`.
    pub name: String,
    /// The image, as `pull` or `import` returned it.
    pub image: Image,
    /// Replaces the image's `CMD` when not empty; the `ENTRYPOINT` always stays.
    pub args: Vec<String>,
    /// Added to the image's environment; nothing of this process's environment is.
    pub env: Vec<(String, String)>,
    /// Added to the environment too, but only the program sees them: no description of the
    /// container, no argument and no file has them. At most 256, of 256 KiB together, each name
    /// once and none of them `PATH`; one that is in `env` too, or the image's, replaces that.
    pub secrets: Vec<(String, Secret)>,
    /// Directories or files of the host it may see. The container's user may differ from ours:
    /// permissions of what it shall write are the caller's care.
    pub binds: Vec<Bind>,
    /// What it may use.
    pub limits: Limits,
    /// It is killed this long after its start.
    pub deadline: Duration,
    /// What it may reach.
    pub network: Network,
    /// A server of the caller's on its own loopback, which nobody else reaches. Takes at least one
    /// of `secrets`; with Docker or Podman also root, and a daemon on this machine.
    pub loopback: Option<Loopback>,
    /// Whether it gets the graphics processors of the machine. Docker asks its runtime for all of
    /// them; the built-in engine passes the device files of NVIDIA's driver, not its libraries.
    pub gpus: bool,
}

impl RunSpec {
    /// A run of the image's own command with default limits and without network.
    pub fn new(name: impl Into<String>, image: Image, deadline: Duration) -> Self {
        Self {
            name: name.into(),
            image,
            args: Vec::new(),
            env: Vec::new(),
            secrets: Vec::new(),
            binds: Vec::new(),
            limits: Limits::default(),
            deadline,
            network: Network::None,
            loopback: None,
            gpus: false,
        }
    }

    /// Refuses what neither engine could honour, before anything was created.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        check_name(&self.name)?;
        let bad = |field, reason: &str| {
            Err(Error::BadSpec {
                name: self.name.clone(),
                field,
                reason: reason.to_owned(),
            })
        };
        let args = self.args.iter();
        let values = self.env.iter().flat_map(|(key, value)| [key, value]);
        if args
            .clone()
            .chain(values.clone())
            .any(|text| text.contains('\0'))
        {
            return bad("args or env", "contains a NUL character");
        }
        if args.chain(values).map(String::len).sum::<usize>() > ARGS_BYTES_MAX {
            return bad("args or env", "longer than 1 MiB");
        }
        if self
            .env
            .iter()
            .any(|(key, _)| key.is_empty() || key.contains('='))
        {
            return bad("env", "a name is empty or contains `=`");
        }
        if let Err(reason) = secret::check(&self.secrets) {
            return bad("secrets", reason);
        }
        if !self.binds.iter().all(Bind::is_sound) {
            return bad(
                "binds",
                "paths must be absolute, without `..`, and not the root",
            );
        }
        if !self.network.is_sound() {
            return bad("network", "the allowlist needs 1 to 32 host names");
        }
        let loopback = self.loopback.as_ref();
        if let Some(Err(reason)) = loopback.map(|own| own.check(!self.secrets.is_empty())) {
            return bad("loopback", reason);
        }
        if self.limits.memory_bytes < MEMORY_BYTES_MIN {
            return bad("limits", "less than 6 MiB of memory");
        }
        if !(self.limits.cpus > 0.0 && self.limits.cpus.is_finite()) || self.limits.pids == 0 {
            return bad("limits", "cpus and pids must be positive");
        }
        if self.limits.disk_bytes < DISK_BYTES_MIN || self.limits.files == 0 {
            return bad("limits", "less than 64 KiB of disk, or no files");
        }
        Ok(())
    }
}

/// Names become file, cgroup and container names, so they are kept to the common alphabet.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let word = |b: u8| b.is_ascii_alphanumeric();
    let sound = (2..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().next().is_some_and(word)
        && name
            .bytes()
            .all(|b| word(b) || matches!(b, b'_' | b'.' | b'-'));
    if sound {
        return Ok(());
    }
    Err(Error::BadSpec {
        name: name.to_owned(),
        field: "name",
        reason: "must be 2 to 128 letters, digits, `_`, `.` or `-`".to_owned(),
    })
}

/// A directory or file of the host inside the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Absolute path here; must exist.
    pub host: PathBuf,
    /// Absolute path there; created where missing.
    pub container: PathBuf,
    /// Whether the container may only look.
    pub read_only: bool,
}

impl Bind {
    /// A bind the container may write to.
    pub fn writable(host: impl Into<PathBuf>, container: impl Into<PathBuf>) -> Self {
        Self {
            host: host.into(),
            container: container.into(),
            read_only: false,
        }
    }

    /// A bind the container may only read.
    pub fn read_only(host: impl Into<PathBuf>, container: impl Into<PathBuf>) -> Self {
        Self {
            host: host.into(),
            container: container.into(),
            read_only: true,
        }
    }

    fn is_sound(&self) -> bool {
        let plain = |path: &Path| {
            path.is_absolute()
                && path.to_str().is_some_and(|text| !text.contains('\0'))
                && path.components().count() > 1
                && !path.components().any(|part| part == Component::ParentDir)
        };
        plain(&self.host) && plain(&self.container)
    }
}

/// What a container may use. There is no "unlimited".
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory and swap together, bytes.
    pub memory_bytes: u64,
    /// Processes and threads at the same time.
    pub pids: u32,
    /// Processors, e.g. 1.5; more than the machine has means all of them.
    pub cpus: f64,
    /// Output that is delivered, both streams together, bytes; the rest is dropped and counted.
    pub log_bytes: u64,
    /// The largest file it may write, bytes; the kernel holds it to that. More than `disk_bytes`
    /// means `disk_bytes`.
    pub file_bytes: u64,
    /// What it may add to the disk, bytes: to its own root, its volumes and its writable binds
    /// together. It is measured a few times a second, so a fast writer gets beyond it by what the
    /// disk takes meanwhile, before it is killed.
    pub disk_bytes: u64,
    /// How many files, directories and links it may add there.
    pub files: u64,
}

impl Limits {
    /// The largest single file, bytes.
    pub(crate) fn file_bytes_max(&self) -> u64 {
        self.file_bytes.min(self.disk_bytes)
    }
}

impl Default for Limits {
    /// Room for a small task: 2 GiB, 512 processes, one processor, 1 MiB of output, 10 GiB of disk
    /// and a quarter of a million files, which is several large language environments.
    fn default() -> Self {
        Self {
            memory_bytes: 2 << 30,
            pids: 512,
            cpus: 1.0,
            log_bytes: 1 << 20,
            file_bytes: 10 << 30,
            disk_bytes: 10 << 30,
            files: 250_000,
        }
    }
}

/// What a container may reach.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Network {
    /// Only its own loopback.
    #[default]
    None,
    /// The world, through a bridge or a pair of interfaces of its own. Not the host, nor its
    /// private networks, nor a cloud's metadata, nor other containers; name servers excepted.
    ///
    /// That takes `ip`, `iptables` and root. Where Docker's containers run without one, a warning
    /// says that private addresses are reachable; those of the built-in engine get no network at
    /// all then, as a warning says, and do not start when the rules are refused.
    Outbound,
    /// These hosts, resolved before the start, and nothing else: no name server either. At most
    /// 32 names or IPv4 addresses, none of them private. Where it cannot be enforced, the
    /// container does not start.
    Allowlist(Vec<String>),
}

impl Network {
    fn is_sound(&self) -> bool {
        match self {
            Self::Allowlist(hosts) => {
                (1..=network::HOSTS_MAX).contains(&hosts.len())
                    && hosts.iter().all(|host| network::is_host(host))
            }
            Self::None | Self::Outbound => true,
        }
    }
}

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The exit code of its first process; 128 + n when signal n ended it, so 137 when killed.
    pub code: i64,
    /// Why it ended.
    pub reason: Reason,
    /// Output beyond `Limits::log_bytes`, bytes.
    pub log_bytes_dropped: u64,
    /// What it used at most.
    pub usage: Usage,
}

/// Why a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// By itself, whatever the code.
    Exited,
    /// `RunSpec::deadline` was over.
    Deadline,
    /// It failed after the kernel killed one of its processes for exceeding `memory_bytes`.
    OutOfMemory,
    /// It wrote more than `disk_bytes`, or more files than `files`, or the disk itself is almost
    /// full. Told also of a container that ended by itself and left too much.
    DiskFull,
    /// Somebody else killed it: an operator, another program, the daemon's end. A program that
    /// ends with code 137 of its own cannot be told apart.
    Killed,
    /// The caller's token, or `Engine::kill`.
    Cancelled,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, ImageRef};

    fn spec() -> RunSpec {
        let reference = ImageRef::parse("user/app:1").unwrap();
        let image = Image::new(reference, Digest::of(b""), None);
        RunSpec::new("task-0x12", image, Duration::from_secs(1))
    }

    #[test]
    fn a_plain_spec_is_sound() {
        spec().validate().unwrap();
    }

    fn with_loopback(spec: &mut RunSpec, port: u16) {
        spec.loopback = Some(Loopback::new(port).0);
    }

    #[test]
    fn a_loopback_is_for_programs_that_wait_for_their_secrets() {
        let mut spec = spec();
        with_loopback(&mut spec, 1);
        let error = spec.validate().unwrap_err().to_string();
        assert!(
            error.contains("loopback") && error.contains("secret"),
            "{error}"
        );
        spec.secrets = vec![("A".into(), Secret::new(String::new()))];
        spec.validate().unwrap();
        with_loopback(&mut spec, 0);
        let error = spec.validate().unwrap_err().to_string();
        assert!(error.contains("port"), "{error}");
    }

    #[test]
    fn unsound_specs_are_refused() {
        let edits: [fn(&mut RunSpec); 17] = [
            |s| s.name = "a".into(),
            |s| s.name = "../../etc".into(),
            |s| s.name = "x".repeat(NAME_CHARS_MAX + 1),
            |s| s.args = vec!["a\0b".into()],
            |s| s.args = vec!["a".repeat(ARGS_BYTES_MAX + 1)],
            |s| s.env = vec![("A=B".into(), String::new())],
            |s| s.secrets = vec![("A=B".into(), Secret::new(String::new()))],
            |s| s.binds = vec![Bind::writable("relative", "/x")],
            |s| s.binds = vec![Bind::writable("/x", "/")],
            |s| s.binds = vec![Bind::read_only("/x", "/y/../z")],
            |s| s.limits.memory_bytes = 1,
            |s| s.limits.cpus = f64::NAN,
            |s| s.limits.pids = 0,
            |s| s.limits.disk_bytes = 1,
            |s| s.limits.files = 0,
            |s| s.network = Network::Allowlist(Vec::new()),
            |s| s.network = Network::Allowlist(vec!["-j ACCEPT".into()]),
        ];
        for (index, edit) in edits.into_iter().enumerate() {
            let mut spec = spec();
            edit(&mut spec);
            assert!(spec.validate().is_err(), "edit {index}");
        }
    }
}
