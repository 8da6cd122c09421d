//! Amounts of the chain's own coin: everything inside is wei (spec/client.md §1.3).

use alloy_primitives::U256;

use crate::{
    Error,
    amount::{self, Unit},
    rlc,
};

/// Decimals of the coin.
pub const DECIMALS: usize = 18;

const UNITS: [Unit; 8] = [
    ("wei", 0),
    ("kwei", 3),
    ("mwei", 6),
    ("gwei", 9),
    ("szabo", 12),
    ("finney", 15),
    ("ether", DECIMALS),
    ("eth", DECIMALS),
];

/// Reads `"<amount> [unit]"`; `default_unit` counts when there is none.
///
/// # Errors
/// [`Error::Amount`] names the broken rule.
pub fn parse(text: &str, default_unit: &str) -> Result<U256, Error> {
    amount::parse(text, default_unit, &UNITS)
}

/// The amount in ether with a decimal point.
pub fn to_ether(wei: U256) -> String {
    rlc::to_unit(wei, DECIMALS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let gwei = U256::from(1_000_000_000u64);
        assert_eq!(parse("1 gwei", "wei").unwrap(), gwei);
        assert_eq!(parse("0.000000001", "ether").unwrap(), gwei);
        assert_eq!(parse("1.5 kwei", "ether").unwrap(), U256::from(1_500));
        assert_eq!(parse("7", "wei").unwrap(), U256::from(7));
        let error = parse("1 RLC", "wei").unwrap_err();
        let names =
            matches!(&error, Error::Amount { reason, .. } if reason.contains("gwei or szabo"));
        assert!(names, "{error:?}");
        assert!(parse("0.5 wei", "wei").is_err());
    }
}
