//! Reading what people type: addresses, ids, whole numbers. The error names the option.

use protocol::{Address, U256};

use crate::Error;

/// 20 bytes in hexadecimal, any case, `0x` in front.
///
/// # Errors
/// [`Error::Invalid`] naming `field`.
pub fn address(field: &str, text: &str) -> Result<Address, Error> {
    let wrong = || Error::malformed(field, format!("{text} is not a valid ethereum address"));
    if !text.starts_with("0x") {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

/// A non-negative decimal integer.
///
/// # Errors
/// [`Error::Invalid`] naming `field`.
pub fn integer(field: &str, text: &str) -> Result<U256, Error> {
    let wrong = || Error::malformed(field, format!("{text} is not a valid uint256"));
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

/// A non-negative decimal integer that fits 64 bits.
///
/// # Errors
/// As [`integer`].
pub fn small(field: &str, text: &str) -> Result<u64, Error> {
    integer(field, text)?
        .try_into()
        .map_err(|_| Error::invalid(field, format!("`{text}` is too large")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_their_prefix() {
        let text = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
        assert!(address("x", text).is_ok());
        assert!(address("x", &text.to_lowercase()).is_ok());
        let error = address("--dataset", &text[2..]).unwrap_err();
        assert_eq!(error.hint().unwrap(), "correct --dataset");
    }

    #[test]
    fn numbers_are_plain() {
        assert_eq!(integer("x", "12").unwrap(), U256::from(12));
        for bad in ["", "-1", "1.5", "0x1", "1e3"] {
            assert!(integer("x", bad).is_err(), "{bad}");
        }
        assert!(small("x", "99999999999999999999").is_err());
    }
}
