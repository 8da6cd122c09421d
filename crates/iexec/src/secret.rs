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

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}
