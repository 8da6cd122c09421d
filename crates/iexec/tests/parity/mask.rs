//! Hides what no two runs have in common, and keeps what is equal equal: the same address gets the
//! same name wherever it appears in a story.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Hex digits of the shortest value that is hidden.
const HEX_DIGITS_MIN: usize = 32;
/// A value that begins with so many zeros is a small number or a tag, not a secret of the run.
const ZEROS_MIN: usize = 16;
const ADDRESS_DIGITS: usize = 40;
/// As much of a hash as people are shown.
const SHORT_DIGITS: usize = 8;
/// What is followed by a moment at the end of a message, and what that is replaced by.
const LAST_WORDS: [(&str, &str); 2] = [
    ("before reaching the final time: ", "<date>"),
    ("before its final deadline, in ", "<seconds>"),
];
/// Keys whose values are moments.
const TIMES: [&str; 6] = [
    "startTime",
    "finalTime",
    "contributionDeadline",
    "revealDeadline",
    "finalDeadline",
    "resultsTimestamp",
];

/// The names given so far in a story.
#[derive(Debug)]
pub(crate) struct Masks {
    /// What is replaced as it is: paths and the network's origin.
    texts: Vec<(String, &'static str)>,
    names: HashMap<String, String>,
    row: usize,
    count: usize,
}

impl Masks {
    /// `texts`: longest first. `known`: values that have a name from the start.
    pub(crate) fn new(texts: Vec<(String, &'static str)>, known: &[(String, String)]) -> Self {
        let names = known
            .iter()
            .map(|(value, name)| (digits(value), name.clone()))
            .collect();
        Self {
            texts,
            names,
            row: 0,
            count: 0,
        }
    }

    /// New names are of this row from now on.
    pub(crate) fn start_row(&mut self, row: usize) {
        (self.row, self.count) = (row, 0);
    }

    /// Masks every text inside.
    pub(crate) fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(list) => list.iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => Value::Object(self.object(map)),
            other => other.clone(),
        }
    }

    fn object(&mut self, map: &Map<String, Value>) -> Map<String, Value> {
        let mut masked = Map::new();
        for (key, value) in map {
            let value = match is_moment(key, value) {
                true => Value::from("<time>"),
                false => self.value(value),
            };
            masked.insert(self.text(key), value);
        }
        masked
    }

    /// Masks one text.
    pub(crate) fn text(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (found, name) in &self.texts {
            text = text.replace(found, name);
        }
        for (said, hidden) in LAST_WORDS {
            if let Some((before, _)) = text.split_once(said) {
                return format!("{before}{said}{hidden}");
            }
        }
        if let Some(secret) = secret(&text) {
            return secret;
        }
        let words = split(&hide_dates(&text));
        words.iter().map(|word| self.word(word)).collect()
    }

    fn word(&mut self, word: &str) -> String {
        if is_uuid(word) {
            return "<uuid>".to_owned();
        }
        let hex = word.strip_prefix("0x").unwrap_or(word);
        let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex && hex.len() == SHORT_DIGITS && hex.len() < word.len() {
            return "0x<short>".to_owned();
        }
        if !is_hex || hex.len() < HEX_DIGITS_MIN || hex.starts_with(&"0".repeat(ZEROS_MIN)) {
            return word.to_owned();
        }
        let prefix = &word[..word.len() - hex.len()];
        let is_lower = hex.len() == ADDRESS_DIGITS && hex == hex.to_lowercase();
        let style = if is_lower { " in lower case" } else { "" };
        format!("{prefix}<{}{style}>", self.name(hex))
    }

    fn name(&mut self, hex: &str) -> String {
        let (row, next) = (self.row, self.count + 1);
        let key = hex.to_lowercase();
        if let Some(name) = self.names.get(&key) {
            return name.clone();
        }
        self.count = next;
        let name = format!("{} bytes {row}.{next}", hex.len() / 2);
        self.names.insert(key, name.clone());
        name
    }
}

fn digits(value: &str) -> String {
    value.strip_prefix("0x").unwrap_or(value).to_lowercase()
}

/// A moment; a zero says that something has not happened, and stays.
fn is_moment(key: &str, value: &Value) -> bool {
    let is_zero = value == 0 || value == "0";
    TIMES.contains(&key) && (value.is_string() || value.is_number()) && !is_zero
}

