//! A run specification in the words of the Docker API.

use std::collections::HashMap;
use std::thread::available_parallelism;

use bollard::models::{
    ContainerCreateBody, DeviceRequest, HostConfig, HostConfigLogConfig, Mount, MountType,
    ResourcesUlimits,
};
use serde::{Deserialize, Serialize};

use super::lane::Lane;
use super::launch::Launch;
use crate::disk::Used;
use crate::security::{CAPABILITIES, LABEL, LABEL_VALUE, OPEN_FILES_MAX};
use crate::{Bind, Limits, RunSpec};

const NANOS_PER_CPU: f64 = 1e9;
/// Below this the daemon would be busy changing files.
const LOG_FILE_BYTES_MIN: u64 = 64 * 1024;

/// Podman's default for the processes of one user.
const PODMAN_PROCESSES: u64 = 1 << 20;

const GREATEST_PID: &str = "/proc/sys/kernel/pid_max";

/// The label that carries a [`Note`].
const NOTE: &str = "iexec.note";

/// What a container remembers of its run, for the process that finds it again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) limits: Limits,
    /// What its writable binds held before.
    pub(super) before: Used,
}

impl Note {
    fn label(&self) -> (String, String) {
        let text = serde_json::to_string(self).unwrap_or_default();
        (NOTE.to_owned(), text)
    }

    /// None where it is not one of our containers.
    pub(super) fn read(labels: &HashMap<String, String>) -> Option<Self> {
        let ours = labels.get(LABEL).is_some_and(|value| value == LABEL_VALUE);
        let note = labels.get(NOTE).filter(|_| ours)?;
        serde_json::from_str(note).ok()
    }
}

/// What has to be said differently to Podman.
#[derive(Debug, Clone, Copy)]
pub(super) struct Podman {
    /// Whether the image's user is.
    pub(super) is_root: bool,
}

pub(super) fn container(
    spec: &RunSpec,
    note: &Note,
    lane: &Lane,
    launch: Option<&Launch>,
    podman: Option<Podman>,
) -> ContainerCreateBody {
    let env = spec.env.iter().map(|(key, value)| format!("{key}={value}"));
    let args = (!spec.args.is_empty()).then(|| spec.args.clone());
    let binds = spec.binds.iter().chain(launch.map(|launch| &launch.bind));
    ContainerCreateBody {
        image: Some(spec.image.id.to_string()),
        entrypoint: launch.map(|launch| launch.entrypoint.clone()),
        cmd: launch.map(|launch| launch.command.clone()).or(args),
        env: Some(env.collect()),
        attach_stdin: Some(launch.is_some()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(false),
        open_stdin: Some(launch.is_some()),
        // Closed when our line breaks, so that no launcher waits for a process that is gone.
        stdin_once: Some(launch.is_some()),
        labels: Some(HashMap::from([
            (LABEL.to_owned(), LABEL_VALUE.to_owned()),
            note.label(),
        ])),
        host_config: Some(HostConfig {
            mounts: Some(binds.map(mount).collect()),
            network_mode: Some(lane.network.clone()),
            extra_hosts: lane.hosts(),
            dns: lane.resolvers(),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(capabilities(podman)),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            log_config: Some(log(spec)),
            device_requests: spec.gpus.then(|| vec![gpus()]),
            ..limits(&spec.limits, podman)
        }),
        ..ContainerCreateBody::default()
    }
}

/// A copy of the output on disk, so that it survives this process. Of the formats that keep a
/// bound this is the one that Podman knows too. Two files of a limit each hold at least the limit;
/// what they add to each line comes out of it. A run with a server of ours is never adopted, so
/// nobody would read it.
fn log(spec: &RunSpec) -> HostConfigLogConfig {
    if spec.loopback.is_some() {
        return HostConfigLogConfig {
            typ: Some("none".to_owned()),
            config: None,
        };
    }
    let size = spec.limits.log_bytes.max(LOG_FILE_BYTES_MIN);
    let config = [("max-size", size.to_string()), ("max-file", "2".to_owned())];
    HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(config.map(|(key, value)| (key.to_owned(), value)).into()),
    }
}

/// All that the machine has, as `docker run --gpus all`.
fn gpus() -> DeviceRequest {
    DeviceRequest {
        count: Some(-1),
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..DeviceRequest::default()
    }
}

fn limits(limits: &Limits, podman: Option<Podman>) -> HostConfig {
    let processes = podman.map(|_| ulimit("nproc", podman_processes_max()));
    let files = ulimit("nofile", u64::from(OPEN_FILES_MAX));
    let size = ulimit("fsize", limits.file_bytes_max());
    let ulimits = [files, size, ulimit("core", 0)]
        .into_iter()
        .chain(processes);
    let memory = i64::try_from(limits.memory_bytes).unwrap_or(i64::MAX);
    HostConfig {
        memory: Some(memory),
        // The sum of memory and swap: equal to memory means no swap.
        memory_swap: Some(memory),
        pids_limit: Some(limits.pids.into()),
        nano_cpus: Some(nano_cpus(limits.cpus)),
        ulimits: Some(ulimits.collect()),
        ..HostConfig::default()
    }
}

