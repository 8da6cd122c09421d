//! What a container used, as the kernel counts it.

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are mounted: version 2 directly, version 1 one folder per controller.
pub(crate) const GROUPS: &str = "/sys/fs/cgroup";
/// Where a machine with version 1 also mounts version 2.
pub(crate) const UNIFIED: &str = "unified";
const NANOS_PER_MS: u64 = 1_000_000;
const MICROS_PER_MS: u64 = 1_000;

/// What a container used at most. None where nobody could tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// The peak of its memory, files in the page cache included, bytes.
    pub memory_bytes: Option<u64>,
    /// Processor time of all its processes, milliseconds.
    pub cpu_ms: Option<u64>,
    /// The peak of its processes and threads; a sample on kernels that keep no peak.
    pub pids: Option<u64>,
    /// What it had added to the disk when last measured, bytes.
    pub disk_bytes: Option<u64>,
}

impl Usage {
    /// The larger of both, since all of it only grows.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            cpu_ms: self.cpu_ms.max(other.cpu_ms),
            pids: self.pids.max(other.pids),
            disk_bytes: self.disk_bytes.max(other.disk_bytes),
        }
    }

    /// What the files of a control group say, given its folders.
    pub(crate) fn of_group(dirs: &[PathBuf]) -> Self {
        let number = |file: &str| dirs.iter().find_map(|dir| number(&dir.join(file)));
        let micros = || {
            let text = dirs
                .iter()
                .find_map(|dir| keyed(&dir.join("cpu.stat"), "usage_usec"));
            text.map(|micros| micros / MICROS_PER_MS)
        };
        let nanos = number("cpuacct.usage").map(|nanos| nanos / NANOS_PER_MS);
        Self {
            memory_bytes: number("memory.peak").or_else(|| number("memory.max_usage_in_bytes")),
            cpu_ms: nanos.or_else(micros),
            pids: number("pids.peak").or_else(|| number("pids.current")),
            disk_bytes: None,
        }
    }
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The number behind a word at the beginning of a line.
pub(crate) fn keyed(path: &Path, key: &str) -> Option<u64> {
    keyed_text(&fs::read_to_string(path).ok()?, key)
}

/// The same of a text; a unit behind the number is not looked at.
pub(crate) fn keyed_text(text: &str, key: &str) -> Option<u64> {
    let mut words = text
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace));
    let (_, value) = words.find(|(word, _)| *word == key)?;
    value.split_whitespace().next()?.parse().ok()
}

/// The folders of the control group of the container with this id, whose process has this number.
/// Empty when the process is not here, or is none of the container's: one that has just ended is
/// in the group of the whole machine, until it is buried.
pub(crate) fn groups_of(pid: i64, container: &str) -> Vec<PathBuf> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let lines = text.lines().filter(|line| is_of(line, container));
    let dirs = lines.flat_map(folders);
    dirs.filter(|dir| dir.join("cgroup.procs").exists())
        .collect()
}

/// Whether control groups, as the kernel tells them, are those of the container with this id.
pub(crate) fn is_of(groups: &str, container: &str) -> bool {
    !container.is_empty() && groups.contains(container)
}

/// `4:memory:/docker/…` is in the controller's folder, `0::/docker/…` in the root.
fn folders(line: &str) -> Vec<PathBuf> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
        return Vec::new();
    };
    let (root, path) = (Path::new(GROUPS), path.trim_start_matches('/'));
    if controllers.is_empty() {
        return vec![root.join(path), root.join(UNIFIED).join(path)];
    }
    let single = controllers
        .split(',')
        .map(|name| root.join(name).join(path));
    single.chain([root.join(controllers).join(path)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_control_groups_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        for (path, text) in [
            (one.join("memory/memory.max_usage_in_bytes"), "4096\n"),
            (one.join("cpuacct/cpuacct.usage"), "7000001\n"),
            (one.join("pids/pids.current"), "3\n"),
            (two.join("memory.peak"), "8192\n"),
            (
                two.join("cpu.stat"),
                "usage_usec 9000\nuser_usec 1\nnr_periods 0\n",
            ),
            (two.join("pids.peak"), "5\n"),
        ] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let first = ["memory", "cpuacct", "pids"].map(|name| one.join(name));
        let usage = |memory, cpu, pids| Usage {
            memory_bytes: Some(memory),
            cpu_ms: Some(cpu),
            pids: Some(pids),
            disk_bytes: None,
        };
        assert_eq!(Usage::of_group(&first), usage(4096, 7, 3));
        assert_eq!(Usage::of_group(&[two]), usage(8192, 9, 5));
        assert_eq!(Usage::of_group(&[]), Usage::default());
    }

    #[test]
    fn a_group_is_found_by_its_controllers() {
        let paths = |line| folders(line).into_iter().map(|p| p.display().to_string());
        assert!(paths("4:memory:/docker/1").any(|p| p == "/sys/fs/cgroup/memory/docker/1"));
        assert!(paths("3:cpu,cpuacct:/d").any(|p| p == "/sys/fs/cgroup/cpu,cpuacct/d"));
        assert!(paths("0::/d").any(|p| p == "/sys/fs/cgroup/d"));
        let own = i64::from(std::process::id());
        assert!(groups_of(own, "").is_empty() && groups_of(own, "0123456789abcdef").is_empty());
    }

    /// Its memory would be that of the whole machine: more than any container may have.
    #[test]
    fn a_process_that_has_just_ended_has_no_group_of_a_container() {
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        let pid = i64::from(ended.id());
        let state = format!("/proc/{pid}/stat");
        while !fs::read_to_string(&state).unwrap().contains(") Z ") {
            std::thread::yield_now();
        }
        assert_eq!(groups_of(pid, "0123456789abcdef"), Vec::<PathBuf>::new());
        ended.wait().unwrap();
    }
}
