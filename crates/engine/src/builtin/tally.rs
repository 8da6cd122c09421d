//! What the processes of a container use, counted one by one: for who has no control group.
//!
//! Like the disk's, this limit is a measurement: what is taken between two looks comes on top.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::Usage;
use crate::usage::keyed_text;

/// Between two looks; a program takes some hundred megabytes meanwhile.
const PERIOD_MS: u64 = 100;
/// The kernel's unit of processor time in `/proc`, fixed for programs: a hundredth of a second.
const MS_PER_TICK: u64 = 10;
const KIB: u64 = 1_024;
/// Fields of `stat` behind the name, counted from the state.
const PARENT: usize = 1;
/// User, system, and the same of children that have ended.
const TIMES: std::ops::RangeInclusive<usize> = 11..=14;

/// Counts the descendants of one process.
#[derive(Debug)]
pub(super) struct Tally {
    /// None when it has ended already: the parent of the first process of all is not meant.
    helper: Option<u32>,
    memory_bytes_max: u64,
    most: Mutex<Usage>,
}

#[derive(Debug, Clone, Copy)]
struct Process {
    pid: u32,
    ticks: u64,
}

impl Tally {
    pub(super) fn new(helper: Option<u32>, memory_bytes_max: u64) -> Arc<Self> {
        let most = Mutex::default();
        Arc::new(Self {
            helper,
            memory_bytes_max,
            most,
        })
    }

    /// The most seen so far.
    pub(super) fn usage(&self) -> Usage {
        *self.most.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when they have too much memory, which may be never.
    pub(super) async fn exceeded(self: &Arc<Self>) {
        loop {
            let tally = Arc::clone(self);
            let looked = tokio::task::spawn_blocking(move || tally.look());
            if looked.await.unwrap_or(false) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(PERIOD_MS)).await;
        }
    }

    fn look(&self) -> bool {
        let Some(helper) = self.helper else {
            return false;
        };
        let now = count(Path::new("/proc"), helper);
        let mut most = self.most.lock().unwrap_or_else(PoisonError::into_inner);
        *most = most.max(now);
        now.memory_bytes
            .is_some_and(|bytes| bytes > self.memory_bytes_max)
    }
}

fn count(proc: &Path, helper: u32) -> Usage {
    let processes = descendants(proc, helper);
    let memory = processes.iter().map(|process| memory(proc, process.pid));
    let ticks: u64 = processes.iter().map(|process| process.ticks).sum();
    Usage {
        memory_bytes: Some(memory.sum()),
        cpu_ms: Some(ticks * MS_PER_TICK),
        pids: Some(
            processes
                .iter()
                .map(|process| threads(proc, process.pid))
                .sum(),
        ),
        disk_bytes: None,
    }
}

fn descendants(proc: &Path, helper: u32) -> Vec<Process> {
    let mut children: HashMap<u32, Vec<Process>> = HashMap::new();
    for entry in fs::read_dir(proc).into_iter().flatten().flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let stat = || fs::read_to_string(entry.path().join("stat")).ok();
        if let Some((pid, stat)) = pid.and_then(|pid| Some((pid, stat()?)))
            && let Some((parent, ticks)) = parse(&stat)
        {
            children
                .entry(parent)
                .or_default()
                .push(Process { pid, ticks });
        }
    }
    let mut found = Vec::new();
    let mut open = vec![helper];
    while let Some(parent) = open.pop() {
        let of = children.remove(&parent).unwrap_or_default();
        open.extend(of.iter().map(|process| process.pid));
        found.extend(of);
    }
    found
}

/// Parent and processor time. The name before is the process' own choice, brackets included.
fn parse(stat: &str) -> Option<(u32, u64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let times = fields.get(TIMES)?.iter();
    let ticks = times.filter_map(|text| text.parse::<u64>().ok()).sum();
    Some((fields.get(PARENT)?.parse().ok()?, ticks))
}

/// What is its own and cannot be dropped: without the files it has mapped.
fn memory(proc: &Path, pid: u32) -> u64 {
    let status = status(proc, pid);
    let kib = ["RssAnon:", "RssShmem:"].iter();
    kib.filter_map(|key| keyed_text(&status, key)).sum::<u64>() * KIB
}

fn threads(proc: &Path, pid: u32) -> u64 {
    keyed_text(&status(proc, pid), "Threads:").unwrap_or(0)
}

fn status(proc: &Path, pid: u32) -> String {
    fs::read_to_string(proc.join(pid.to_string()).join("status")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants_are_counted_and_nobody_else() {
        let proc = tempfile::tempdir().unwrap();
        for (pid, parent, name) in [
            (10, 1, "helper"),
            (11, 10, "init"),
            (12, 11, "a) R 1 (b"),
            (20, 1, "other"),
        ] {
            let dir = proc.path().join(pid.to_string());
            fs::create_dir(&dir).unwrap();
            let stat = format!("{pid} ({name}) S {parent} 0 0 0 0 0 0 0 0 0 1 2 3 4 20 0 1");
            fs::write(dir.join("stat"), stat).unwrap();
            let status = "Name:\tx\nRssAnon:\t     100 kB\nRssFile:\t  9 kB\nRssShmem:\t  1 kB\n\
                Threads:\t2\n";
            fs::write(dir.join("status"), status).unwrap();
        }
        fs::create_dir(proc.path().join("self")).unwrap();
        let usage = count(proc.path(), 10);
        assert_eq!(usage.memory_bytes, Some(2 * 101 * KIB));
        assert_eq!(usage.cpu_ms, Some(2 * 10 * MS_PER_TICK));
        assert_eq!(usage.pids, Some(4));
    }

    #[test]
    fn this_process_is_seen_with_what_it_has() {
        let parent = std::os::unix::process::parent_id();
        let usage = count(Path::new("/proc"), parent);
        assert!(usage.memory_bytes.unwrap() > 0 && usage.pids.unwrap() > 0);
    }
}
