//! The key of an encrypted dataset, as it stands in its file and in the SMS (spec/client.md §4.8).

use protocol::cipher::{self, KEY_BYTES};

use crate::Error;

/// An AES-256 key; its text form is base64. It never shows itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(pub(super) cipher::Key);

impl Key {
    /// A new one from the operating system.
    pub fn random() -> Self {
        Self::from_bytes(rand::random())
    }

    /// Of these bytes.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(cipher::Key::from_bytes(bytes))
    }

    /// Reads base64 of 32 bytes in either alphabet, with or without padding and line breaks. What
    /// goes to the SMS is [`to_text`](Self::to_text), the one form that official workers decode: a
    /// key is kept for good there.
    ///
    /// # Errors
    /// [`Error::Invalid`], which does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let key = cipher::Key::parse(text).map(Self);
        key.ok_or_else(|| Error::invalid("dataset key", "it is not base64 of 32 bytes"))
    }

    /// 44 characters of base64: what the SMS keeps.
    pub fn to_text(&self) -> String {
        self.0.to_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_alike_and_none_shows_itself() {
        assert_ne!(Key::random(), Key::random());
        let key = Key::from_bytes([7; 32]);
        assert!(!format!("{key:?}").contains('7'));
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for wrong in ["", "foo", "AAAAAAAAAAAAAAAAAAAAAA==", &"A".repeat(44)] {
            let error = Key::parse(wrong).unwrap_err().to_string();
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
    }
}
