//! The control group of a run: where it may be made, whether memory ran out, and the end of
//! whatever is in it. Version 1 has a tree for each controller, version 2 has one tree, and a
//! machine may have both.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Usage;
use crate::usage::{GROUPS, keyed};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, access};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A killed process that is still there after so long hangs in the kernel.
const DEATH_TIMEOUT_S: i64 = 10;
/// Processes may fork while they are being killed, but the process limit ends that.
const KILL_ROUNDS_MAX: usize = 64;

/// The members of a group; writing to it moves a process.
const PROCS: &str = "cgroup.procs";
/// What may limit the groups below, in version 2.
const AVAILABLE: &str = "cgroup.controllers";
/// What does.
const ENABLED: &str = "cgroup.subtree_control";
/// The controllers that our limits need.
const NEEDED: [&str; 3] = ["cpu", "memory", "pids"];

/// The directories of a group: one in version 2, one per controller in version 1.
fn dirs(group: &str) -> Vec<PathBuf> {
    dirs_below(Path::new(GROUPS), group)
}

fn dirs_below(root: &Path, group: &str) -> Vec<PathBuf> {
    let name = group.trim_start_matches('/');
    let controllers = fs::read_dir(root).into_iter().flatten().flatten();
    let candidates = controllers.map(|entry| entry.path().join(name));
    let all = candidates.chain([root.join(name)]);
    all.filter(|dir| dir.join(PROCS).exists()).collect()
}

/// Whether groups of version 2 are mounted here.
pub(super) fn is_version_2(dir: &Path) -> bool {
    dir.join(AVAILABLE).exists()
}

/// The group of version 2 in which a user other than root may make groups with limits: as systemd
/// gives it with `Delegate=yes` and `DelegateSubgroup=`. None where there is none.
pub(super) fn delegated() -> Option<String> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    delegated_below(Path::new(GROUPS), &own)
}

/// Our own group, or the one above it: a group that has processes cannot limit those below.
fn delegated_below(root: &Path, own: &str) -> Option<String> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let above = own.rsplit_once('/').map_or("", |(above, _)| above);
    let mut candidates = [own, above]
        .into_iter()
        .map(|group| group.trim_end_matches('/'));
    let found = candidates.find(|group| {
        let dir = root.join(group.trim_start_matches('/'));
        !group.is_empty() && is_ours(&dir) && may_limit(&dir)
    });
    found.map(str::to_owned)
}

/// Whether we may make groups here and move processes into them.
fn is_ours(dir: &Path) -> bool {
    let writable = |path: &Path| access(path, Access::WRITE_OK).is_ok();
    writable(dir) && writable(&dir.join(PROCS))
}

/// Whether groups below have limits, or can be made to.
fn may_limit(dir: &Path) -> bool {
    let has_all = |file: &str| {
        let text = fs::read_to_string(dir.join(file)).unwrap_or_default();
        NEEDED
            .iter()
            .all(|name| text.split_whitespace().any(|word| word == *name))
    };
    if has_all(ENABLED) {
        return true;
    }
    let is_empty = fs::read_to_string(dir.join(PROCS)).is_ok_and(|text| text.trim().is_empty());
    let all = NEEDED.map(|name| format!("+{name}")).join(" ");
    has_all(AVAILABLE) && is_empty && fs::write(dir.join(ENABLED), all).is_ok()
}

/// How many processes of the group the kernel killed for want of memory.
pub(super) fn oom_kills(group: &str) -> u64 {
    oom_kills_in(&dirs(group))
}

fn oom_kills_in(dirs: &[PathBuf]) -> u64 {
    let files = ["memory.events", "memory.oom_control"];
    let paths = dirs.iter().flat_map(|dir| files.map(|file| dir.join(file)));
    paths.filter_map(|path| keyed(&path, "oom_kill")).sum()
}

/// What the group has used until now.
pub(super) fn usage(group: &str) -> Usage {
    Usage::of_group(&dirs(group))
}

/// Kills everything in the group and removes it; fine when there is none.
pub(super) fn destroy(group: &str) -> io::Result<()> {
    for _ in 0..KILL_ROUNDS_MAX {
        let pids: BTreeSet<i32> = dirs(group).iter().flat_map(|dir| members(dir)).collect();
        if pids.is_empty() {
            break;
        }
        pids.into_iter()
            .filter_map(Pid::from_raw)
            .try_for_each(kill)?;
    }
    dirs(group).iter().try_for_each(|dir| remove(dir))
}

