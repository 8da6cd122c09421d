//! The sections of `iexec.json` that are deployed: what `init` writes into them, and what they say
//! (spec/client.md §2.1). An error names the field.

use protocol::{Address, B256};
use serde_json::{Value, json};

use super::iexec_json::FILE_NAME;
use crate::{Error, parse};

/// The `app` section, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSection {
    /// Who will own the app; none takes the wallet.
    pub owner: Option<Address>,
    /// For display.
    pub name: String,
    /// `DOCKER`.
    pub kind: String,
    /// The image's name.
    pub multiaddr: String,
    /// The image's digest; none when left out, empty or zero: to be looked up.
    pub checksum: Option<B256>,
    /// Enclave measurement, nearly always empty.
    pub mrenclave: Vec<u8>,
}

impl AppSection {
    pub(super) const NAME: &str = "app";

    pub(super) fn template(owner: Address) -> Value {
        json!({
            "owner": owner.to_checksum(None),
            "name": "hello-world",
            "type": "DOCKER",
            "multiaddr": "iexechub/python-hello-world:8.0.4",
            "checksum": "0xb0b664b7a6d249f81c067a9262b1763144eeb3ca63e553567f71673442ce9e84",
        })
    }

    pub(super) fn read(value: &Value) -> Result<Self, Error> {
        let section = Section::of(Self::NAME, value);
        let kind = section.required("type")?;
        if kind != "DOCKER" {
            return Err(section.malformed("type", format!("{kind} is not a valid type")));
        }
        Ok(Self {
            owner: section.owner()?,
            name: section.required("name")?,
            kind,
            multiaddr: section.required("multiaddr")?,
            checksum: section.checksum()?.filter(|checksum| !checksum.is_zero()),
            mrenclave: read_mrenclave(&section)?,
        })
    }
}

/// The `dataset` section, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetSection {
    /// Who will own the dataset; none takes the wallet.
    pub owner: Option<Address>,
    /// For display.
    pub name: String,
    /// Where the encrypted file is: `/ipfs/…` or a URL.
    pub multiaddr: String,
    /// sha256 of the encrypted file.
    pub checksum: B256,
}

impl DatasetSection {
    pub(super) const NAME: &str = "dataset";

    pub(super) fn template(owner: Address) -> Value {
        json!({
            "owner": owner.to_checksum(None),
            "name": "my-dataset",
            "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
            "checksum": B256::ZERO,
        })
    }

    pub(super) fn read(value: &Value) -> Result<Self, Error> {
        let section = Section::of(Self::NAME, value);
        Ok(Self {
            owner: section.owner()?,
            name: section.required("name")?,
            multiaddr: section.required("multiaddr")?,
            checksum: section
                .checksum()?
                .ok_or_else(|| section.missing("checksum"))?,
        })
    }
}

/// The `workerpool` section, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerpoolSection {
    /// Who will own the workerpool; none takes the wallet.
    pub owner: Option<Address>,
    /// Free text.
    pub description: String,
}

impl WorkerpoolSection {
    pub(super) const NAME: &str = "workerpool";

    pub(super) fn template(owner: Address) -> Value {
        json!({ "owner": owner.to_checksum(None), "description": "my-workerpool" })
    }

    pub(super) fn read(value: &Value) -> Result<Self, Error> {
        let section = Section::of(Self::NAME, value);
        Ok(Self {
            owner: section.owner()?,
            description: section.required("description")?,
        })
    }
}

/// A section with its name, so that errors can say where.
struct Section<'a> {
    name: &'static str,
    value: &'a Value,
}

impl<'a> Section<'a> {
    fn of(name: &'static str, value: &'a Value) -> Self {
        Self { name, value }
    }

    fn invalid(&self, key: &str, reason: impl Into<String>) -> Error {
        Error::invalid(format!("{}.{key} in \"{FILE_NAME}\"", self.name), reason)
    }

    fn malformed(&self, key: &str, reason: String) -> Error {
        Error::malformed(format!("{}.{key} in \"{FILE_NAME}\"", self.name), reason)
    }

    fn missing(&self, key: &str) -> Error {
        self.malformed(key, format!("{key} is a required field"))
    }

