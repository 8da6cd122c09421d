//! What the roles that run alone have in common: `iexec chain run`, `market`, `sms`, `store`,
//! `pool` and `worker`. Settings come from flags, then the environment, then one TOML file.

mod chain;
mod data;
mod file;
mod host;
mod keys;
mod options;
mod remote;

pub(crate) use chain::{ChainConfig, Place};
pub(crate) use data::{database_url, start_block};
pub(crate) use file::{TemplateArgs, read};
#[cfg(test)]
pub(crate) use file::{read_text, uncommented};
pub(crate) use host::{Drain, Host, Service, Standard};
pub(crate) use keys::{KeyOptions, WalletConfig, private};
pub(crate) use options::{Common, LogFormat, PlaceOptions};
pub(crate) use remote::{DrainArgs, StatusArgs};
