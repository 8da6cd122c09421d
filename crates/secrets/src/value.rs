//! A secret's value: a type that cannot be printed.

use std::fmt;

use zeroize::Zeroizing;

/// Bytes of a value, inclusive (spec/secrets-tee.md §1.2).
pub const SECRET_BYTES_MAX: usize = 4096;

/// A secret in clear, wiped when it goes. `Debug` says nothing, and there is neither `Display` nor
/// `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Value(Zeroizing<String>);

impl Value {
    /// Wraps text as soon as it is known to be a secret.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself: every call is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(…)")
    }
}
