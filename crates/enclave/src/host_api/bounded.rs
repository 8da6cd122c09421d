//! A JSON document of any kind, read so that its parser needs little memory.

use std::io::{self, ErrorKind, Read};

/// Fails with [`ErrorKind::FileTooLarge`] where a document, or one text in it, gets too long. A
/// parser keeps what it has of a text; of a list it keeps nothing.
pub(super) struct Bounded<R> {
    from: R,
    bytes_left: u64,
    text_bytes_max: u64,
    text: Option<Text>,
}

/// Inside of quotes.
#[derive(Clone, Copy)]
struct Text {
    bytes: u64,
    is_escaped: bool,
}

impl<R> Bounded<R> {
    /// At most `bytes_max` in all and `text_bytes_max` between two quotes.
    pub(super) fn new(from: R, bytes_max: u64, text_bytes_max: u64) -> Self {
        Self {
            from,
            bytes_left: bytes_max,
            text_bytes_max,
            text: None,
        }
    }

    fn see(&mut self, byte: u8) -> io::Result<()> {
        self.text = match (self.text, byte) {
            (None, b'"') => Some(Text {
                bytes: 0,
                is_escaped: false,
            }),
            (None, _) => None,
            (Some(text), b'"') if !text.is_escaped => None,
            (Some(text), _) => Some(Text {
                bytes: text.bytes + 1,
                is_escaped: byte == b'\\' && !text.is_escaped,
            }),
        };
        match self.text {
            Some(text) if text.bytes > self.text_bytes_max => Err(ErrorKind::FileTooLarge.into()),
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(to)?;
        let left = self.bytes_left.checked_sub(read as u64);
        self.bytes_left = left.ok_or(ErrorKind::FileTooLarge)?;
        for byte in to.iter().take(read) {
            self.see(*byte)?;
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &str, bytes_max: u64, text_bytes_max: u64) -> io::Result<String> {
        let mut read = String::new();
        let mut bounded = Bounded::new(document.as_bytes(), bytes_max, text_bytes_max);
        bounded.read_to_string(&mut read).map(|_| read)
    }

    #[test]
    fn a_document_passes_unchanged_up_to_its_limits() {
        let document = r#"{"abc": "a\"b", "": [1, 2, 3, 4, 5]}"#;
        let bytes = document.len() as u64;
        assert_eq!(read(document, bytes, 4).unwrap(), document);
        for (bytes_max, text_bytes_max) in [(bytes - 1, 4), (bytes, 3)] {
            let error = read(document, bytes_max, text_bytes_max).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        }
    }

    #[test]
    fn an_escaped_escape_ends_before_the_quote() {
        assert!(read(r#"["\\", 123456]"#, 100, 2).is_ok());
        assert!(read(r#"["\", 123456]"#, 100, 2).is_err());
    }
}
