//! What an operator tells a worker.

use std::path::PathBuf;

use protocol::{Address, message::Profile};
use serde::{Deserialize, Serialize};

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
    /// Whether the app may reach the network, as on the official workers.
    #[serde(default = "yes")]
    pub app_network: bool,
    /// Whether the machine has a GPU for tasks whose tag asks for one.
    #[serde(default)]
    pub gpu: bool,
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
            app_network: yes(),
            gpu: false,
            seconds_max: none(),
            owner: None,
        }
    }

    /// What the pool is told of the machine.
    pub(crate) fn profile(&self) -> Profile {
        Profile {
            gpu: self.gpu,
            seconds_max: self.seconds_max,
            owner: self.owner,
            images: Vec::new(),
        }
    }

    pub(crate) fn limits(&self) -> engine::Limits {
        engine::Limits {
            memory_bytes: self.memory_bytes,
            cpus: self.cpus,
            ..engine::Limits::default()
        }
    }

    pub(crate) fn network(&self) -> engine::Network {
        if self.app_network {
            engine::Network::Outbound
        } else {
            engine::Network::None
        }
    }
}