    /// Empty when it is left out.
    fn text(&self, key: &str) -> Result<&'a str, Error> {
        match self.value.get(key) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(self.invalid(key, "it is not a text")),
        }
    }

    fn required(&self, key: &str) -> Result<String, Error> {
        match self.text(key)? {
            "" => Err(self.missing(key)),
            text => Ok(text.to_owned()),
        }
    }

    /// `init` writes the zero address when there is no wallet yet.
    fn owner(&self) -> Result<Option<Address>, Error> {
        let owner = match self.text("owner")? {
            "" => return Ok(None),
            owner => parse::address(&format!("{}.owner in \"{FILE_NAME}\"", self.name), owner)?,
        };
        Ok(Some(owner).filter(|owner| !owner.is_zero()))
    }

    /// Accepts what people paste: with or without `0x` or `sha256:`, in any case.
    fn checksum(&self) -> Result<Option<B256>, Error> {
        let text = self.text("checksum")?.trim();
        let digits = text.trim_start_matches("sha256:").trim_start_matches("0x");
        if digits.is_empty() {
            return Ok(None);
        }
        let checksum = format!("0x{}", digits.to_lowercase()).parse().ok();
        checksum
            .filter(|_| digits.len() == 64)
            .map(Some)
            .ok_or_else(|| self.malformed("checksum", format!("{text} is not a bytes32 hexstring")))
    }
}

/// Text or hexadecimal, as it goes on chain. Version 8 wrote an object for each framework: that of
/// TDX says nothing that anybody reads, those of the others cannot be served any more.
fn read_mrenclave(section: &Section<'_>) -> Result<Vec<u8>, Error> {
    if let Some(object) = section.value.get("mrenclave").filter(|m| m.is_object()) {
        let framework = object["framework"].as_str().unwrap_or_default();
        return match framework.to_lowercase().as_str() {
            "tdx" => Ok(Vec::new()),
            _ => Err(section.invalid(
                "mrenclave",
                format!("framework `{framework}` is no longer supported; TDX apps need none"),
            )),
        };
    }
    let text = section.text("mrenclave")?;
    let hexadecimal = text.strip_prefix("0x").unwrap_or(text);
    Ok(hex::decode(hexadecimal).unwrap_or_else(|_| text.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(mut section: Value, key: &str, value: Value) -> Value {
        section[key] = value;
        section
    }

    fn app() -> Value {
        json!({ "name": "n", "type": "DOCKER", "multiaddr": "x/y:1" })
    }

    #[test]
    fn an_apps_checksum_may_be_left_out() {
        assert_eq!(AppSection::read(&app()).unwrap().checksum, None);
        for checksum in ["", "0x", &format!("0x{}", "0".repeat(64))] {
            let section = with(app(), "checksum", json!(checksum));
            let read = AppSection::read(&section).unwrap();
            assert_eq!(read.checksum, None, "{checksum}");
        }
        let pasted = json!(format!("sha256:{}", "AB".repeat(32)));
        let read = AppSection::read(&with(app(), "checksum", pasted)).unwrap();
        assert_eq!(read.checksum, Some(B256::repeat_byte(0xab)));
        let short = AppSection::read(&with(app(), "checksum", json!("0x12")));
        assert!(short.unwrap_err().to_string().contains("0x12"));
    }

    #[test]
    fn wrong_fields_are_named() {
        let error = |result: Result<AppSection, Error>| result.unwrap_err().to_string();
        let missing = AppSection::read(&json!({ "name": "n", "type": "DOCKER" }));
        let missing = missing.unwrap_err();
        assert_eq!(missing.to_string(), "multiaddr is a required field");
        assert_eq!(
            missing.hint().unwrap(),
            r#"correct app.multiaddr in "iexec.json""#
        );
        let other = AppSection::read(&with(app(), "type", json!("VM")));
        assert!(error(other).contains("VM is not a valid type"));
        let odd = AppSection::read(&with(app(), "owner", json!("me")));
        assert!(error(odd).contains("me is not a valid"));
        let number = AppSection::read(&with(app(), "name", json!(7)));
        assert!(error(number).contains("app.name"));
        let pool = WorkerpoolSection::read(&json!({ "owner": null })).unwrap_err();
        assert!(pool.hint().unwrap().contains("workerpool.description"));
    }

    #[test]
    fn a_dataset_needs_its_checksum() {
        let section = json!({ "name": "n", "multiaddr": "https://a/b" });
        let error = DatasetSection::read(&section).unwrap_err().hint().unwrap();
        assert!(error.contains("dataset.checksum"), "{error}");
        let checksum = json!(B256::repeat_byte(5));
        let read = DatasetSection::read(&with(section, "checksum", checksum)).unwrap();
        assert_eq!(read.checksum, B256::repeat_byte(5));
        assert_eq!(read.owner, None);
    }

    #[test]
    fn mrenclaves_of_gone_frameworks_are_refused() {
        let read = |value| AppSection::read(&with(app(), "mrenclave", value));
        assert_eq!(read(json!("0x1234")).unwrap().mrenclave, [0x12, 0x34]);
        assert_eq!(read(json!("xyz")).unwrap().mrenclave, b"xyz");
        let tdx = json!({ "framework": "TDX", "version": "v5" });
        assert!(read(tdx).unwrap().mrenclave.is_empty());
        let error = read(json!({ "framework": "SCONE" })).unwrap_err();
        assert!(error.to_string().contains("app.mrenclave"), "{error}");
    }
}
