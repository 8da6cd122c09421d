//! `iexec.json`: what a project wants to deploy (spec/client.md §2.1). Free-form: sections we do
//! not know are kept as they are.

use protocol::{Address, B256};
use serde_json::{Map, Value, json};

use crate::{Error, parse};

/// The file's name.
pub const FILE_NAME: &str = "iexec.json";

/// The file, editable section by section.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProjectFile(pub(crate) Map<String, Value>);

impl ProjectFile {
    /// What `init` writes.
    pub fn template() -> Self {
        let value = json!({
            "description": "What this is, what it does with its inputs, and what its users get \
                from it. Marketplaces show this text, and those that check it ask for 150 \
                characters or more, so tell a little about it here.",
            "license": "MIT",
            "author": "?",
            "social": { "website": "?", "github": "?" },
            "logo": "logo.png",
        });
        match value {
            Value::Object(map) => Self(map),
            _ => Self::default(),
        }
    }

    /// Reads the text.
    ///
    /// # Errors
    /// [`Error::Format`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text)
            .map(Self)
            .map_err(|source| Error::Format {
                file: FILE_NAME,
                source,
            })
    }

    /// The text to write.
    pub fn to_text(&self) -> String {
        crate::files::pretty(&self.0)
    }

    /// Adds the sections of `app init` with the official defaults, replacing `app`.
    pub fn init_app(&mut self, owner: Address) -> Value {
        self.0.entry("buyConf").or_insert_with(|| json!({}));
        let app = json!({
            "owner": owner.to_checksum(None),
            "name": "hello-world",
            "type": "DOCKER",
            "multiaddr": "iexechub/python-hello-world:8.0.4",
            "checksum": "0xb0b664b7a6d249f81c067a9262b1763144eeb3ca63e553567f71673442ce9e84",
        });
        self.0.insert("app".to_owned(), app.clone());
        app
    }

    /// The app to deploy.
    ///
    /// # Errors
    /// [`Error::Configuration`] without the section, [`Error::Invalid`] for a bad field.
    pub fn app(&self) -> Result<AppSection, Error> {
        let section = self.0.get("app").ok_or_else(|| Error::Configuration {
            reason: format!("missing \"app\" in \"{FILE_NAME}\""),
            hint: Some("run `iexec app init` first".to_owned()),
        })?;
        AppSection::read(section)
    }
}

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
    fn read(section: &Value) -> Result<Self, Error> {
        let text = |key: &str| section.get(key).and_then(Value::as_str).unwrap_or_default();
        let required = |key: &str| match text(key) {
            "" => Err(Error::invalid(
                format!("app.{key} in \"{FILE_NAME}\""),
                "it is missing",
            )),
            value => Ok(value.to_owned()),
        };
        let owner = match text("owner") {
            "" => None,
            owner => Some(parse::address("app.owner", owner)?),
        };
        let kind = required("type")?;
        if kind != "DOCKER" {
            return Err(Error::invalid(
                "app.type",
                format!("`{kind}` is not DOCKER"),
            ));
        }
        let mrenclave = text("mrenclave");
        Ok(Self {
            owner: owner.filter(|owner| !owner.is_zero()),
            name: required("name")?,
            kind,
            multiaddr: required("multiaddr")?,
            checksum: read_checksum(text("checksum"))?,
            mrenclave: hex::decode(mrenclave.trim_start_matches("0x"))
                .unwrap_or_else(|_| mrenclave.as_bytes().to_vec()),
        })
    }
}

/// Accepts what people paste: with or without `0x` or `sha256:`, in any case.
fn read_checksum(text: &str) -> Result<Option<B256>, Error> {
    let digits = text
        .trim()
        .trim_start_matches("sha256:")
        .trim_start_matches("0x");
    if digits.is_empty() {
        return Ok(None);
    }
    let lower = format!("0x{}", digits.to_lowercase());
    let checksum: B256 = lower
        .parse()
        .ok()
        .filter(|_| digits.len() == 64)
        .ok_or_else(|| Error::invalid("app.checksum", format!("`{text}` is not a sha256")))?;
    Ok((!checksum.is_zero()).then_some(checksum))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(json: Value) -> Result<AppSection, Error> {
        ProjectFile::parse(&json!({ "app": json, "mine": 1 }).to_string())?.app()
    }

    #[test]
    fn the_templates_app_can_be_deployed() {
        let mut file = ProjectFile::template();
        file.init_app(Address::repeat_byte(1));
        let app = ProjectFile::parse(&file.to_text()).unwrap().app().unwrap();
        assert_eq!(app.owner, Some(Address::repeat_byte(1)));
        assert_eq!(app.multiaddr, "iexechub/python-hello-world:8.0.4");
        assert!(app.checksum.is_some());
    }

    #[test]
    fn a_checksum_may_be_left_out() {
        let base = json!({ "name": "n", "type": "DOCKER", "multiaddr": "x/y:1" });
        assert_eq!(app(base.clone()).unwrap().checksum, None);
        for checksum in ["", "0x", &format!("0x{}", "0".repeat(64))] {
            let mut section = base.clone();
            section["checksum"] = json!(checksum);
            assert_eq!(app(section).unwrap().checksum, None, "{checksum}");
        }
        let mut pasted = base.clone();
        pasted["checksum"] = json!(format!("sha256:{}", "AB".repeat(32)));
        assert_eq!(app(pasted).unwrap().checksum, Some(B256::repeat_byte(0xab)));
        let mut short = base;
        short["checksum"] = json!("0x12");
        assert!(app(short).unwrap_err().to_string().contains("0x12"));
    }

    #[test]
    fn missing_fields_are_named() {
        let error = app(json!({ "name": "n", "type": "DOCKER" }))
            .unwrap_err()
            .to_string();
        assert!(error.contains("app.multiaddr"), "{error}");
        let error = app(json!({ "name": "n", "type": "VM", "multiaddr": "x" })).unwrap_err();
        assert!(error.to_string().contains("DOCKER"));
        let error = ProjectFile::template().app().unwrap_err();
        assert_eq!(error.hint().unwrap(), "run `iexec app init` first");
    }

    #[test]
    fn other_sections_are_kept() {
        let mut file = ProjectFile::parse(r#"{"mine":{"a":1},"app":{}}"#).unwrap();
        file.init_app(Address::ZERO);
        assert!(file.to_text().contains("\"mine\""));
    }
}
