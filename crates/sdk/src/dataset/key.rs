//! The key of an encrypted dataset, as it stands in its file and in the SMS (spec/client.md §4.8).

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};

use crate::Error;

const KEY_BYTES: usize = 32;
/// As lenient as the official client's decoder in what cannot be misread: padding may be missing,
/// and bits behind the last byte do not count.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

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

    /// Reads base64 of 32 bytes in either alphabet, with or without padding and line breaks. What
    /// goes to the SMS is [`to_text`](Self::to_text), the one form that workers decode: a key is
    /// kept for good there.
    ///
    /// The official client also skips characters that are no base64 at all. A key with such
    /// characters is a damaged file, and is refused.
    ///
    /// # Errors
    /// [`Error::Invalid`], which does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let compact: String = text.split_whitespace().collect();
        let is_url_safe = compact.contains(['-', '_']);
        let alphabet = match is_url_safe {
            true => &alphabet::URL_SAFE,
            false => &alphabet::STANDARD,
        };
        let bytes = GeneralPurpose::new(alphabet, LENIENT).decode(compact).ok();
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

    /// The official client encrypts with all of these, but workers open only the first.
    #[test]
    fn every_spelling_of_a_key_becomes_the_one_that_workers_read() {
        let text = "93hszB5Yqf5XWklDTlRot10l/5eDypj0y46Py1B6A+U=";
        for spelling in [
            text.to_owned(),
            text.replace('/', "_").replace('+', "-"),
            text.trim_end_matches('=').to_owned(),
            text.replace('/', "_").replace("A+U=", "A-V"),
            format!("{}\r\n{}\n", &text[..20], &text[20..]),
        ] {
            assert_eq!(Key::parse(&spelling).unwrap().to_text(), text, "{spelling}");
        }
        let junk = format!("!{text}");
        let mixed = text.replace('+', "-");
        for damaged in [junk.as_str(), &mixed, &text[1..], &format!("{text}{text}")] {
            assert!(Key::parse(damaged).is_err(), "{damaged}");
        }
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
