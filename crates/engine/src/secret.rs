//! Variables that a container's program sees and nothing else does.
//!
//! They are in no argument, no description of a container and no file: they go through a pipe to
//! the last step before the program, which puts them into its environment.

#[path = "../launcher/input.rs"]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "read in containers only")
)]
pub(crate) mod input;

use std::collections::BTreeSet;
use std::fmt;

use zeroize::Zeroizing;

/// How many there may be: requester, application and dataset have a handful each.
const COUNT_MAX: usize = 256;
/// Names and values together. With the arguments and the rest of the environment, for which there
/// is a limit too, they fit in what the kernel takes for one execution.
const BYTES_MAX: usize = 256 * 1024;
/// The kernel's limit for one variable: 32 pages, with its `=` and the zero at its end.
const VARIABLE_BYTES_MAX: usize = 128 * 1024 - 2;
/// Where the program is looked for. Each engine looks before it knows the secrets.
const PATH: &str = "PATH";

/// A value that is not shown, and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the value; the only copy, if the caller keeps none.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value, for whoever has to use it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why these cannot be given to a program; nothing of their values is told.
pub(crate) fn check(secrets: &[(String, Secret)]) -> Result<(), &'static str> {
    let pairs = || {
        let pairs = secrets.iter();
        pairs.map(|(name, value)| (name.as_str(), value.expose()))
    };
    let names: BTreeSet<_> = pairs().map(|(name, _)| name).collect();
    let bytes = |(name, value): (&str, &str)| name.len() + value.len();
    if secrets.len() > COUNT_MAX {
        return Err("more than 256");
    }
    if names.len() < secrets.len() {
        return Err("a name occurs twice");
    }
    if pairs().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err("contains a NUL character");
    }
    if names
        .iter()
        .any(|name| name.is_empty() || name.contains('='))
    {
        return Err("a name is empty or contains `=`");
    }
    if names.contains(PATH) {
        return Err("`PATH`, by which the program is found, cannot be one");
    }
    if pairs().map(bytes).any(|count| count > VARIABLE_BYTES_MAX) {
        return Err("a variable is longer than 128 KiB");
    }
    if pairs().map(bytes).sum::<usize>() > BYTES_MAX {
        return Err("longer than 256 KiB");
    }
    Ok(())
}

/// The line that [`input::read`] reads.
pub(crate) fn line(secrets: &[(String, Secret)]) -> Zeroizing<Vec<u8>> {
    let words = || {
        let pairs = secrets.iter();
        pairs.flat_map(|(name, value)| [name.as_str(), value.expose()])
    };
    let digits = words().map(|word| 2 * (word.len() + 1)).sum::<usize>();
    // Of its final size at once: growing would leave copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(digits + 1));
    for byte in words().flat_map(|word| word.bytes().chain([0])) {
        line.extend([byte >> 4, byte & 0xf].map(digit));
    }
    line.push(b'\n');
    line
}

fn digit(value: u8) -> u8 {
    b"0123456789abcdef"[usize::from(value)]
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn secrets<const N: usize>(pairs: [(&str, String); N]) -> Vec<(String, Secret)> {
        let secret = |(name, value): (&str, String)| (name.to_owned(), Secret::new(value));
        pairs.map(secret).into()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pairs in vec(("[^\0=]{1,9}", "[^\0]{0,99}"), 0..9)) {
            let secrets: Vec<_> = pairs
                .iter()
                .map(|(name, value)| (name.clone(), Secret::new(value.clone())))
                .collect();
            prop_assert_eq!(input::read(&line(&secrets)[..]).unwrap(), pairs);
        }
    }

    #[test]
    fn what_is_cut_off_or_foreign_is_an_error_that_tells_nothing() {
        let whole = line(&secrets([("NAME", "canary".to_owned())]));
        for end in 0..whole.len() {
            let error = input::read(&whole[..end]).unwrap_err().to_string();
            assert!(error.contains("ended before"), "{error}");
        }
        for foreign in ["4\n", "xx\n", "41\n", "ff00ff00\n", "canary\n", "410042\n"] {
            let error = input::read(foreign.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, "the input is not a list of variables");
        }
        let error = input::read(std::io::repeat(b'4')).unwrap_err().to_string();
        assert!(error.contains("too long"), "{error}");
    }

    #[test]
    fn the_longest_line_that_is_written_is_read() {
        let (most, rest) = (
            VARIABLE_BYTES_MAX - 1,
            BYTES_MAX - 2 * VARIABLE_BYTES_MAX - 1,
        );
        let of = |rest: usize| {
            let long = || "x".repeat(most);
            secrets([("A", long()), ("B", long()), ("C", "x".repeat(rest))])
        };
        check(&of(rest)).unwrap();
        assert_eq!(input::read(&line(&of(rest))[..]).unwrap().len(), 3);
        assert_eq!(check(&of(rest + 1)), Err("longer than 256 KiB"));
        check(&secrets([("A", "x".repeat(most))])).unwrap();
        assert!(check(&secrets([("A", "x".repeat(most + 1))])).is_err());
    }

    #[test]
    fn what_no_program_could_be_given_is_refused() {
        let value = String::new;
        for unsound in [
            secrets([("", value())]),
            secrets([("A=B", value())]),
            secrets([("A\0", value())]),
            secrets([("A", "\0".to_owned())]),
            secrets([("PATH", value())]),
            secrets([("A", value()), ("A", value())]),
        ] {
            assert!(check(&unsound).is_err(), "{unsound:?}");
        }
        let many = (0..=COUNT_MAX).map(|number| (number.to_string(), Secret::new(value())));
        let many: Vec<_> = many.collect();
        assert!(check(&many).is_err() && check(&many[1..]).is_ok());
    }

    #[test]
    fn nothing_of_a_value_is_shown() {
        let shown = format!("{:#?}", secrets([("NAME", "canary".to_owned())]));
        assert!(
            shown.contains("NAME") && !shown.contains("canary"),
            "{shown}"
        );
    }
}
