//! Unambiguous bytes to hash and sign, and bytes as text in JSON.

/// Fields one after the other, each behind its length, so that no two lists of fields are the same
/// bytes: four bytes big-endian.
#[derive(Default)]
pub(crate) struct Fields(Vec<u8>);

impl Fields {
    /// Begins with what the bytes are for, which keeps one use from passing for another.
    pub(crate) fn of(context: &str) -> Self {
        Self::default().with(context.as_bytes())
    }

    pub(crate) fn with(mut self, field: &[u8]) -> Self {
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Bytes as standard base64, for `serde(with)`.
pub(crate) mod base64 {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = BASE64_STANDARD.decode(text);
        bytes.map_err(|_| D::Error::custom("not base64"))
    }
}