/// Where Docker lets a program that is not root have none of them, Podman gives it all it was asked
/// for.
fn capabilities(podman: Option<Podman>) -> Vec<String> {
    match podman {
        Some(Podman { is_root: false }) => Vec::new(),
        _ => CAPABILITIES.map(str::to_owned).to_vec(),
    }
}

/// What Podman would set, or what it may: it brings itself down to the greatest process number, and
/// no container starts where it is then not allowed to go up again. How many processes a container
/// has is limited by its control group.
fn podman_processes_max() -> u64 {
    let greatest = std::fs::read_to_string(GREATEST_PID).ok();
    let greatest = greatest.and_then(|text| text.trim().parse().ok());
    let most = PODMAN_PROCESSES.min(greatest.unwrap_or(PODMAN_PROCESSES));
    #[cfg(target_os = "linux")]
    let allowed = rustix::process::getrlimit(rustix::process::Resource::Nproc).maximum;
    #[cfg(not(target_os = "linux"))]
    let allowed: Option<u64> = None;
    allowed.map_or(most, |allowed| allowed.min(most))
}

/// The daemon refuses more processors than it has.
fn nano_cpus(cpus: f64) -> i64 {
    let available = available_parallelism().map_or(1.0, |count| count.get() as f64);
    (cpus.min(available) * NANOS_PER_CPU) as i64
}

fn ulimit(name: &str, value: u64) -> ResourcesUlimits {
    let value = Some(i64::try_from(value).unwrap_or(i64::MAX));
    ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: value,
        hard: value,
    }
}

fn mount(bind: &Bind) -> Mount {
    Mount {
        source: Some(bind.host.to_string_lossy().into_owned()),
        target: Some(bind.container.to_string_lossy().into_owned()),
        typ: Some(MountType::BIND),
        read_only: Some(bind.read_only),
        ..Mount::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Digest, Image, ImageRef};

    fn spec() -> RunSpec {
        let reference = ImageRef::parse("user/app:1").unwrap();
        let image = Image::new(reference, Digest::of(b""), None);
        RunSpec::new("task-0x12", image, Duration::from_secs(1))
    }

    fn body(spec: &RunSpec) -> serde_json::Value {
        body_for(spec, None)
    }

    #[test]
    fn podman_is_told_what_docker_knows() {
        let names = |body: &serde_json::Value| {
            let limits = body["HostConfig"]["Ulimits"].as_array().unwrap().clone();
            limits.iter().any(|limit| limit["Name"] == "nproc")
        };
        let root = body_for(&spec(), Some(Podman { is_root: true }));
        let user = body_for(&spec(), Some(Podman { is_root: false }));
        assert!(names(&root) && names(&user) && !names(&body(&spec())));
        let capabilities = |body: &serde_json::Value| body["HostConfig"]["CapAdd"].clone();
        assert_eq!(capabilities(&root), capabilities(&body(&spec())));
        assert_eq!(capabilities(&user), serde_json::json!([]));
    }

    fn body_for(spec: &RunSpec, podman: Option<Podman>) -> serde_json::Value {
        let note = Note {
            limits: spec.limits,
            before: Used::default(),
        };
        serde_json::to_value(container(spec, &note, &Lane::none(), None, podman)).unwrap()
    }

    #[test]
    fn gpus_are_requested_when_asked_for() {
        let mut spec = spec();
        assert!(body(&spec)["HostConfig"]["DeviceRequests"].is_null());
        spec.gpus = true;
        let requests = &body(&spec)["HostConfig"]["DeviceRequests"];
        assert_eq!(requests[0]["Count"], -1);
        assert_eq!(requests[0]["Capabilities"], serde_json::json!([["gpu"]]));
    }

    #[test]
    fn a_file_is_no_larger_than_the_disk() {
        let mut spec = spec();
        (spec.limits.file_bytes, spec.limits.disk_bytes) = (10 << 30, 1 << 20);
        let limits = body(&spec)["HostConfig"]["Ulimits"].clone();
        let fsize = limits
            .as_array()
            .unwrap()
            .iter()
            .find(|l| l["Name"] == "fsize");
        assert_eq!(fsize.unwrap()["Hard"], 1 << 20);
    }

    #[test]
    fn a_note_is_read_from_our_containers_only() {
        let note = Note {
            limits: Limits::default(),
            before: Used::default(),
        };
        let mut labels = HashMap::from([note.label()]);
        assert_eq!(Note::read(&labels), None);
        labels.insert(LABEL.to_owned(), LABEL_VALUE.to_owned());
        assert_eq!(Note::read(&labels), Some(note));
    }
}
