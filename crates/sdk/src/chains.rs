//! Which chain a name means, and where its services are (spec/client.md §2.2).

use protocol::Address;

use crate::{
    Error,
    files::{
        chain_json::{self, ChainFile, Entry},
        network_json::NetworkFile,
    },
    parse,
};

/// The name of the running local network: it needs no entry in `chain.json`.
pub const LOCAL: &str = "local";
/// What `init` puts as default when no local network runs.
pub const OFFICIAL_DEFAULT: &str = "arbitrum-sepolia-testnet";
/// Where results are looked for when a chain names no gateway.
const PUBLIC_IPFS_GATEWAY: &str = "https://gateway.ipfs.io";

/// A chain, ready to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The name it was asked for.
    pub name: String,
    /// Its number, when the configuration says it; compared with the node's.
    pub id: Option<u64>,
    /// JSON-RPC URL, `http(s)` or `ws(s)`.
    pub host: String,
    /// The hub.
    pub hub: Address,
    /// Secret management service.
    pub sms: Option<String>,
    /// The market.
    pub market: Option<String>,
    /// Where results are fetched from.
    pub ipfs_gateway: String,
    /// Directory of workerpools.
    pub compass: Option<String>,
    /// The pool's API, when compass is not asked or does not know.
    pub pool: Option<String>,
    /// Where files are added.
    pub ipfs_node: Option<String>,
    /// Registry of the name service, where there is one.
    pub ens_registry: Option<Address>,
    /// Resolver for new names.
    pub ens_public_resolver: Option<Address>,
    /// Whether transactions pay for gas.
    pub use_gas: bool,
    /// What the configuration has to say before the chain is used: one line each.
    pub warnings: Vec<String>,
}

impl Chain {
    /// The market's URL.
    ///
    /// # Errors
    /// [`Error::Configuration`] naming the missing key.
    pub fn market(&self) -> Result<&str, Error> {
        self.service(self.market.as_deref(), "iexecGateway")
    }

    /// The secret management service's URL.
    ///
    /// # Errors
    /// [`Error::Configuration`] naming the missing key.
    pub fn sms(&self) -> Result<&str, Error> {
        self.service(self.sms.as_deref(), "sms")
    }

    /// The IPFS node that bulks are put on.
    ///
    /// # Errors
    /// [`Error::Configuration`] without one.
    pub fn ipfs_node(&self) -> Result<&str, Error> {
        self.service(self.ipfs_node.as_deref(), "ipfsNode")
    }

    fn service<'a>(&self, url: Option<&'a str>, key: &str) -> Result<&'a str, Error> {
        url.ok_or_else(|| Error::Configuration {
            reason: format!(
                "Missing {key} in \"chain.json\" for chain {}",
                self.id.map_or("undefined".to_owned(), |id| id.to_string())
            ),
            hint: Some(format!(
                "add \"{key}\" to chains.{} in chain.json",
                self.name
            )),
        })
    }
}

/// Chooses a chain: `wanted`, else the file's default, else the running local network.
///
/// Values of the file win over those of the local network and the built-in ones.
///
/// # Errors
/// [`Error::Configuration`] when the chain is unknown or incomplete.
pub fn resolve(
    wanted: Option<&str>,
    file: Option<&ChainFile>,
    local: Option<&NetworkFile>,
) -> Result<Chain, Error> {
    let name = match wanted.or(file.and_then(|file| file.default.as_deref())) {
        Some(name) => name,
        None if local.is_some() => LOCAL,
        None => return Err(nothing_chosen(file.is_some())),
    };
    let by_name = file.and_then(|file| file.entry(name));
    let by_id = file.and_then(|file| {
        let same = |entry: &&(String, Entry)| entry.1.id.as_deref() == Some(name);
        file.chains.iter().find(same)
    });
    let (name, entry) = match (by_name, by_id) {
        (Some(entry), _) => (name, Some(entry)),
        (None, Some((real, entry))) => (real.as_str(), Some(entry)),
        (None, None) => (name, None),
    };
    let base = if name == LOCAL {
        local.map(NetworkFile::entry)
    } else {
        builtin(name)
    };
    let id_base = || {
        entry
            .and_then(|entry| entry.id.as_deref())
            .and_then(builtin)
    };
    let merged = match (entry, base.or_else(id_base)) {
        (Some(entry), Some(base)) => overlay(entry, &base),
        (Some(entry), None) => entry.clone(),
        (None, Some(base)) => base,
        (None, None) => return Err(unknown(name)),
    };
    let mut chain = complete(name, &merged)?;
    chain.warnings = warnings(file, &merged);
    Ok(chain)
}

