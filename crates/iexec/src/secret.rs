//! What somebody typed or stored that must not be shown again.

/// A password, key or token; `Debug` does not tell it.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// What it is, for whoever needs it.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Says nothing of a value of another type, as the derived one would.
impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer);
        text.map(Self)
            .map_err(|_| serde::de::Error::custom("a secret must be a text in quotes"))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}
