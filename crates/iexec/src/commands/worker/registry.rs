//! Passwords of registries that do not serve everybody.

use std::path::PathBuf;

use engine::Credentials;
use serde::Deserialize;

use crate::{commands::role::private, env_vars, outcome::Failure, secret::Secret};

/// A registry and who we are there. The password stands in exactly one of three places.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RegistryEntry {
    host: String,
    username: String,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
    password_env: Option<String>,
}

impl RegistryEntry {
    fn password(&self) -> Result<Secret, Failure> {
        match (&self.password, &self.password_file, &self.password_env) {
            (Some(password), None, None) => Ok(password.clone()),
            (None, Some(file), None) => {
                let text = private(file)?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned().into())
            }
            (None, None, Some(name)) => {
                let value = env_vars::get(name);
                value
                    .map(Secret::from)
                    .ok_or_else(|| wrong(format!("{name}, named for {}, is not set", self.host)))
            }
            _ => Err(wrong(format!(
                "registry {} needs one of password-file, password-env and password",
                self.host
            ))),
        }
    }
}

/// All of them, read once: a password that changes needs a restart.
pub(super) fn credentials(entries: &[RegistryEntry]) -> Result<Credentials, Failure> {
    let mut credentials = Credentials::default();
    for entry in entries {
        let password = entry.password()?;
        let added = credentials.add(&entry.host, &entry.username, password.text());
        added.map_err(|error| wrong(error.to_string()))?;
    }
    Ok(credentials)
}

fn wrong(message: String) -> Failure {
    Failure::new(message)
        .named("ValidationError")
        .hint("see [[registry]] in what `iexec worker init` prints")
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn entry(rest: &str) -> RegistryEntry {
        toml::from_str(&format!("host = \"ghcr.io\"\nusername = \"me\"\n{rest}")).unwrap()
    }

    #[test]
    fn a_password_is_in_one_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        fs::write(&file, "secret\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let in_file = format!("password-file = {:?}\n", file.to_str().unwrap());
        let inline = "password = \"secret\"\n".to_owned();
        for text in [&in_file, &inline] {
            assert_eq!(entry(text).password().unwrap().text(), "secret");
        }
        for text in ["", &(in_file.clone() + &inline)] {
            let told = format!("{:?}", entry(text).password().unwrap_err());
            assert!(
                told.contains("ghcr.io") && !told.contains("secret"),
                "{told}"
            );
        }
        assert!(!format!("{:?}", entry(&inline)).contains("secret"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(entry(&in_file).password().is_err());
        let unset = entry("password-env = \"IEXEC_TEST_NEVER_SET\"\n");
        assert!(unset.password().is_err());
    }

    #[test]
    fn a_registry_stands_there_once() {
        let one = entry("password = \"secret\"\n");
        let told = credentials(std::slice::from_ref(&one)).unwrap();
        assert_eq!(format!("{told:?}"), r#"{"ghcr.io"}"#);
        assert!(credentials(&[one.clone(), one]).is_err());
    }
}