fn nothing_chosen(has_file: bool) -> Error {
    let reason = if has_file {
        format!(
            "Missing chain parameter. Check your \"{}\" file",
            chain_json::FILE_NAME
        )
    } else {
        format!(
            "Missing \"{}\" file, did you forget to run \"iexec init\"?",
            chain_json::FILE_NAME
        )
    };
    let hint = "start a local network with `iexec up`, or pass --chain <name>";
    Error::Configuration {
        reason,
        hint: Some(hint.to_owned()),
    }
}

fn unknown(name: &str) -> Error {
    let hint = match name {
        LOCAL => "start the local network with `iexec up`".to_owned(),
        "mainnet" | "1" => "on mainnet there was only the bridge, which is not offered: its own \
            pages move RLC between chains"
            .to_owned(),
        _ => {
            let names: Vec<_> = BUILT_IN.iter().map(|known| known.name).collect();
            format!("known without chain.json: {LOCAL}, {}", names.join(", "))
        }
    };
    let reason = format!("Missing \"{name}\" chain in \"chain.json\"");
    Error::Configuration {
        reason,
        hint: Some(hint),
    }
}

fn overlay(top: &Entry, base: &Entry) -> Entry {
    let pick = |a: &Option<String>, b: &Option<String>| a.clone().or_else(|| b.clone());
    Entry {
        id: pick(&top.id, &base.id),
        host: pick(&top.host, &base.host),
        hub: pick(&top.hub, &base.hub),
        sms: pick(&top.sms, &base.sms),
        ipfs_gateway: pick(&top.ipfs_gateway, &base.ipfs_gateway),
        ipfs_node: pick(&top.ipfs_node, &base.ipfs_node),
        iexec_gateway: pick(&top.iexec_gateway, &base.iexec_gateway),
        compass: pick(&top.compass, &base.compass),
        poco_subgraph: pick(&top.poco_subgraph, &base.poco_subgraph),
        result_proxy: pick(&top.result_proxy, &base.result_proxy),
        pool: pick(&top.pool, &base.pool),
        ens_registry: pick(&top.ens_registry, &base.ens_registry),
        ens_public_resolver: pick(&top.ens_public_resolver, &base.ens_public_resolver),
        native: top.native.or(base.native),
        use_gas: top.use_gas.or(base.use_gas),
        unused: top.unused.clone(),
    }
}

/// What the file says in vain.
fn warnings(file: Option<&ChainFile>, entry: &Entry) -> Vec<String> {
    let top = file.map(|file| file.unused.as_slice()).unwrap_or_default();
    let keys: Vec<_> = top.iter().chain(&entry.unused).cloned().collect();
    let text = || {
        format!(
            "chain.json: {} has no use here (no vouchers, no bridge, and hosts are given by URL)",
            keys.join(", ")
        )
    };
    (!keys.is_empty()).then(text).into_iter().collect()
}

fn complete(name: &str, entry: &Entry) -> Result<Chain, Error> {
    let missing = |key: &str| {
        let reason = match name {
            LOCAL => "no local network is running".to_owned(),
            _ if key == "hub" => "missing hubAddress key".to_owned(),
            _ => format!(
                "Missing RPC host, no \"host\" key in \"chain.json\" and no default value for \
                chain {}",
                entry.id.as_deref().unwrap_or("undefined")
            ),
        };
        let hint = match name {
            LOCAL => "start it with `iexec up`".to_owned(),
            _ => format!("add \"{key}\" to chains.{name} in chain.json"),
        };
        let hint = Some(hint);
        Error::Configuration { reason, hint }
    };
    let host = entry.host.clone().ok_or_else(|| missing("host"))?;
    // a host may be the name or id of a built-in chain
    let host = builtin(&host).and_then(|known| known.host).unwrap_or(host);
    if !["http://", "https://", "ws://", "wss://"]
        .iter()
        .any(|scheme| host.starts_with(scheme))
    {
        let field = format!("chains.{name}.host");
        return Err(Error::invalid(
            field,
            format!("Invalid provider host name or url `{host}`"),
        ));
    }
    let hub = entry.hub.as_deref().ok_or_else(|| missing("hub"))?;
    let address = |key: &str, text: Option<&str>| {
        let field = format!("chains.{name}.{key}");
        text.map(|text| parse::address(&field, text)).transpose()
    };
    let id = entry
        .id
        .as_deref()
        .map(|id| parse::small(&format!("chains.{name}.id"), id));
    Ok(Chain {
        name: name.to_owned(),
        id: id.transpose()?,
        host,
        hub: parse::address(&format!("chains.{name}.hub"), hub)?,
        sms: entry.sms.clone(),
        market: entry.iexec_gateway.clone(),
        ipfs_gateway: entry
            .ipfs_gateway
            .clone()
            .unwrap_or_else(|| PUBLIC_IPFS_GATEWAY.to_owned()),
        compass: entry.compass.clone(),
        pool: entry.pool.clone(),
        ipfs_node: entry.ipfs_node.clone(),
        ens_registry: address("ensRegistry", entry.ens_registry.as_deref())?,
        ens_public_resolver: address("ensPublicResolver", entry.ens_public_resolver.as_deref())?,
        use_gas: entry.use_gas.unwrap_or(true),
        warnings: Vec::new(),
    })
}

