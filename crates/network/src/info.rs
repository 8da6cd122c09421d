//! `network.json`: how a project folder or another client finds the network (`design.md` §4).

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};

use crate::Account;

/// Name of the file in the data directory. It is there while the network runs.
pub const FILE_NAME: &str = "network.json";

/// The content of `network.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// `local`.
    pub name: String,
    /// The chain.
    pub chain_id: u64,
    /// The hub.
    #[serde(with = "protocol::json::checksummed")]
    pub hub: Address,
    /// The RLC token; null on a native chain.
    pub token: Option<String>,
    /// Whether RLC is the chain's own coin.
    pub native: bool,
    /// The workerpool.
    #[serde(with = "protocol::json::checksummed")]
    pub workerpool: Address,
    /// `docker` or `builtin`.
    pub engine: String,
    /// JSON-RPC over HTTP.
    pub rpc_url: String,
    /// JSON-RPC over WebSocket.
    pub ws_url: String,
    /// The market API.
    pub market: String,
    /// The secret manager.
    pub sms: String,
    /// The result proxy.
    pub result_proxy: String,
    /// The IPFS gateway.
    pub ipfs_gateway: String,
    /// The IPFS node.
    pub ipfs_node: String,
    /// The directory of workerpools.
    pub compass: String,
    /// The pool's API.
    pub pool: String,
    /// The web pages.
    pub explorer: String,
    /// Funded accounts.
    pub accounts: Vec<Account>,
}

impl Info {
    /// Reads `network.json` of a data directory.
    ///
    /// # Errors
    /// The disk's; `InvalidData` for a file that is no `network.json`.
    pub fn read(data_dir: &Path) -> io::Result<Self> {
        let bytes = fs::read(data_dir.join(FILE_NAME))?;
        serde_json::from_slice(&bytes).map_err(io::Error::from)
    }

    /// Writes it so that a reader sees all of it or nothing, for its owner only: it has keys.
    pub(crate) fn write(&self, data_dir: &Path) -> io::Result<()> {
        let temporary = data_dir.join(format!("{FILE_NAME}.tmp"));
        fs::write(&temporary, serde_json::to_vec_pretty(self)?)?;
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o600))?;
        fs::rename(temporary, data_dir.join(FILE_NAME))
    }

    pub(crate) fn remove(data_dir: &Path) {
        let _ = fs::remove_file(data_dir.join(FILE_NAME));
    }
}
