//! `chain.json`: which chains a project knows (spec/client.md §2.2).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Error;

/// The file's name.
pub const FILE_NAME: &str = "chain.json";

/// Keys of one chain that older clients wrote and that mean nothing any more (spec/client.md
/// Appendix B): read and ignored, so that old folders keep working.
const OLD_CHAIN_KEYS: [&str; 8] = [
    "ensRegistry",
    "ensPublicResolver",
    "voucherHub",
    "voucherSubgraph",
    "native",
    "useGas",
    "defaultTeeFramework",
    "bridge",
];
const OLD_TOP_KEYS: [&str; 1] = ["providers"];

/// What the file says of one chain. Every value wins over the built-in one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Entry {
    /// The chain's number as text.
    pub id: Option<String>,
    /// JSON-RPC URL.
    pub host: Option<String>,
    /// The hub's address.
    pub hub: Option<String>,
    /// Secret management service.
    pub sms: Option<String>,
    /// Where results are fetched from.
    pub ipfs_gateway: Option<String>,
    /// Where files are added.
    pub ipfs_node: Option<String>,
    /// The market.
    pub iexec_gateway: Option<String>,
    /// Directory of workerpools.
    pub compass: Option<String>,
    /// Subgraph; kept for other tools.
    pub poco_subgraph: Option<String>,
    /// Result store.
    pub result_proxy: Option<String>,
    /// The pool's API when there is no compass.
    pub pool: Option<String>,
}

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainFile {
    /// The chain used without `--chain`.
    pub default: Option<String>,
    /// Name → what the file says of it, in the file's order.
    pub chains: Vec<(String, Entry)>,
}

impl ChainFile {
    /// Reads the text strictly: a key that nobody ever knew is an error that names it.
    ///
    /// # Errors
    /// [`Error::Format`], [`Error::UnknownKey`] or [`Error::Invalid`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let top: Map<String, Value> = serde_json::from_str(text).map_err(format_error)?;
        let mut file = Self::default();
        let mut has_chains = false;
        for (key, value) in top {
            match key.as_str() {
                "default" => file.default = Some(text_of("default", value)?),
                "chains" => {
                    has_chains = true;
                    file.chains = read_chains(value)?;
                }
                "allowExperimentalNetworks" => {}
                old if OLD_TOP_KEYS.contains(&old) => {}
                _ => {
                    return Err(Error::UnknownKey {
                        file: FILE_NAME,
                        key,
                    });
                }
            }
        }
        if !has_chains {
            return Err(missing_chains());
        }
        Ok(file)
    }

    /// What `init` writes: the official names, and `local`.
    pub fn template(default: &str) -> String {
        crate::files::pretty(&json!({
            "default": default,
            "chains": { "arbitrum-mainnet": {}, "arbitrum-sepolia-testnet": {}, "local": {} },
        }))
    }

    /// What the file says of `name`.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.chains
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, entry)| entry)
    }
}

fn missing_chains() -> Error {
    Error::Configuration {
        reason: format!("ValidationError: chains is a required field in {FILE_NAME}"),
        hint: Some(
            "add \"chains\", from name to settings; `iexec init` writes an example".to_owned(),
        ),
    }
}

fn read_chains(value: Value) -> Result<Vec<(String, Entry)>, Error> {
    let chains: Map<String, Value> = serde_json::from_value(value).map_err(format_error)?;
    chains
        .into_iter()
        .map(|(name, value)| read_entry(&name, value).map(|e| (name, e)))
        .collect()
}

fn read_entry(name: &str, value: Value) -> Result<Entry, Error> {
    let fields: Map<String, Value> = serde_json::from_value(value).map_err(format_error)?;
    let known = serde_json::to_value(Entry::default()).unwrap_or_default();
    let mut kept = Map::new();
    for (key, value) in fields {
        let path = format!("chains.{name}.{key}");
        if OLD_CHAIN_KEYS.contains(&key.as_str()) {
            continue;
        }
        if known.get(&key).is_none() {
            return Err(Error::UnknownKey {
                file: FILE_NAME,
                key: path,
            });
        }
        // 8.24 allowed one SMS per TEE framework: the TDX one is the one that still exists
        let value = match (key.as_str(), value) {
            ("sms", Value::Object(map)) => map.get("tdx").cloned().unwrap_or_default(),
            (_, value) => value,
        };
        if !value.is_null() {
            kept.insert(key, Value::String(text_of(&path, value)?));
        }
    }
    serde_json::from_value(Value::Object(kept)).map_err(format_error)
}

fn text_of(key: &str, value: Value) -> Result<String, Error> {
    match value {
        Value::String(text) => Ok(text),
        // the official client refuses a number as `id`; nothing speaks against it
        Value::Number(number) if key.ends_with(".id") => Ok(number.to_string()),
        other => Err(Error::invalid(
            format!("\"{key}\" in \"{FILE_NAME}\""),
            format!("{key} is {other}, which is not a text"),
        )),
    }
}

fn format_error(source: serde_json::Error) -> Error {
    Error::Format {
        file: FILE_NAME,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_official_client_load() {
        let text = r#"{"default":"dev","chains":{"dev":{"id":"31337","host":"http://127.0.0.1:1",
            "hub":"0x4ed7c70F96B99c776995fB64377f0d4aB3B0e1C1","iexecGateway":"http://m"}}}"#;
        let file = ChainFile::parse(text).unwrap();
        assert_eq!(file.default.as_deref(), Some("dev"));
        let entry = file.entry("dev").unwrap();
        assert_eq!(entry.id.as_deref(), Some("31337"));
        assert_eq!(entry.iexec_gateway.as_deref(), Some("http://m"));
        assert_eq!(entry.sms, None);
    }

    #[test]
    fn keys_of_older_clients_are_ignored() {
        let text = r#"{"providers":{},"chains":{"old":{"id":134,"useGas":false,"native":true,
            "sms":{"scone":"http://a","tdx":"http://b"},"ensRegistry":"0x"}}}"#;
        let file = ChainFile::parse(text).unwrap();
        assert_eq!(file.entry("old").unwrap().id.as_deref(), Some("134"));
        assert_eq!(file.entry("old").unwrap().sms.as_deref(), Some("http://b"));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = |text| ChainFile::parse(text).unwrap_err().to_string();
        assert_eq!(
            error(r#"{"chians":{}}"#),
            "ValidationError: Unknown key \"chians\" in chain.json"
        );
        assert_eq!(
            error(r#"{"chains":{"dev":{"hots":"x"}}}"#),
            "ValidationError: Unknown key \"hots\" in chain.json"
        );
        assert_eq!(
            error("{}"),
            "ValidationError: chains is a required field in chain.json"
        );
        assert!(error(r#"{"chains":{"dev":{"hub":5}}}"#).contains("chains.dev.hub"));
    }

    #[test]
    fn the_template_loads() {
        let file = ChainFile::parse(&ChainFile::template("local")).unwrap();
        assert_eq!(file.default.as_deref(), Some("local"));
        assert_eq!(file.chains.len(), 3);
    }
}