/// An official deployment (spec/client.md §2.2 and Appendix B).
struct BuiltIn {
    name: &'static str,
    id: &'static str,
    hub: &'static str,
    host: &'static str,
    sms: &'static str,
    market: &'static str,
    ipfs_gateway: &'static str,
    ipfs_node: &'static str,
    compass: Option<&'static str>,
    subgraph: &'static str,
    result_proxy: Option<&'static str>,
    /// Registry and resolver of the name service.
    ens: Option<[&'static str; 2]>,
    native: bool,
    use_gas: bool,
}

const BUILT_IN: [BuiltIn; 3] = [
    BuiltIn {
        name: OFFICIAL_DEFAULT,
        id: "421614",
        hub: "0xB2157BF2fAb286b2A4170E3491Ac39770111Da3E",
        host: "https://sepolia-rollup.arbitrum.io/rpc",
        sms: "https://sms.arbitrum-sepolia-testnet.iex.ec",
        market: "https://api-market.arbitrum-sepolia-testnet.iex.ec",
        ipfs_gateway: "https://ipfs-gateway.arbitrum-sepolia-testnet.iex.ec",
        ipfs_node: "https://ipfs-upload.arbitrum-sepolia-testnet.iex.ec",
        compass: Some("https://compass.arbitrum-sepolia-testnet.iex.ec"),
        subgraph: "https://thegraph.arbitrum-sepolia-testnet.iex.ec/api/subgraphs/id/\
            2GCj8gzLCihsiEDq8cYvC5nUgK6VfwZ6hm3Wj8A3kcxz",
        result_proxy: None,
        ens: None,
        native: false,
        use_gas: true,
    },
    BuiltIn {
        name: "arbitrum-mainnet",
        id: "42161",
        hub: "0x098bFCb1E50ebcA0BaA92C12eA0c3F045A1aD9f0",
        host: "https://arb1.arbitrum.io/rpc",
        sms: "https://sms.arbitrum-mainnet.iex.ec",
        market: "https://api.market.arbitrum-mainnet.iex.ec",
        ipfs_gateway: "https://ipfs-gateway.arbitrum-mainnet.iex.ec",
        ipfs_node: "https://ipfs-upload.arbitrum-mainnet.iex.ec",
        compass: Some("https://compass.arbitrum-mainnet.iex.ec"),
        subgraph: "https://thegraph.arbitrum.iex.ec/api/subgraphs/id/\
            B1comLe9SANBLrjdnoNTJSubbeC7cY7EoNu6zD82HeKy",
        result_proxy: None,
        ens: None,
        native: false,
        use_gas: true,
    },
    BuiltIn {
        name: "bellecour",
        id: "134",
        hub: "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f",
        host: "https://bellecour.iex.ec",
        sms: "https://sms.iex.ec",
        market: "https://api.market.v8-bellecour.iex.ec",
        ipfs_gateway: "https://ipfs-gateway.v8-bellecour.iex.ec",
        ipfs_node: "https://ipfs-upload.v8-bellecour.iex.ec",
        compass: None,
        subgraph: "https://thegraph.iex.ec/subgraphs/name/bellecour/poco-v5",
        result_proxy: Some("https://result.v8-bellecour.iex.ec"),
        ens: Some([
            "0x5f5B93fca68c9C79318d1F3868A354EE67D8c006",
            "0x1347d8a1840A810B990d0B774A6b7Bb8A1bd62BB",
        ]),
        native: true,
        use_gas: false,
    },
];

/// The official deployments, by name or id.
fn builtin(name: &str) -> Option<Entry> {
    let mut known = BUILT_IN.iter();
    let known = known.find(|known| known.name == name || known.id == name)?;
    let text = |text: &str| Some(text.to_owned());
    Some(Entry {
        id: text(known.id),
        host: text(known.host),
        hub: text(known.hub),
        sms: text(known.sms),
        ipfs_gateway: text(known.ipfs_gateway),
        ipfs_node: text(known.ipfs_node),
        iexec_gateway: text(known.market),
        compass: known.compass.and_then(text),
        poco_subgraph: text(known.subgraph),
        result_proxy: known.result_proxy.and_then(text),
        ens_registry: known.ens.and_then(|[registry, _]| text(registry)),
        ens_public_resolver: known.ens.and_then(|[_, resolver]| text(resolver)),
        native: Some(known.native),
        use_gas: Some(known.use_gas),
        ..Entry::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::network_json;

    fn file(text: &str) -> ChainFile {
        ChainFile::parse(text).unwrap()
    }

    fn local() -> NetworkFile {
        NetworkFile::parse(&network_json::tests::sample()).unwrap()
    }

    #[test]
    fn built_in_chains_are_those_of_the_spec() {
        let sepolia = resolve(Some("arbitrum-sepolia-testnet"), None, None).unwrap();
        assert_eq!(sepolia.id, Some(421614));
        assert_eq!(
            sepolia.sms.unwrap(),
            "https://sms.arbitrum-sepolia-testnet.iex.ec"
        );
        let mainnet = resolve(Some("42161"), None, None).unwrap();
        assert_eq!(
            mainnet.market().unwrap(),
            "https://api.market.arbitrum-mainnet.iex.ec"
        );
        assert_eq!(
            mainnet.compass.unwrap(),
            "https://compass.arbitrum-mainnet.iex.ec"
        );
    }

    #[test]
    fn bellecour_is_native_and_free_and_has_names() {
        let chain = resolve(Some("bellecour"), None, None).unwrap();
        assert_eq!(chain, {
            let mut by_id = resolve(Some("134"), None, None).unwrap();
            by_id.name = "bellecour".to_owned();
            by_id
        });
        assert!(!chain.use_gas && chain.compass.is_none());
        assert!(chain.ens_registry.is_some() && chain.ens_public_resolver.is_some());
        let sepolia = resolve(Some(OFFICIAL_DEFAULT), None, None).unwrap();
        assert!(sepolia.use_gas && sepolia.ens_registry.is_none());
    }

    #[test]
    fn a_chain_is_found_by_its_id() {
        let text = r#"{"chains":{"mine":{"id":4242,"host":"http://h",
            "hub":"0x4ed7c70F96B99c776995fB64377f0d4aB3B0e1C1","bridge":{}}},"providers":{}}"#;
        let chain = resolve(Some("4242"), Some(&file(text)), None).unwrap();
        assert_eq!((chain.name.as_str(), chain.id), ("mine", Some(4242)));
        assert_eq!(chain.warnings.len(), 1);
        assert!(chain.warnings[0].contains("providers, chains.mine.bridge"));
        let error = resolve(Some("1"), Some(&file(text)), None).unwrap_err();
        assert!(error.hint().unwrap().contains("bridge"));
    }

