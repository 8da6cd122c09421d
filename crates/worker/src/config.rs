//! What an operator tells a worker.

use std::path::{Path, PathBuf};

use protocol::{Address, B256, message::Profile};
use serde::{Deserialize, Serialize};

/// NVIDIA's driver makes it when it is loaded.
const GPU_DEVICE: &str = "/dev/nvidiactl";

/// A worker's configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The pool's API, e.g. `http://127.0.0.1:8545`; the WebSocket is below it.
    pub pool_url: String,
    /// The workerpool to work for: a pool of another one is not served.
    pub workerpool: Address,
    /// A name for people.
    pub name: String,
    /// Task folders are made here and removed with the task.
    pub data_dir: PathBuf,
    /// Tasks at once.
    #[serde(default = "one")]
    pub slots: u32,
    /// Where `/ipfs/…` inputs are fetched from.
    #[serde(default)]
    pub ipfs_gateway: Option<String>,
    /// Whether inputs may come from private and loopback addresses: only sensible where the
    /// requesters are trusted, as on the local network (`design.md` §5).
    #[serde(default)]
    pub allow_private_inputs: bool,
    /// Whether an image that was never pushed may be pinned by its image id: the local network
    /// only (`design.md` decision 8).
    #[serde(default)]
    pub allow_local_images: bool,
    /// Memory of one task, bytes.
    #[serde(default = "memory_bytes")]
    pub memory_bytes: u64,
    /// Processors of one task.
    #[serde(default = "cpus")]
    pub cpus: f64,
    /// Processes and threads of one task at the same time.
    #[serde(default = "pids")]
    pub pids: u32,
    /// What one task may write to the disk, bytes.
    #[serde(default = "disk_bytes")]
    pub disk_bytes: u64,
    /// Output of one task that is kept, bytes.
    #[serde(default = "log_bytes")]
    pub log_bytes: u64,
    /// Whether tasks whose tag asks for a GPU get those of this machine; by default when NVIDIA's
    /// driver is there, because a container that asks in vain does not start.
    #[serde(default = "has_gpus")]
    pub gpus: bool,
    /// Whether the app may reach the network, as on the official workers.
    #[serde(default = "yes")]
    pub app_network: bool,
    /// The only hosts it may reach; none means all that are not private.
    #[serde(default)]
    pub app_hosts: Vec<String>,
    /// Seconds of the longest category taken; 0 is any.
    #[serde(default = "none")]
    pub seconds_max: u64,
    /// Whose machine it is; the pool does not let workers of one owner vouch for each other.
    #[serde(default)]
    pub owner: Option<Address>,
}

fn none() -> u64 {
    0
}

fn one() -> u32 {
    1
}

fn memory_bytes() -> u64 {
    engine::Limits::default().memory_bytes
}

fn cpus() -> f64 {
    engine::Limits::default().cpus
}

fn pids() -> u32 {
    engine::Limits::default().pids
}

fn disk_bytes() -> u64 {
    engine::Limits::default().disk_bytes
}

fn log_bytes() -> u64 {
    engine::Limits::default().log_bytes
}

fn has_gpus() -> bool {
    Path::new(GPU_DEVICE).exists()
}

fn yes() -> bool {
    true
}

impl Config {
    /// A worker with the defaults for everything that has one.
    pub fn new(pool_url: String, workerpool: Address, name: String, data_dir: PathBuf) -> Self {
        Self {
            pool_url,
            workerpool,
            name,
            data_dir,
            slots: one(),
            ipfs_gateway: None,
            allow_private_inputs: false,
            allow_local_images: false,
            memory_bytes: memory_bytes(),
            cpus: cpus(),
            pids: pids(),
            disk_bytes: disk_bytes(),
            log_bytes: log_bytes(),
            gpus: has_gpus(),
            app_network: yes(),
            app_hosts: Vec::new(),
            seconds_max: none(),
            owner: None,
        }
    }

    /// What the pool is told of the machine.
    pub(crate) fn profile(&self, images: Vec<B256>, tee: bool) -> Profile {
        Profile {
            gpu: self.gpus,
            tee,
            seconds_max: self.seconds_max,
            owner: self.owner,
            images,
        }
    }

    pub(crate) fn limits(&self) -> engine::Limits {
        engine::Limits {
            memory_bytes: self.memory_bytes,
            cpus: self.cpus,
            pids: self.pids,
            disk_bytes: self.disk_bytes,
            log_bytes: self.log_bytes,
            ..engine::Limits::default()
        }
    }

    pub(crate) fn network(&self) -> engine::Network {
        match (self.app_network, self.app_hosts.is_empty()) {
            (false, _) => engine::Network::None,
            (true, true) => engine::Network::Outbound,
            (true, false) => engine::Network::Allowlist(self.app_hosts.clone()),
        }
    }
}
