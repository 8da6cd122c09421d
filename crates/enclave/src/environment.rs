//! What a stage is given: variables, some of them secret, so none of them can be printed.

use std::collections::BTreeMap;

use protocol::Cause;
use serde::Deserialize;
use worker::Failure;
use zeroize::Zeroizing;

/// The part of a session that one stage may know (spec/secrets-tee.md §1.5). Its values are wiped
/// when it is dropped; it has no `Debug`.
pub(crate) struct StageEnvironment {
    image: String,
    fingerprint: String,
    variables: BTreeMap<String, Zeroizing<String>>,
}

#[derive(Deserialize)]
struct Session {
    services: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    name: String,
    #[serde(default)]
    image_name: String,
    fingerprint: String,
    environment: BTreeMap<String, String>,
}

impl StageEnvironment {
    /// Reads a session that holds the stage `name` and no other, as the secret manager seals it.
    ///
    /// # Errors
    /// What is wrong with it; nothing of it is repeated.
    pub(crate) fn parse(name: &str, session: &[u8]) -> Result<Self, String> {
        let session: Session =
            serde_json::from_slice(session).map_err(|_| "the session cannot be read")?;
        let [service] = <[Service; 1]>::try_from(session.services)
            .map_err(|_| "the session has not exactly one stage")?;
        if service.name != name {
            return Err(format!("the session is not for the stage {name}"));
        }
        let wrap = |(name, value)| (name, Zeroizing::new(value));
        Ok(Self {
            image: service.image_name,
            fingerprint: service.fingerprint,
            variables: service.environment.into_iter().map(wrap).collect(),
        })
    }

    /// What the stage's image has to be: the checksum on chain.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The image that is to do the stage; none when it is left to us.
    pub(crate) fn image(&self) -> Option<&str> {
        (!self.image.is_empty()).then_some(&*self.image)
    }

    /// Adds a variable, or replaces it.
    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.variables
            .insert(name.into(), Zeroizing::new(value.into()));
    }

    /// A variable that is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?.as_str();
        (!value.is_empty()).then_some(value)
    }

    /// A variable that says yes or no: `true` and `false`, in sessions of older secret managers
    /// `yes` and `no`. It may decide whether a result is encrypted, so nothing else is a no.
    ///
    /// # Errors
    /// [`Cause::PostComputeUnknown`] when it says neither.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.get(name) {
            Some("true" | "yes") => Ok(true),
            Some("false" | "no") => Ok(false),
            _ => {
                let message = format!("{name} is neither true nor false");
                Err(Failure::new(Cause::PostComputeUnknown, message))
            }
        }
    }

    /// All variables, for the program that is to have them.
    pub(crate) fn into_variables(self) -> BTreeMap<String, Zeroizing<String>> {
        self.variables
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    impl StageEnvironment {
        /// The same to be done by an image of that name.
        pub(crate) fn by(self, image: &str) -> Self {
            Self {
                image: image.to_owned(),
                ..self
            }
        }

        /// The same for another image.
        pub(crate) fn of_image(self, fingerprint: String) -> Self {
            Self {
                fingerprint,
                ..self
            }
        }
    }

    /// An environment of these variables.
    pub(crate) fn environment<N: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> StageEnvironment {
        let wrap = |(name, value): (N, V)| (name.into(), Zeroizing::new(value.into()));
        StageEnvironment {
            image: String::new(),
            fingerprint: String::new(),
            variables: variables.into_iter().map(wrap).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(names: &[&str]) -> Vec<u8> {
        let service = |name: &&str| {
            serde_json::json!({
                "name": name, "image_name": "u/app:1", "fingerprint": "0x01",
                "environment": { "A": "secret", "EMPTY": "" },
            })
        };
        let services: Vec<_> = names.iter().map(service).collect();
        serde_json::json!({ "name": "s", "version": "0.1.0", "services": services })
            .to_string()
            .into_bytes()
    }

    fn refused(session: &[u8]) -> String {
        StageEnvironment::parse("app", session).err().unwrap()
    }

    #[test]
    fn a_stage_is_read() {
        let app = StageEnvironment::parse("app", &session(&["app"])).unwrap();
        assert_eq!((app.fingerprint(), app.image()), ("0x01", Some("u/app:1")));
        assert_eq!(app.get("A"), Some("secret"));
        assert_eq!((app.get("EMPTY"), app.get("B")), (None, None));
        assert_eq!(app.into_variables().len(), 2);
    }

    #[test]
    fn only_a_no_is_a_no() {
        let flag = |value: &str| testing::environment([("A", value)]).flag("A");
        for (value, says) in [
            ("true", true),
            ("yes", true),
            ("false", false),
            ("no", false),
        ] {
            assert_eq!(flag(value).ok(), Some(says));
        }
        for value in ["", "True", "0", "junk"] {
            assert_eq!(flag(value).unwrap_err().cause, Cause::PostComputeUnknown);
        }
        assert!(testing::environment([("B", "true")]).flag("A").is_err());
    }

    #[test]
    fn other_stages_and_nonsense_are_refused_without_being_repeated() {
        for session in [
            session(&[]),
            session(&["app", "app"]),
            session(&["post-compute"]),
            b"secret".to_vec(),
        ] {
            let refused = refused(&session);
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
