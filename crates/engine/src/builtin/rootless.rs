//! Containers of somebody who is not root: in a user namespace of their own.
//!
//! The helper makes the namespace and is the only user in it, so everything a container does to
//! the machine it does as the user who runs the worker. The price: a single user and group (who the
//! image says), no network but a loopback, and limits that the kernel keeps only where a control
//! group was given to us.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Once;

use rustix::mount::{MountFlags, mount, mount_bind};
use rustix::process::{Resource, getegid, geteuid, getrlimit};
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};

use super::cgroup;
use super::user::User;
use crate::usage::{GROUPS, UNIFIED};

/// Settings that distributions use to keep user namespaces from users, and what they say then.
const FORBIDDING: [(&str, &str); 3] = [
    ("/proc/sys/user/max_user_namespaces", "0"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
    ),
];

/// Who the only user of a namespace is inside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ids {
    uid: u32,
    gid: u32,
}

impl Ids {
    pub(super) fn of(user: &User) -> Self {
        let (uid, gid) = (user.uid, user.gid);
        Self { uid, gid }
    }
}

/// Whether this process needs namespaces of users for what it does.
pub(super) fn is_needed() -> bool {
    !geteuid().is_root()
}

/// Whether this machine has them for us; the error is what to do about it.
pub(super) fn check() -> Result<(), String> {
    let says = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let found = FORBIDDING
        .iter()
        .find(|(path, value)| says(path).trim() == *value);
    match found {
        None => Ok(()),
        Some((path, value)) => Err(format!(
            "the built-in engine needs root, or user namespaces, which `{path}` = {value} forbids; \
             start Docker, run as root, or change that"
        )),
    }
}

/// Says once what is missing without root.
pub(super) fn warn() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let limits = match cgroup::delegated() {
            Some(_) => "",
            None => {
                "; no control group is delegated to this user, so processors are not limited, \
                 and memory is measured a few times a second"
            }
        };
        tracing::warn!("not root: containers have one user and no network{limits}");
    });
}

/// Leaves the namespaces of this machine; `more` are those that root would leave too.
#[expect(
    deprecated,
    reason = "unsafe only where file descriptors are concerned"
)]
pub(super) fn enter(inside: Ids, more: UnshareFlags) -> io::Result<()> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    rustix::thread::unshare(UnshareFlags::NEWUSER | more)?;
    // Who may not set groups cannot leave one that is kept out of something.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{} {uid} 1", inside.uid))?;
    fs::write("/proc/self/gid_map", format!("{} {gid} 1", inside.gid))
}

/// Shows this process, which has mounts of its own, control groups of version 2 only. In those of
/// version 1, which are root's, the runtime would insist on making folders.
#[expect(
    deprecated,
    reason = "unsafe only where file descriptors are concerned"
)]
pub(super) fn hide_old_groups() -> io::Result<()> {
    let root = Path::new(GROUPS);
    if cgroup::is_version_2(root) {
        return Ok(());
    }
    let unified = root.join(UNIFIED);
    if cgroup::is_version_2(&unified) {
        return Ok(mount_bind(&unified, root)?);
    }
    rustix::thread::unshare(UnshareFlags::NEWCGROUP)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount("cgroup2", root, "cgroup2", flags, None)?)
}

/// The most open files that we may allow: a limit cannot be raised without root.
pub(super) fn open_files_max(wanted: u32) -> u64 {
    let ours = getrlimit(Resource::Nofile).maximum;
    ours.unwrap_or(u64::MAX).min(wanted.into())
}
