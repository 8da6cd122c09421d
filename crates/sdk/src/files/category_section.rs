//! The section of `iexec.json` that a new category is made of (spec/client.md §2.1).

use protocol::deal::Category;
use serde_json::{Value, json};

use super::iexec_json::{FILE_NAME, ProjectFile};
use crate::{Error, parse};

const NAME: &str = "category";

impl ProjectFile {
    /// Adds the section of `category init` with the official defaults, replacing what is there.
    pub fn init_category(&mut self) -> Value {
        let section = json!({
            "name": "XXL",
            "description": "new hub category",
            "workClockTimeRef": "100",
        });
        self.0.insert(NAME.to_owned(), section.clone());
        section
    }

    /// The category to create.
    ///
    /// # Errors
    /// [`Error::Configuration`] without the section, [`Error::Invalid`] for a bad field.
    pub fn category(&self) -> Result<Category, Error> {
        let section = self.0.get(NAME).ok_or_else(|| Error::Configuration {
            reason: format!(
                "Missing {NAME} in \"{FILE_NAME}\". Did you forget to run \"iexec {NAME} init\"?"
            ),
            hint: Some("run `iexec category init` first".to_owned()),
        })?;
        let seconds = match section.get("workClockTimeRef") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        Ok(Category {
            name: text(section, "name")?,
            description: text(section, "description")?,
            work_clock_time_ref: parse::small("category.workClockTimeRef", &seconds)?,
        })
    }
}

fn text(section: &Value, key: &str) -> Result<String, Error> {
    let text = section.get(key).and_then(Value::as_str);
    let text = text.filter(|text| !text.is_empty());
    let missing = || {
        let reason = format!("{key} is a required field");
        Error::malformed(format!("{NAME}.{key}"), reason)
    };
    text.map(str::to_owned).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_can_be_created() {
        let mut file = ProjectFile::template();
        let error = file.category().unwrap_err();
        assert_eq!(error.hint().unwrap(), "run `iexec category init` first");
        file.init_category();
        let category = ProjectFile::parse(&file.to_text())
            .unwrap()
            .category()
            .unwrap();
        assert_eq!(category.name, "XXL");
        assert_eq!(category.work_clock_time_ref, 100);
    }

    #[test]
    fn bad_fields_are_named() {
        let read = |section: Value| {
            let file = json!({ NAME: section }).to_string();
            ProjectFile::parse(&file).unwrap().category()
        };
        let number = json!({ "name": "S", "description": "d", "workClockTimeRef": 5 });
        assert_eq!(read(number).unwrap().work_clock_time_ref, 5);
        let negative = json!({ "name": "S", "description": "d", "workClockTimeRef": "-1" });
        let hint = read(negative).unwrap_err().hint().unwrap();
        assert!(hint.contains("category.workClockTimeRef"), "{hint}");
        let named = json!({ "name": "", "workClockTimeRef": 1 });
        let error = read(named).unwrap_err();
        assert_eq!(error.to_string(), "name is a required field");
        assert!(error.hint().unwrap().contains("category.name"));
    }
}
