//! The key of an encrypted dataset, as it stands in its file and in the SMS (spec/client.md §4.8).

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::Error;

const KEY_BYTES: usize = 32;

/// An AES-256 key; its text form is base64. It never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A new one from the operating system.
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// Of these bytes.
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub(crate) const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Reads base64 of 32 bytes; white space around it does not matter. Anything else would be
    /// stored for good in the SMS and open nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`], which does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bytes = STANDARD.decode(text.trim()).ok();
        let bytes: Option<[u8; KEY_BYTES]> = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or_else(|| Error::invalid("dataset key", "it is not base64 of 32 bytes"))
    }

    /// 44 characters of base64: what the SMS keeps.
    pub fn to_text(&self) -> String {
        STANDARD.encode(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_base64_of_32_bytes() {
        let text = "vE2TnltGv8cAzC7UPbuiNV7PIrVUNN0P495m3bGoaYc=";
        assert_eq!(Key::parse(&format!(" {text}\n")).unwrap().to_text(), text);
        assert_eq!(Key::random().to_text().len(), 44);
        assert_ne!(Key::random(), Key::random());
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for wrong in ["", "foo", "AAAAAAAAAAAAAAAAAAAAAA==", &"A".repeat(44)] {
            let error = Key::parse(wrong).unwrap_err().to_string();
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
        assert_eq!(format!("{:?}", Key::from_bytes([7; 32])), "Key(…)");
    }
}
