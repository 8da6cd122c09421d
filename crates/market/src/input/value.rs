//! Single values: addresses, hashes, flags, texts.

use protocol::{Address, B256, OrderHash};
use serde_json::Value;

use super::Invalid;

/// Hexadecimal in any case, with or without `0x`; a wrong checksum is tolerated, as upstream.
///
/// # Errors
/// [`Invalid`] with the official message.
pub(crate) fn address(field: &str, value: &Value) -> Result<Address, Invalid> {
    if value.is_null() {
        return Err(Invalid(format!("{field} cannot be null")));
    }
    read_address(value).ok_or_else(|| Invalid(format!("{field} is not a valid ethereum address")))
}

fn read_address(value: &Value) -> Option<Address> {
    value.as_str()?.trim_start_matches("0x").parse().ok()
}

/// `0x` and 64 hexadecimal digits in any case.
///
/// # Errors
/// [`Invalid`] with the official message.
pub(crate) fn bytes32(field: &str, value: &Value) -> Result<B256, Invalid> {
    value
        .as_str()
        .and_then(|text| text.parse::<OrderHash>().ok())
        .map(|hash| hash.0)
        .ok_or_else(|| Invalid(format!("{field} must be a bytes32 hexstring")))
}

/// `true`, `false`, `1` or `0`.
///
/// # Errors
/// [`Invalid`] with the official message.
pub(crate) fn boolean(field: &str, text: &str) -> Result<bool, Invalid> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Invalid(format!(
            "{field} must be a `boolean` type, but the final value was: `\"{text}\"`."
        ))),
    }
}

/// Any text.
///
/// # Errors
/// [`Invalid`] with the official message.
pub(crate) fn text(field: &str, value: &Value) -> Result<String, Invalid> {
    value.as_str().map(str::to_owned).ok_or_else(|| {
        Invalid(format!(
            "{field} must be a `string` type, but the final value was: `{value}`."
        ))
    })
}

/// A signature: upstream asks only that it starts with `0x`; whether it holds is asked of the hub.
///
/// # Errors
/// [`Invalid`] with the official message.
pub(crate) fn signature(field: &str, value: &Value) -> Result<String, Invalid> {
    match value.as_str() {
        Some(text) if text.starts_with("0x") => Ok(text.to_owned()),
        _ => Err(Invalid(format!("{field} must be a valid signature"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_are_read_in_any_case() {
        let expected = Address::repeat_byte(0xab);
        for text in [
            "0xabABabababababababababababababababababab",
            &"AB".repeat(20),
        ] {
            assert_eq!(address("app", &json!(text)), Ok(expected));
        }
        for value in [json!("0x12"), json!(12), json!("any"), json!("")] {
            let message = address("app", &value).unwrap_err().0;
            assert_eq!(message, "app is not a valid ethereum address");
        }
        assert_eq!(
            address("app", &Value::Null).unwrap_err().0,
            "app cannot be null"
        );
    }

    #[test]
    fn hashes_are_folded_to_lower_case() {
        let text = format!("0x{}", "AB".repeat(32));
        assert_eq!(bytes32("h", &json!(text)), Ok(B256::repeat_byte(0xab)));
        for value in [json!("AB".repeat(32)), json!("0xab"), json!(1)] {
            let message = bytes32("h", &value).unwrap_err().0;
            assert_eq!(message, "h must be a bytes32 hexstring");
        }
    }

    #[test]
    fn flags_are_words_or_digits() {
        assert_eq!(boolean("b", "True"), Ok(true));
        assert_eq!(boolean("b", "0"), Ok(false));
        let message = "isAppStrict must be a `boolean` type, but the final value was: `\"yes\"`.";
        assert_eq!(boolean("isAppStrict", "yes").unwrap_err().0, message);
    }
}
