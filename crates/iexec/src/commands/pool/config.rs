//! The settings of a pool.

use std::{net::SocketAddr, path::PathBuf};

use protocol::Address;
use serde::Deserialize;

use crate::commands::role::{ChainConfig, WalletConfig};

/// What `iexec pool init` writes.
pub(super) const TEMPLATE: &str = include_str!("template.toml");

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Settings {
    pub(super) listen: Option<SocketAddr>,
    pub(super) data: Option<PathBuf>,
    pub(super) database_url: Option<String>,
    pub(super) workerpool: Option<Address>,
    pub(super) result_proxy: Option<String>,
    pub(super) sms: Option<String>,
    pub(super) market: Option<String>,
    pub(super) whitelist: Vec<Address>,
    pub(super) traces: Option<String>,
    pub(super) start_block: Option<u64>,
    pub(super) logs_kept_seconds: u64,
    pub(super) finalizes_at_once: bool,
    pub(super) claims_for_requesters: bool,
    pub(super) chain: ChainConfig,
    pub(super) wallet: WalletConfig,
    pub(super) offer: Vec<pool::Offer>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: None,
            data: None,
            database_url: None,
            workerpool: None,
            result_proxy: None,
            sms: None,
            market: None,
            whitelist: Vec::new(),
            traces: None,
            start_block: None,
            logs_kept_seconds: pool::machine::LOGS_KEPT_S,
            finalizes_at_once: true,
            claims_for_requesters: false,
            chain: ChainConfig::default(),
            wallet: WalletConfig::default(),
            offer: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::role::uncommented;

    #[test]
    fn the_template_explains_every_key() {
        let told: Settings = uncommented(TEMPLATE);
        let default: pool::Offer = toml::from_str("category = 0").unwrap();
        assert_eq!(told.offer, [default]);
        assert_eq!(told.listen.unwrap().port(), super::super::STANDARD.port);
        assert_eq!(told.whitelist.len(), 1);
        assert_eq!(
            told.logs_kept_seconds,
            Settings::default().logs_kept_seconds
        );
        assert!(told.finalizes_at_once && !told.claims_for_requesters);
        assert!(told.workerpool.is_some() && told.start_block.is_some());
        let empty: Settings = toml::from_str(TEMPLATE).unwrap();
        assert!(empty.offer.is_empty() && empty.whitelist.is_empty());
    }
}
