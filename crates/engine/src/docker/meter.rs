//! What a container of the daemon uses while it runs, and where.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, ContainerStatsResponse};
use bollard::query_parameters::{InspectContainerOptionsBuilder, StatsOptionsBuilder};
use futures_util::StreamExt;
use tokio_util::task::AbortOnDropHandle;

use super::config::Note;
use super::launch::Mark;
use crate::disk::Disk;
use crate::usage::groups_of;
use crate::{Limits, Usage};

/// The control group vanishes with the container, so it is read while it is there. The peaks are
/// the kernel's own: only what came after the last look is missed.
const SAMPLE_MS: u64 = 100;
/// How often the daemon is asked for the size of a container's layer where the layer's folder is
/// not on this machine. It has to walk through all of it.
const LAYER_PERIOD_MS: u64 = 5_000;
const NANOS_PER_MS: u64 = 1_000_000;

/// What the daemon tells of a container.
#[derive(Debug, Default)]
pub(super) struct Seen(pub(super) ContainerInspectResponse);

impl Seen {
    /// The note of a container of ours that was started.
    pub(super) fn orphan(&self) -> Option<Note> {
        let state = self.0.state.as_ref()?.status;
        if state == Some(ContainerStateStatusEnum::CREATED) {
            return None;
        }
        Note::read(self.0.config.as_ref()?.labels.as_ref()?)
    }

    /// That of its launcher, where it has one.
    pub(super) fn mark(&self) -> Option<Mark> {
        Mark::of(self.0.config.as_ref()?.entrypoint.as_ref()?)
    }

    /// Its first process, where it runs.
    pub(super) fn pid(&self) -> Option<i64> {
        self.0.state.as_ref()?.pid.filter(|pid| *pid > 0)
    }

    /// What its control group is named by; nothing when it is gone.
    pub(super) fn id(&self) -> &str {
        self.0.id.as_deref().unwrap_or_default()
    }

    /// The folder of its own layer, when the daemon's disk is ours.
    fn layer(&self) -> Option<PathBuf> {
        let driver = self.0.graph_driver.as_ref()?;
        let path = PathBuf::from(driver.data.get("UpperDir")?);
        path.is_dir().then_some(path)
    }

    /// The folders of the host it may write to, by kind of mount: `bind` or `volume`.
    fn mounts(&self, kind: &str) -> Vec<PathBuf> {
        let mounts = self.0.mounts.iter().flatten();
        let writable = mounts.filter(|mount| mount.rw == Some(true));
        let right = writable.filter(|mount| mount.typ.as_deref() == Some(kind));
        let sources = right.filter_map(|mount| mount.source.clone());
        sources.map(PathBuf::from).collect()
    }

    /// All that it may write to: its layer, the volumes its image declares, the binds.
    pub(super) fn disk(&self, note: &Note) -> Arc<Disk> {
        let own = self.layer().into_iter().chain(self.mounts("volume"));
        Disk::new(self.mounts("bind"), own, note.before, &note.limits)
    }
}

/// Returns when the container's layer has grown beyond the limit; never where the folder of the
/// layer is watched itself.
pub(super) async fn layer_exceeded(
    api: &bollard::Docker,
    name: &str,
    limits: &Limits,
    seen: &Seen,
) {
    if seen.layer().is_some() {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(Duration::from_millis(LAYER_PERIOD_MS)).await;
        let options = InspectContainerOptionsBuilder::default().size(true).build();
        let found = api.inspect_container(name, Some(options)).await;
        let size = found.ok().and_then(|found| found.size_rw);
        if size.is_some_and(|size| size.unsigned_abs() >= limits.disk_bytes) {
            return;
        }
    }
}

/// Reads what a container uses until dropped.
pub(super) struct Meter {
    most: Arc<Mutex<Usage>>,
    _task: AbortOnDropHandle<()>,
}

impl Meter {
    /// Of a container that was just looked at.
    pub(super) fn start(api: &bollard::Docker, name: &str, container: &Seen) -> Self {
        let most = Arc::new(Mutex::new(Usage::default()));
        let (api, name, seen) = (api.clone(), name.to_owned(), Arc::clone(&most));
        let (pid, id) = (container.pid(), container.id().to_owned());
        let task = tokio::spawn(async move {
            match pid.map(|pid| groups_of(pid, &id)) {
                Some(groups) if !groups.is_empty() => sample(&groups, &seen).await,
                _ => listen(&api, &name, &seen).await,
            }
        });
        Self {
            most,
            _task: AbortOnDropHandle::new(task),
        }
    }

    pub(super) fn usage(&self) -> Usage {
        *self.most.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(most: &Mutex<Usage>, usage: Usage) {
    let mut most = most.lock().unwrap_or_else(PoisonError::into_inner);
    *most = most.max(usage);
}

async fn sample(groups: &[PathBuf], most: &Mutex<Usage>) {
    while groups.iter().any(|group| Path::exists(group)) {
        note(most, Usage::of_group(groups));
        tokio::time::sleep(Duration::from_millis(SAMPLE_MS)).await;
    }
}

/// The daemon tells about once a second.
async fn listen(api: &bollard::Docker, name: &str, most: &Mutex<Usage>) {
    let options = StatsOptionsBuilder::default().stream(true).build();
    let mut samples = api.stats(name, Some(options));
    while let Some(Ok(sample)) = samples.next().await {
        note(most, told(&sample));
    }
}

fn told(sample: &ContainerStatsResponse) -> Usage {
    let memory = sample.memory_stats.as_ref();
    let cpu = sample
        .cpu_stats
        .as_ref()
        .and_then(|cpu| cpu.cpu_usage.as_ref());
    Usage {
        memory_bytes: memory.and_then(|memory| memory.max_usage.max(memory.usage)),
        cpu_ms: cpu
            .and_then(|cpu| cpu.total_usage)
            .map(|nanos| nanos / NANOS_PER_MS),
        pids: sample.pids_stats.as_ref().and_then(|pids| pids.current),
        disk_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerMemoryStats, ContainerPidsStats};

    use super::*;

    #[test]
    fn samples_of_the_daemon_are_understood() {
        let sample = ContainerStatsResponse {
            memory_stats: Some(ContainerMemoryStats {
                usage: Some(7),
                ..ContainerMemoryStats::default()
            }),
            pids_stats: Some(ContainerPidsStats {
                current: Some(2),
                ..ContainerPidsStats::default()
            }),
            ..ContainerStatsResponse::default()
        };
        let usage = told(&sample);
        assert_eq!((usage.memory_bytes, usage.pids), (Some(7), Some(2)));
        assert_eq!(usage.cpu_ms, None);
    }

    #[test]
    fn nothing_is_known_of_a_container_that_is_gone() {
        let seen = Seen::default();
        assert!(seen.orphan().is_none() && seen.pid().is_none() && seen.layer().is_none());
        assert!(seen.mounts("bind").is_empty());
    }
}