/// Keys are hidden but for their kind.
fn secret(text: &str) -> Option<String> {
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    if text.starts_with("-----BEGIN") {
        return Some(format!("<{}>", text.lines().next()?.trim_matches('-')));
    }
    let is_key = text.len() == 44 && text.ends_with('=') && text.bytes().all(base64);
    is_key.then(|| "<base64 of 32 bytes>".to_owned())
}

fn is_uuid(word: &str) -> bool {
    let lengths: Vec<usize> = word.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// Cuts a text into words of letters, digits and single dashes, and what is between.
fn split(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut was_word = false;
    for part in text.split_inclusive("--") {
        for character in part.chars() {
            let is_word =
                character.is_ascii_alphanumeric() || (character == '-' && !part.ends_with("--"));
            match words.last_mut() {
                Some(word) if is_word == was_word => word.push(character),
                _ => words.push(character.to_string()),
            }
            was_word = is_word;
        }
    }
    words
}

/// `2026-01-31T12:00:00.000Z`, also with dashes as in the names of keystore files.
fn hide_dates(text: &str) -> String {
    const SHAPE: &[u8] = b"0000-00-00T00?00?00";
    let is_date = |bytes: &[u8]| {
        SHAPE.iter().zip(bytes).all(|(shape, byte)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'?' => b":-".contains(byte),
            shape => shape == byte,
        })
    };
    let bytes = text.as_bytes();
    let at = (0..bytes.len()).find(|at| {
        let rest = &bytes[*at..];
        rest.len() > SHAPE.len() && is_date(rest)
    });
    let Some(at) = at else {
        return text.to_owned();
    };
    let rest = &text[at + SHAPE.len()..];
    let end = rest.find(|c: char| c != '.' && !c.is_ascii_digit());
    let rest = &rest[end.unwrap_or(rest.len())..];
    let rest = rest.strip_prefix('Z').unwrap_or(rest);
    format!("{}<date>{}", &text[..at], hide_dates(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks() -> Masks {
        let known = [(
            "0x87Ecc6b74910C9D79290384595Cb9ef60C221c6e".to_owned(),
            "hub".to_owned(),
        )];
        Masks::new(vec![("/tmp/x".to_owned(), "<project>")], &known)
    }

    #[test]
    fn equal_values_have_equal_names() {
        let mut masks = masks();
        masks.start_row(3);
        let (a, b) = ("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "a".repeat(64));
        let text = format!("{a} 0x{b} {}", a.to_lowercase());
        let masked = masks.text(&text);
        let expected = "0x<20 bytes 3.1> 0x<32 bytes 3.2> 0x<20 bytes 3.1 in lower case>";
        assert_eq!(masked, expected);
        masks.start_row(4);
        let other = "0xe39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
        assert_eq!(
            masks.text(&format!("{other}{{{a}")),
            "0x<20 bytes 4.1>{0x<20 bytes 3.1>"
        );
    }

    #[test]
    fn constants_and_known_values_stay_readable() {
        let mut masks = masks();
        let tag = format!("0x{}9", "0".repeat(63));
        assert_eq!(masks.text(&tag), tag);
        let hub = masks.text("at /tmp/x/a: 0x87Ecc6b74910C9D79290384595Cb9ef60C221c6e!");
        assert_eq!(hub, "at <project>/a: 0x<hub>!");
    }

    #[test]
    fn file_names_moments_and_keys_are_hidden() {
        let mut masks = masks();
        let name = "UTC--2026-11-26T18-00-00.123000000Z--87Ecc6b74910C9D79290384595Cb9ef60C221c6e";
        assert_eq!(masks.text(name), "UTC--<date>--<hub>");
        let id = masks.text("d2f5e0a4-0f6c-4f7b-9d0f-2b8f6c1f0a11");
        assert_eq!(id, "<uuid>");
        let value = serde_json::json!({ "startTime": "1764180000", "finalTime": "0" });
        let masked = serde_json::json!({ "startTime": "<time>", "finalTime": "0" });
        assert_eq!(masks.value(&value), masked);
        assert_eq!(
            masks.text("-----BEGIN PRIVATE KEY-----\nabc"),
            "<BEGIN PRIVATE KEY>"
        );
    }
}
