//! A run specification in the words of the Docker API.

use std::collections::HashMap;
use std::thread::available_parallelism;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, ResourcesUlimits,
};

use crate::security::{CAPABILITIES, LABEL, LABEL_VALUE, OPEN_FILES_MAX};
use crate::{Bind, Limits, Network, RunSpec};

const NANOS_PER_CPU: f64 = 1e9;

pub(super) fn container(spec: &RunSpec) -> ContainerCreateBody {
    let env = spec.env.iter().map(|(key, value)| format!("{key}={value}"));
    ContainerCreateBody {
        image: Some(spec.image.id.to_string()),
        cmd: (!spec.args.is_empty()).then(|| spec.args.clone()),
        env: Some(env.collect()),
        attach_stdin: Some(false),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(false),
        open_stdin: Some(false),
        labels: Some(HashMap::from([(LABEL.to_owned(), LABEL_VALUE.to_owned())])),
        host_config: Some(HostConfig {
            mounts: Some(spec.binds.iter().map(mount).collect()),
            network_mode: Some(network(spec.network).to_owned()),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(CAPABILITIES.map(str::to_owned).to_vec()),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            // Output goes to the attached connection and nowhere else: no copy on disk.
            log_config: Some(HostConfigLogConfig {
                typ: Some("none".to_owned()),
                config: None,
            }),
            ..limits(&spec.limits)
        }),
        ..ContainerCreateBody::default()
    }
}

fn limits(limits: &Limits) -> HostConfig {
    let memory = i64::try_from(limits.memory_bytes).unwrap_or(i64::MAX);
    HostConfig {
        memory: Some(memory),
        // The sum of memory and swap: equal to memory means no swap.
        memory_swap: Some(memory),
        pids_limit: Some(limits.pids.into()),
        nano_cpus: Some(nano_cpus(limits.cpus)),
        ulimits: Some(vec![
            ulimit("nofile", u64::from(OPEN_FILES_MAX)),
            ulimit("fsize", limits.file_bytes),
            ulimit("core", 0),
        ]),
        ..HostConfig::default()
    }
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

fn network(network: Network) -> &'static str {
    match network {
        Network::None => "none",
        Network::Outbound => "bridge",
    }
}