/// What a killed process left may be removed by two that come after it.
fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn members(dir: &Path) -> Vec<i32> {
    let text = fs::read_to_string(dir.join(PROCS)).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn kill(pid: Pid) -> io::Result<()> {
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
        return Ok(());
    };
    let _ = pidfd_send_signal(&process, Signal::KILL);
    let limit = Timespec {
        tv_sec: DEATH_TIMEOUT_S,
        tv_nsec: 0,
    };
    match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit))? {
        0 => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "a killed process does not end",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::UNIFIED;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn a_group_of_version_1_is_in_each_controllers_tree() {
        let root = tempfile::tempdir().unwrap();
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n";
        write(
            root.path(),
            &[
                ("memory/run-1/cgroup.procs", "7\n8\n"),
                ("memory/run-1/memory.oom_control", text),
                ("pids/run-1/cgroup.procs", "7\n"),
                ("cpu/other/cgroup.procs", ""),
            ],
        );
        let dirs = dirs_below(root.path(), "/run-1");
        assert_eq!(dirs.len(), 2);
        assert_eq!(oom_kills_in(&dirs), 2);
        assert!(!is_version_2(root.path()));
    }

    #[test]
    fn a_group_of_version_2_is_in_the_only_tree() {
        let root = tempfile::tempdir().unwrap();
        write(
            root.path(),
            &[
                ("cgroup.controllers", "cpuset cpu io memory pids\n"),
                ("run-1/cgroup.procs", "7\n8\n"),
                ("run-1/memory.events", "low 0\nmax 9\noom 3\noom_kill 1\n"),
            ],
        );
        let dirs = dirs_below(root.path(), "/run-1");
        assert_eq!(dirs, [root.path().join("run-1")]);
        assert_eq!(oom_kills_in(&dirs), 1);
        assert_eq!(members(&dirs[0]), [7, 8]);
        assert!(is_version_2(root.path()));
    }

    #[test]
    fn a_machine_with_both_has_the_members_once_for_each() {
        let root = tempfile::tempdir().unwrap();
        write(
            root.path(),
            &[
                ("memory/run-1/cgroup.procs", "7\n"),
                ("unified/run-1/cgroup.procs", "7\n"),
                ("unified/cgroup.controllers", ""),
            ],
        );
        let dirs = dirs_below(root.path(), "/run-1");
        assert_eq!(
            dirs.iter().flat_map(|dir| members(dir)).collect::<Vec<_>>(),
            [7, 7]
        );
        assert!(is_version_2(&root.path().join(UNIFIED)));
    }

    #[test]
    fn groups_are_made_where_a_user_may_and_limits_work() {
        let all = "cpuset cpu io memory pids\n";
        for (own, files, expected) in [
            // Enabled already, whoever is in it.
            (
                "0::/a/b\n",
                [
                    ("a/b/cgroup.procs", "1"),
                    ("a/b/cgroup.subtree_control", all),
                ],
                "/a/b",
            ),
            // Our own has processes; the one above has none, and may.
            (
                "1:cpu:/x\n0::/a/b\n",
                [("a/cgroup.procs", ""), ("a/cgroup.controllers", all)],
                "/a",
            ),
            // Without memory there is no use in it.
            (
                "0::/a/b\n",
                [("a/cgroup.procs", ""), ("a/cgroup.controllers", "cpu pids")],
                "",
            ),
            // Occupied.
            (
                "0::/a/b\n",
                [("a/cgroup.procs", "1"), ("a/cgroup.controllers", all)],
                "",
            ),
            // The root of all groups is nobody's to give.
            (
                "0::/\n",
                [("cgroup.procs", ""), ("cgroup.controllers", all)],
                "",
            ),
            // Version 1 only.
            (
                "4:memory:/a\n",
                [("a/cgroup.procs", ""), ("a/cgroup.controllers", all)],
                "",
            ),
        ] {
            let root = tempfile::tempdir().unwrap();
            write(root.path(), &files);
            let found = delegated_below(root.path(), own).unwrap_or_default();
            assert_eq!(found, expected, "{own}");
        }
    }
}
