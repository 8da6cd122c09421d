//! A run on disk: what the helper needs to start it and what it leaves behind.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::config::ImageConfig;
use super::gpu::{self, Gpu};
use super::rootless::{self, Ids};
use super::store::create_private;
use super::user::User;
use crate::security::{CAPABILITIES, OPEN_FILES_MAX};
use crate::{Bind, Digest, Error, Limits, RunSpec, network};

/// The period of the processor quota, microseconds (the kernel's default).
const CPU_PERIOD_US: u64 = 100_000;
/// Processes of ours in the namespace of a container's user: the helper, and while it starts the
/// one in between.
const HELPERS: u64 = 2;
/// One process may have this much more than all of them together: what is reserved is not used,
/// and who really uses too much is told so instead of being refused memory.
const DATA_FACTOR: u64 = 2;
/// Shared memory of a container, Docker's default.
const SHM_OPTION: &str = "size=64m";

/// What only our helper reads; the rest is in the standard's `config.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    /// The read-only root of the image.
    pub(super) lower: PathBuf,
    /// Made in the root where missing.
    pub(super) workdir: String,
    /// Its way out; None means that its network has only a loopback.
    pub(super) link: Option<Link>,
    /// The only user of a user namespace; None when root runs this.
    pub(super) ids: Option<Ids>,
    /// Whether the kernel holds it to its limits as a group.
    pub(super) is_grouped: bool,
    /// Whether variables come on the helper's standard input, for the program alone.
    pub(super) has_secrets: bool,
    /// The port of its loopback whose listener the helper sends back there, before the program
    /// starts.
    pub(super) loopback: Option<u16>,
}

/// A container's way out of its own network.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    /// The only addresses it may reach, by name; None means the world.
    pub(super) only: Option<Vec<(String, Ipv4Addr)>>,
}

impl Link {
    /// A container that may not ask a name server finds the names here.
    fn hosts(&self) -> String {
        let listed = self.only.iter().flatten();
        listed.fold(String::new(), |text, (name, address)| {
            format!("{text}{address}\t{name}\n")
        })
    }

    fn resolvers(&self) -> String {
        if self.only.is_some() {
            return String::new();
        }
        let servers = network::resolvers().into_iter();
        servers.fold(String::new(), |text, server| {
            format!("{text}nameserver {server}\n")
        })
    }
}

/// What the helper reports.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// The container ran; 128 + n for signal n.
    Exited(i64),
    /// It never did.
    Failed(String),
}

/// The directory of one run.
#[derive(Debug, Clone)]
pub(super) struct Bundle(pub(super) PathBuf);

impl Bundle {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(super) fn plan(&self) -> PathBuf {
        self.path("plan.json")
    }

    pub(super) fn outcome(&self) -> PathBuf {
        self.path("outcome.json")
    }

    /// Held by the helper as long as it lives.
    pub(super) fn lock(&self) -> PathBuf {
        self.path("lock")
    }

    pub(super) fn rootfs(&self) -> PathBuf {
        self.path("rootfs")
    }

    /// Writes everything the helper needs.
    pub(super) fn write(
        &self,
        spec: &RunSpec,
        image: &ImageConfig,
        user: &User,
        plan: &Plan,
        cgroup: &str,
    ) -> Result<(), Error> {
        for dir in ["upper", "work", "rootfs", "state", "etc"] {
            create_private(&self.path(dir))?;
        }
        let hostname = &Digest::of(spec.name.as_bytes()).hex()[..12];
        let listed = plan.link.as_ref().map(Link::hosts).unwrap_or_default();
        let hosts =
            format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\t{hostname}\n{listed}");
        let resolv = plan.link.as_ref().map(Link::resolvers).unwrap_or_default();
        let config = self.config(spec, image, user, plan, cgroup, hostname);
        for (path, text) in [
            ("etc/hostname", format!("{hostname}\n")),
            ("etc/hosts", hosts),
            ("etc/resolv.conf", resolv),
            ("lock", String::new()),
            ("config.json", config.to_string()),
            ("plan.json", json!(plan).to_string()),
        ] {
            let path = self.path(path);
            fs::write(&path, text).map_err(Error::io("write", &path))?;
        }
        Ok(())
    }

