//! `iexec.json`: what a project wants to deploy (spec/client.md §2.1). Free-form: sections we do
//! not know are kept as they are.

use protocol::Address;
use serde_json::{Map, Value, json};

pub use super::sections::{AppSection, DatasetSection, WorkerpoolSection};
use crate::Error;

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
        self.put(AppSection::NAME, AppSection::template(owner))
    }

    /// Adds the section of `dataset init` with the official defaults, replacing what is there.
    pub fn init_dataset(&mut self, owner: Address) -> Value {
        self.put(DatasetSection::NAME, DatasetSection::template(owner))
    }

    /// Adds the section of `workerpool init` with the official defaults, replacing what is there.
    pub fn init_workerpool(&mut self, owner: Address) -> Value {
        self.put(WorkerpoolSection::NAME, WorkerpoolSection::template(owner))
    }

    fn put(&mut self, name: &str, section: Value) -> Value {
        self.0.insert(name.to_owned(), section.clone());
        section
    }

    /// The app to deploy.
    ///
    /// # Errors
    /// [`Error::Configuration`] without the section, [`Error::Invalid`] for a bad field.
    pub fn app(&self) -> Result<AppSection, Error> {
        AppSection::read(self.section(AppSection::NAME)?)
    }

    /// The dataset to deploy.
    ///
    /// # Errors
    /// As [`app`](Self::app).
    pub fn dataset(&self) -> Result<DatasetSection, Error> {
        DatasetSection::read(self.section(DatasetSection::NAME)?)
    }

    /// The workerpool to deploy.
    ///
    /// # Errors
    /// As [`app`](Self::app).
    pub fn workerpool(&self) -> Result<WorkerpoolSection, Error> {
        WorkerpoolSection::read(self.section(WorkerpoolSection::NAME)?)
    }

    fn section(&self, name: &str) -> Result<&Value, Error> {
        self.0.get(name).ok_or_else(|| Error::Configuration {
            reason: format!(
                "Missing {name} in \"{FILE_NAME}\". Did you forget to run \"iexec {name} init\"?"
            ),
            hint: Some(format!("run `iexec {name} init` first")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_can_be_deployed() {
        let owner = Address::repeat_byte(1);
        let mut file = ProjectFile::template();
        file.init_app(owner);
        file.init_dataset(owner);
        file.init_workerpool(owner);
        let file = ProjectFile::parse(&file.to_text()).unwrap();
        let app = file.app().unwrap();
        assert_eq!(app.owner, Some(owner));
        assert_eq!(app.multiaddr, "iexechub/python-hello-world:8.0.4");
        assert!(app.checksum.is_some());
        let dataset = file.dataset().unwrap();
        assert_eq!(
            (dataset.name.as_str(), dataset.owner),
            ("my-dataset", Some(owner))
        );
        assert!(dataset.checksum.is_zero());
        assert_eq!(file.workerpool().unwrap().description, "my-workerpool");
    }

    #[test]
    fn missing_sections_say_which_command_adds_them() {
        let file = ProjectFile::template();
        let hints = [
            file.app().unwrap_err().hint(),
            file.dataset().unwrap_err().hint(),
            file.workerpool().unwrap_err().hint(),
        ];
        let kinds = ["app", "dataset", "workerpool"];
        for (hint, kind) in hints.into_iter().zip(kinds) {
            assert_eq!(hint.unwrap(), format!("run `iexec {kind} init` first"));
        }
    }

    #[test]
    fn other_sections_are_kept() {
        let mut file = ProjectFile::parse(r#"{"mine":{"a":1},"app":{}}"#).unwrap();
        file.init_app(Address::ZERO);
        assert!(file.to_text().contains("\"mine\""));
    }
}
