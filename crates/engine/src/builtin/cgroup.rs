//! The control group of a run: whether memory ran out, and the end of whatever is in it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Usage;
use crate::usage::{GROUPS, keyed};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A killed process that is still there after so long hangs in the kernel.
const DEATH_TIMEOUT_S: i64 = 10;
/// Processes may fork while they are being killed, but the process limit ends that.
const KILL_ROUNDS_MAX: usize = 64;

/// The directories of a group: one in version 2, one per controller in version 1.
fn dirs(group: &str) -> Vec<PathBuf> {
    let name = group.trim_start_matches('/');
    let controllers = fs::read_dir(GROUPS).into_iter().flatten().flatten();
    let candidates = controllers.map(|entry| entry.path().join(name));
    let all = candidates.chain([Path::new(GROUPS).join(name)]);
    all.filter(|dir| dir.join("cgroup.procs").exists())
        .collect()
}

/// How many processes of the group the kernel killed for want of memory.
pub(super) fn oom_kills(group: &str) -> u64 {
    let files = ["memory.events", "memory.oom_control"];
    let paths = dirs(group)
        .into_iter()
        .flat_map(|dir| files.map(|file| dir.join(file)));
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
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
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
