//! What can be wrong with a value that came from outside.

/// A value that does not follow the protocol's rules.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// A 32-byte id or hash was not `0x` and 64 hexadecimal digits.
    #[error("{0} is not a bytes32 hexstring")]
    NotBytes32(String),
    /// An amount could not be read; see [`crate::rlc::parse`] and [`crate::ether::parse`].
    #[error("{text} is not a valid amount")]
    Amount {
        /// What was typed.
        text: String,
        /// Which rule it breaks.
        reason: String,
    },
    /// A tag with a name that the protocol does not know.
    #[error("{0} is not a valid tag. Unknown tag {1}")]
    Tag(String, String),
    /// `params` of a request order broke a rule of spec/client.md §4.5.
    #[error("invalid params: {0}")]
    Params(String),
    /// A login token was not `<hash>_<signature>_<address>` or not signed by that address.
    #[error("invalid authorization")]
    Authorization,
    /// A signature had the wrong length or does not recover.
    #[error("invalid signature")]
    Signature,
}