    /// OCI runtime spec 1.0, `config.json`.
    fn config(
        &self,
        spec: &RunSpec,
        image: &ImageConfig,
        user: &User,
        plan: &Plan,
        cgroup: &str,
        hostname: &str,
    ) -> Value {
        let mut mounts = system_mounts();
        for name in ["hosts", "hostname", "resolv.conf"] {
            let source = self.path("etc").join(name);
            mounts.push(bind(&Bind::read_only(source, format!("/etc/{name}"))));
        }
        mounts.extend(spec.binds.iter().map(bind));
        let gpus = if spec.gpus {
            gpu::list(Path::new("/dev"))
        } else {
            Vec::new()
        };
        // The network is the helper's, which has left the host's.
        let namespaces = ["pid", "mount", "ipc", "uts"].map(|kind| json!({ "type": kind }));
        json!({
            "ociVersion": "1.0.2",
            "root": { "path": self.rootfs(), "readonly": false },
            "hostname": hostname,
            "process": process(spec, image, user, plan, hostname),
            "mounts": mounts,
            "linux": {
                "cgroupsPath": cgroup,
                "namespaces": namespaces,
                "resources": resources(&spec.limits, &gpus, plan.is_grouped),
                "devices": gpus.iter().map(Gpu::node).collect::<Vec<_>>(),
                "maskedPaths": MASKED,
                "readonlyPaths": READ_ONLY,
            },
        })
    }
}

/// Parts of `/proc` and `/sys` that tell about or reach the host (Docker's lists).
const MASKED: [&str; 9] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

fn process(spec: &RunSpec, image: &ImageConfig, user: &User, plan: &Plan, hostname: &str) -> Value {
    let mut env = image.environment(&spec.env);
    env.push(format!("HOSTNAME={hostname}"));
    let all = CAPABILITIES.map(|name| format!("CAP_{name}")).to_vec();
    // A user other than root has them only as the bound of what it could get.
    let held = if user.uid == 0 {
        all.clone()
    } else {
        Vec::new()
    };
    json!({
        "terminal": false,
        "user": { "uid": user.uid, "gid": user.gid, "additionalGids": user.groups },
        "args": image.command(&spec.args),
        "env": env,
        "cwd": image.workdir(),
        "noNewPrivileges": true,
        "capabilities": { "bounding": all, "effective": held, "permitted": held },
        "rlimits": rlimits(&spec.limits, plan.is_grouped),
    })
}

/// Limits of each process. Where no group limits all of them together, these at least bound how
/// far a container gets before it is noticed.
fn rlimits(limits: &Limits, is_grouped: bool) -> Vec<Value> {
    let mut rlimits = vec![
        ("RLIMIT_NOFILE", rootless::open_files_max(OPEN_FILES_MAX)),
        ("RLIMIT_FSIZE", limits.file_bytes_max()),
        ("RLIMIT_CORE", 0),
    ];
    if !is_grouped {
        let data_bytes = limits.memory_bytes.saturating_mul(DATA_FACTOR);
        rlimits.push(("RLIMIT_NPROC", u64::from(limits.pids) + HELPERS));
        rlimits.push(("RLIMIT_DATA", data_bytes));
    }
    let value = |(kind, value)| json!({ "type": kind, "soft": value, "hard": value });
    rlimits.into_iter().map(value).collect()
}

fn resources(limits: &Limits, gpus: &[Gpu], is_grouped: bool) -> Value {
    if !is_grouped {
        return json!({});
    }
    let mut devices = vec![json!({ "allow": false, "access": "rwm" })];
    devices.extend(gpus.iter().map(Gpu::rule));
    let quota = (limits.cpus * CPU_PERIOD_US as f64) as i64;
    // The sum of memory and swap: equal to memory means no swap.
    json!({
        "devices": devices,
        "memory": { "limit": limits.memory_bytes, "swap": limits.memory_bytes },
        "cpu": { "quota": quota.max(1000), "period": CPU_PERIOD_US },
        "pids": { "limit": limits.pids },
    })
}

fn system_mounts() -> Vec<Value> {
    let mount = |target: &str, kind: &str, options: &[&str]| {
        json!({
            "destination": target, "type": kind, "source": kind, "options": options,
        })
    };
    vec![
        mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount(
            "/dev",
            "tmpfs",
            &["nosuid", "strictatime", "mode=755", "size=65536k"],
        ),
        mount(
            "/dev/pts",
            "devpts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
            ],
        ),
        mount(
            "/dev/shm",
            "tmpfs",
            &["nosuid", "noexec", "nodev", "mode=1777", SHM_OPTION],
        ),
        mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
    ]
}

fn bind(bind: &Bind) -> Value {
    let access = if bind.read_only { "ro" } else { "rw" };
    json!({
        "destination": path(&bind.container), "type": "bind", "source": path(&bind.host),
        "options": ["rbind", "rprivate", "nosuid", "nodev", access],
    })
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
