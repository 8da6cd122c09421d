//! How values look in the official JSON: numbers as decimal strings, addresses checksummed.

use alloy_primitives::{Address, U256};
use serde::{Deserialize, Deserializer, Serializer, de};

/// `#[serde(with = "protocol::json::decimal")]`: a number written as a decimal string, read from
/// a string or a JSON number (the market answers numbers, the SDK writes strings).
pub mod decimal {
    use super::*;

    /// Writes the decimal string.
    pub fn serialize<S: Serializer>(value: &U256, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    /// Reads a decimal or `0x` string, or a JSON number.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<U256, D::Error> {
        match serde_json::Value::deserialize(from)? {
            serde_json::Value::Number(n) => n
                .as_u64()
                .map(U256::from)
                .ok_or_else(|| de::Error::custom(format!("{n} is not a non-negative integer"))),
            serde_json::Value::String(s) => s
                .parse()
                .map_err(|_| de::Error::custom(format!("`{s}` is not an integer"))),
            other => Err(de::Error::custom(format!("{other} is not an integer"))),
        }
    }
}

/// `#[serde(with = "protocol::json::checksummed")]`: an EIP-55 address, read in any case.
pub mod checksummed {
    use super::*;

    /// Writes the EIP-55 form.
    pub fn serialize<S: Serializer>(value: &Address, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&value.to_checksum(None))
    }

    /// Reads 20 bytes of hexadecimal in any case; a wrong checksum is tolerated, as upstream.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
        let text = String::deserialize(from)?;
        text.parse()
            .map_err(|_| de::Error::custom(format!("`{text}` is not an ethereum address")))
    }
}
