//! The settings of a worker.

use std::{net::SocketAddr, num::NonZero, path::PathBuf, thread};

use protocol::Address;
use serde::Deserialize;

use super::registry::RegistryEntry;
use crate::commands::role::{ChainConfig, WalletConfig};

/// What `iexec worker init` writes.
pub(super) const TEMPLATE: &str = include_str!("template.toml");
/// How long tasks may go on after SIGTERM: most are shorter, and no supervisor waits for ever.
const DRAIN_S: u64 = 300;
/// Larger than the largest image that runs here, so that one can stay while the next comes.
const IMAGE_CACHE_MIB: u64 = 50 << 10;
const MIB: u64 = 1 << 20;
const KIB: u64 = 1 << 10;

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Settings {
    pub(super) listen: Option<SocketAddr>,
    pub(super) data: Option<PathBuf>,
    pub(super) name: String,
    pub(super) slots: u32,
    pub(super) engine: engine::Choice,
    image_cache_mib: u64,
    pub(super) registry: Vec<RegistryEntry>,
    pub(super) drain_seconds: u64,
    pub(super) traces: Option<String>,
    memory_mib: Option<u64>,
    cpus: Option<f64>,
    app_network: bool,
    app_hosts: Vec<String>,
    pids: Option<u32>,
    disk_mib: Option<u64>,
    log_kib: Option<u64>,
    gpus: Option<bool>,
    seconds_max: u64,
    owner: Option<Address>,
    ipfs_gateway: Option<String>,
    allow_private_inputs: bool,
    allow_local_images: bool,
    pub(super) chain: ChainConfig,
    pub(super) wallet: WalletConfig,
    pub(super) attestation: Option<worker::agent::Attestation>,
    pub(super) pool: Vec<PoolEntry>,
}

/// A pool to work for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PoolEntry {
    pub(super) url: String,
    pub(super) workerpool: Address,
}

impl Default for Settings {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            listen: None,
            data: None,
            name: "worker".to_owned(),
            slots: u32::try_from(processors.saturating_sub(1).max(1)).unwrap_or(1),
            engine: engine::Choice::Auto,
            image_cache_mib: IMAGE_CACHE_MIB,
            registry: Vec::new(),
            drain_seconds: DRAIN_S,
            traces: None,
            memory_mib: None,
            cpus: None,
            app_network: true,
            app_hosts: Vec::new(),
            pids: None,
            disk_mib: None,
            log_kib: None,
            gpus: None,
            seconds_max: 0,
            owner: None,
            ipfs_gateway: None,
            allow_private_inputs: false,
            allow_local_images: false,
            chain: ChainConfig::default(),
            wallet: WalletConfig::default(),
            attestation: None,
            pool: Vec::new(),
        }
    }
}

impl Settings {
    pub(super) fn image_cache_bytes(&self) -> u64 {
        self.image_cache_mib.saturating_mul(MIB)
    }

    /// What the session of one pool needs; its folders are below `data_dir`. `gateway` is that of
    /// the chain.
    pub(super) fn session(
        &self,
        pool: &PoolEntry,
        data_dir: &std::path::Path,
        gateway: Option<String>,
    ) -> worker::Config {
        let folder = data_dir.join("tasks").join(pool.workerpool.to_string());
        let (url, name) = (pool.url.clone(), self.name.clone());
        let mut config = worker::Config::new(url, pool.workerpool, name, folder);
        config.slots = self.slots;
        config.ipfs_gateway = self.ipfs_gateway.clone().or(gateway);
        config.allow_private_inputs = self.allow_private_inputs;
        config.allow_local_images = self.allow_local_images;
        config.memory_bytes = self.memory_mib.map_or(config.memory_bytes, |mib| mib * MIB);
        config.cpus = self.cpus.unwrap_or(config.cpus);
        config.app_network = self.app_network;
        config.app_hosts = self.app_hosts.clone();
        config.pids = self.pids.unwrap_or(config.pids);
        config.disk_bytes = self.disk_mib.map_or(config.disk_bytes, |mib| mib * MIB);
        config.log_bytes = self.log_kib.map_or(config.log_bytes, |kib| kib * KIB);
        config.gpus = self.gpus.unwrap_or(config.gpus);
        config.seconds_max = self.seconds_max;
        config.owner = self.owner;
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::role::{read_text, uncommented};

    #[test]
    fn the_template_explains_every_key_with_its_default() {
        let told: Settings = uncommented(TEMPLATE);
        let default = Settings::default();
        assert_eq!(told.name, default.name);
        assert_eq!(told.engine, default.engine);
        assert_eq!(told.drain_seconds, default.drain_seconds);
        assert_eq!(told.image_cache_bytes(), default.image_cache_bytes());
        assert_eq!(told.registry.len(), 1);
        assert_eq!(told.listen.unwrap().port(), super::super::STANDARD.port);
        let engine::Limits {
            memory_bytes, cpus, ..
        } = engine::Limits::default();
        assert_eq!(told.memory_mib.unwrap() * MIB, memory_bytes);
        assert_eq!(told.cpus, Some(cpus));
        assert_eq!(told.pool.len(), 1);
        let attestation = told.attestation.unwrap();
        assert!(attestation.simulator.is_some() && attestation.sms_id.is_some());
        assert!(told.seconds_max == 0 && told.owner.is_some() && told.app_hosts.len() == 1);
        let limits = engine::Limits::default();
        assert_eq!(told.pids, Some(limits.pids));
        assert_eq!(told.disk_mib.unwrap() * MIB, limits.disk_bytes);
        assert_eq!(told.log_kib.unwrap() * KIB, limits.log_bytes);
        assert!(told.app_network && !told.allow_private_inputs && !told.allow_local_images);
    }

    #[test]
    fn a_password_in_the_file_is_not_shown_with_an_error() {
        let entry = "[[registry]]\nhost = \"a.b\"\nusername = \"me\"\n";
        for (last, line) in [("password = 20261127", 4), ("password = 'x'\nuser = 1", 5)] {
            let error = read_text::<Settings>(&format!("{entry}{last}\n")).unwrap_err();
            assert!(error.starts_with(&format!("line {line}: ")), "{error}");
            assert!(
                !error.contains("20261127") && !error.contains('='),
                "{error}"
            );
        }
    }

    #[test]
    fn unknown_keys_are_refused_with_their_line() {
        let error = toml::from_str::<Settings>("name = \"a\"\nslot = 3\n").unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("line 2") && said.contains("unknown field `slot`"),
            "{said}"
        );
    }
}
