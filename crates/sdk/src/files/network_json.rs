//! `network.json`: what a running local network tells its clients (design.md §4).

use protocol::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::{Error, files::chain_json::Entry};

/// The file's name in the network's data directory.
pub const FILE_NAME: &str = "network.json";

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkFile {
    /// `local`.
    pub name: String,
    /// The chain's number.
    pub chain_id: u64,
    /// The hub.
    pub hub: Address,
    /// The RLC token; none in native mode.
    #[serde(default)]
    pub token: Option<Address>,
    /// Whether deposits are made in the chain's own coin.
    #[serde(default)]
    pub native: bool,
    /// The network's workerpool.
    pub workerpool: Address,
    /// `docker` or `builtin`.
    #[serde(default)]
    pub engine: String,
    /// JSON-RPC over HTTP.
    pub rpc_url: String,
    /// JSON-RPC over WebSocket.
    #[serde(default)]
    pub ws_url: Option<String>,
    /// The market.
    pub market: String,
    /// Secret management service.
    pub sms: String,
    /// Result store.
    pub result_proxy: String,
    /// Where results are fetched from.
    pub ipfs_gateway: String,
    /// Where files are added.
    pub ipfs_node: String,
    /// Directory of workerpools.
    pub compass: String,
    /// The pool's API.
    pub pool: String,
    /// The explorer's pages.
    pub explorer: String,
    /// Funded accounts to play with.
    #[serde(default)]
    pub accounts: Vec<Account>,
}

/// A funded account of the local network.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// What it is for, e.g. `faucet`.
    pub role: String,
    /// Its address.
    pub address: Address,
    /// Its key: worthless outside the local network.
    pub private_key: B256,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({} {})", self.role, self.address)
    }
}

impl NetworkFile {
    /// Reads the text.
    ///
    /// # Errors
    /// [`Error::Format`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|source| Error::Format {
            file: FILE_NAME,
            source,
        })
    }

    /// The network as `chain.json` would describe it.
    pub fn entry(&self) -> Entry {
        Entry {
            id: Some(self.chain_id.to_string()),
            host: Some(self.rpc_url.clone()),
            hub: Some(self.hub.to_checksum(None)),
            sms: Some(self.sms.clone()),
            ipfs_gateway: Some(self.ipfs_gateway.clone()),
            ipfs_node: Some(self.ipfs_node.clone()),
            iexec_gateway: Some(self.market.clone()),
            compass: Some(self.compass.clone()),
            result_proxy: Some(self.result_proxy.clone()),
            pool: Some(self.pool.clone()),
            native: Some(self.native),
            ..Entry::default()
        }
    }

    /// The account that plays `role`.
    pub fn account(&self, role: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.role == role)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn sample() -> String {
        let url = "http://127.0.0.1:8545";
        json!({
            "name": "local", "chainId": 65535, "hub": Address::repeat_byte(1), "token": null,
            "native": false, "workerpool": Address::repeat_byte(2), "engine": "docker",
            "rpcUrl": url, "wsUrl": "ws://127.0.0.1:8545", "market": url, "sms": url,
            "resultProxy": url, "ipfsGateway": url, "ipfsNode": url, "compass": url, "pool": url,
            "explorer": url,
            "accounts": [{ "role": "faucet", "address": Address::repeat_byte(3),
                           "privateKey": B256::repeat_byte(4) }],
        })
        .to_string()
    }

    #[test]
    fn the_designs_schema_is_read() {
        let file = NetworkFile::parse(&sample()).unwrap();
        assert_eq!(file.entry().id.as_deref(), Some("65535"));
        assert!(file.account("faucet").is_some() && file.account("x").is_none());
        let shown = format!("{file:?}");
        assert!(!shown.contains("0404"), "a key was shown: {shown}");
    }
}