    #[test]
    fn the_file_wins() {
        let text = r#"{"default":"arbitrum-mainnet",
            "chains":{"arbitrum-mainnet":{"sms":"http://mine"}}}"#;
        let chain = resolve(None, Some(&file(text)), None).unwrap();
        assert_eq!(chain.sms.as_deref(), Some("http://mine"));
        assert_eq!(chain.host, "https://arb1.arbitrum.io/rpc");
    }

    #[test]
    fn local_comes_from_the_running_network() {
        let chain = resolve(Some("local"), None, Some(&local())).unwrap();
        assert_eq!(
            (chain.id, chain.hub),
            (Some(65535), Address::repeat_byte(1))
        );
        let listed = file(r#"{"chains":{"local":{}}}"#);
        assert_eq!(
            resolve(Some("local"), Some(&listed), Some(&local())).unwrap(),
            chain
        );
        assert_eq!(resolve(None, None, Some(&local())).unwrap(), chain);
        for known in [None, Some(&listed)] {
            let error = resolve(Some("local"), known, None).unwrap_err();
            assert!(error.hint().unwrap().contains("iexec up"), "{error}");
        }
    }

    #[test]
    fn custom_chains_go_by_name_or_id() {
        let hub = Address::repeat_byte(9).to_checksum(None);
        let text = format!(
            r#"{{"chains":{{"dev":{{"id":"7","host":"http://h","hub":"{hub}"}},
                "bad":{{"id":"8","host":"ipc:x","hub":"{hub}"}},"half":{{"id":"9"}}}}}}"#
        );
        let file = file(&text);
        assert_eq!(resolve(Some("7"), Some(&file), None).unwrap().name, "dev");
        let dev = resolve(Some("dev"), Some(&file), None).unwrap();
        assert_eq!(dev.ipfs_gateway, PUBLIC_IPFS_GATEWAY);
        assert!(
            dev.market()
                .unwrap_err()
                .to_string()
                .contains("iexecGateway")
        );
        let error = |name| {
            resolve(Some(name), Some(&file), None)
                .unwrap_err()
                .to_string()
        };
        assert!(error("bad").contains("`ipc:x`"));
        assert_eq!(
            error("half"),
            "Missing RPC host, no \"host\" key in \"chain.json\" and no default value for chain 9"
        );
        assert_eq!(error("nope"), "Missing \"nope\" chain in \"chain.json\"");
        assert!(resolve(None, Some(&file), None).is_err());
    }
}
