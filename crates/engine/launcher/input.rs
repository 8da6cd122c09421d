//! Variables on their way into a container: one line of hexadecimal digits on its standard input.
//!
//! The launcher, which knows no library, and the built-in engine read the same. Digits, because a
//! daemon may act on control characters of what it passes on (Podman's keys to detach), and a line,
//! because not every daemon passes the end on.

use std::io::{self, Read};

/// The longest line that is read, digits: far more than is ever sent, and little enough for the
/// smallest container.
const DIGITS_MAX: usize = 2 << 20;
/// What is read at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Reads names and values up to the end of the line.
///
/// # Errors
/// When the input ends before its line does, or is none of ours. No error tells anything of it.
pub(crate) fn read(mut input: impl Read) -> io::Result<Vec<(String, String)>> {
    let (mut line, mut piece) = (Vec::new(), [0; PIECE_BYTES]);
    while line.last() != Some(&b'\n') {
        match input.read(&mut piece)? {
            0 => return Err(bad("ended before the variables came")),
            count => line.extend_from_slice(&piece[..count]),
        }
        if line.len() > DIGITS_MAX {
            return Err(bad("is too long"));
        }
    }
    line.pop();
    parse(&line).ok_or_else(|| bad("is not a list of variables"))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the input {what}"))
}

fn parse(digits: &[u8]) -> Option<Vec<(String, String)>> {
    let (pairs, rest) = digits.as_chunks();
    let bytes = pairs.iter().map(byte).collect::<Option<Vec<_>>>()?;
    let text = String::from_utf8(bytes).ok()?;
    if !rest.is_empty() || !(text.is_empty() || text.ends_with('\0')) {
        return None;
    }
    let (mut variables, mut words) = (Vec::new(), text.split_terminator('\0'));
    while let Some(name) = words.next() {
        variables.push((name.to_owned(), words.next()?.to_owned()));
    }
    Some(variables)
}

fn byte(pair: &[u8; 2]) -> Option<u8> {
    let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? << 4 | low?).ok()
}
