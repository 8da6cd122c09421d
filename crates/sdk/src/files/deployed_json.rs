//! `deployed.json`: the last deployed address per kind and chain (spec/client.md §2.3).

use std::collections::BTreeMap;

pub use chain::Asset as Kind;
use protocol::Address;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The file's name.
pub const FILE_NAME: &str = "deployed.json";

type Addresses = BTreeMap<String, String>;

/// The whole file: kind → chain id → address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployedFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<Addresses>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dataset: Option<Addresses>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workerpool: Option<Addresses>,
}

impl DeployedFile {
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

    /// The address deployed last on `chain_id`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the file holds something that is no address.
    pub fn get(&self, kind: Kind, chain_id: u64) -> Result<Option<Address>, Error> {
        let section = match kind {
            Kind::App => &self.app,
            Kind::Dataset => &self.dataset,
            Kind::Workerpool => &self.workerpool,
        };
        let text = section
            .as_ref()
            .and_then(|addresses| addresses.get(&chain_id.to_string()));
        text.map(|text| crate::parse::address(kind.name(), text))
            .transpose()
    }

    /// Remembers `address`, forgetting the one before.
    pub fn set(&mut self, kind: Kind, chain_id: u64, address: Address) {
        let section = match kind {
            Kind::App => &mut self.app,
            Kind::Dataset => &mut self.dataset,
            Kind::Workerpool => &mut self.workerpool,
        };
        section
            .get_or_insert_default()
            .insert(chain_id.to_string(), address.to_checksum(None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_address_wins() {
        let text = r#"{"app":{"31337":"0xc3bCE34B93ab73f638d1DFef08be6bb9ECd82F7a"}}"#;
        let mut file = DeployedFile::parse(text).unwrap();
        assert!(file.get(Kind::App, 31337).unwrap().is_some());
        assert_eq!(file.get(Kind::App, 1).unwrap(), None);
        let newer = Address::repeat_byte(7);
        file.set(Kind::App, 31337, newer);
        let again = DeployedFile::parse(&crate::files::pretty(&file)).unwrap();
        assert_eq!(again.get(Kind::App, 31337).unwrap(), Some(newer));
    }

    #[test]
    fn strangers_are_refused() {
        assert!(DeployedFile::parse(r#"{"apps":{}}"#).is_err());
        let odd = DeployedFile::parse(r#"{"app":{"1":"0x1"}}"#).unwrap();
        assert!(odd.get(Kind::App, 1).is_err());
    }
}
