//! `chain.json`: which chains a project knows (spec/client.md §2.2).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Error;

/// The file's name.
pub const FILE_NAME: &str = "chain.json";

/// Keys of one chain that version 8 had and that this program has no use for: told, not refused,
/// so that old folders keep working (spec/client.md Appendix B).
const UNUSED_KEYS: [&str; 3] = ["voucherHub", "voucherSubgraph", "bridge"];
/// As [`UNUSED_KEYS`], at the top of the file.
const UNUSED_TOP_KEYS: [&str; 1] = ["providers"];
/// Keys whose values are true or false.
const FLAGS: [&str; 2] = ["native", "useGas"];
/// Frameworks of version 8's `sms` maps, the ones first that are more likely to live.
const FRAMEWORKS: [&str; 3] = ["tdx", "scone", "gramine"];

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
    /// Registry of the name service.
    pub ens_registry: Option<String>,
    /// Resolver for new names.
    pub ens_public_resolver: Option<String>,
    /// Whether RLC is the chain's own coin; the hub knows better, and is asked.
    pub native: Option<bool>,
    /// Whether transactions pay for gas; they do if left out.
    pub use_gas: Option<bool>,
    /// Keys that mean nothing here, as they stand in the file.
    #[serde(skip)]
    pub unused: Vec<String>,
}

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainFile {
    /// The chain used without `--chain`.
    pub default: Option<String>,
    /// Name → what the file says of it, in the file's order.
    pub chains: Vec<(String, Entry)>,
    /// Keys at the top that mean nothing here.
    pub unused: Vec<String>,
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
                old if UNUSED_TOP_KEYS.contains(&old) => file.unused.push(key),
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
    let framework = fields.get("defaultTeeFramework").and_then(Value::as_str);
    let framework = framework.map(str::to_owned);
    let (mut kept, mut unused) = (Map::new(), Vec::new());
    for (key, value) in fields {
        let path = format!("chains.{name}.{key}");
        let value = match (key.as_str(), value) {
            // it chose among the values of `sms`, and does
            ("defaultTeeFramework", _) => continue,
            (old, _) if UNUSED_KEYS.contains(&old) => {
                unused.push(path);
                continue;
            }
            (other, _) if known.get(other).is_none() => {
                return Err(Error::UnknownKey {
                    file: FILE_NAME,
                    key: path,
                });
            }
            (_, Value::Null) => continue,
            ("sms", Value::Object(map)) => match sms_of(&map, framework.as_deref()) {
                Some(url) => url,
                None => continue,
            },
            (flag, value) if FLAGS.contains(&flag) => Value::Bool(flag_of(&path, &value)?),
            (_, value) => Value::String(text_of(&path, value)?),
        };
        kept.insert(key, value);
    }
    let mut entry: Entry = serde_json::from_value(Value::Object(kept)).map_err(format_error)?;
    entry.unused = unused;
    Ok(entry)
}

/// Version 8 allowed one SMS for each framework.
fn sms_of(map: &Map<String, Value>, framework: Option<&str>) -> Option<Value> {
    let mut names = framework.into_iter().chain(FRAMEWORKS);
    names.find_map(|name| map.get(name).filter(|url| url.is_string()).cloned())
}

fn flag_of(key: &str, value: &Value) -> Result<bool, Error> {
    value.as_bool().ok_or_else(|| {
        Error::invalid(
            format!("\"{key}\" in \"{FILE_NAME}\""),
            format!("{value} is neither true nor false"),
        )
    })
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
    fn keys_of_older_clients_keep_their_meaning() {
        let text = r#"{"providers":{},"chains":{"old":{"id":134,"useGas":false,"native":true,
            "sms":{"scone":"http://a","tdx":"http://b"},"ensRegistry":"0x","bridge":{},
            "voucherHub":"0x"}}}"#;
        let file = ChainFile::parse(text).unwrap();
        let entry = file.entry("old").unwrap();
        assert_eq!(entry.id.as_deref(), Some("134"));
        assert_eq!((entry.native, entry.use_gas), (Some(true), Some(false)));
        assert_eq!(entry.ens_registry.as_deref(), Some("0x"));
        assert_eq!(entry.unused, ["chains.old.bridge", "chains.old.voucherHub"]);
        assert_eq!(file.unused, ["providers"]);
    }

    #[test]
    fn one_of_several_secret_managers_is_chosen() {
        let sms = |chain: &str| {
            let text = format!(r#"{{"chains":{{"old":{{{chain}}}}}}}"#);
            let file = ChainFile::parse(&text).unwrap();
            file.entry("old").unwrap().sms.clone()
        };
        let map = r#""sms":{"scone":"http://a","tdx":"http://b"}"#;
        assert_eq!(sms(map).as_deref(), Some("http://b"));
        let wish = format!(r#""defaultTeeFramework":"scone",{map}"#);
        assert_eq!(sms(&wish).as_deref(), Some("http://a"));
        assert_eq!(
            sms(r#""sms":{"gramine":"http://c"}"#).as_deref(),
            Some("http://c")
        );
        assert_eq!(sms(r#""sms":{}"#), None);
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
        assert!(error(r#"{"chains":{"dev":{"native":5}}}"#).contains("chains.dev.native"));
    }

    #[test]
    fn the_template_loads() {
        let file = ChainFile::parse(&ChainFile::template("local")).unwrap();
        assert_eq!(file.default.as_deref(), Some("local"));
        assert_eq!(file.chains.len(), 3);
    }
}
