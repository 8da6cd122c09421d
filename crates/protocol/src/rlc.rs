//! Amounts: everything inside is nRLC; 1 RLC = 10⁹ nRLC (spec/client.md §4.3).

use alloy_primitives::U256;

use crate::{Error, amount};

/// Decimals of the RLC token and of the hub's own ledger.
pub const DECIMALS: usize = 9;

/// Reads `"<amount> [unit]"` with `unit` one of `nRLC`, `RLC`; `default_unit` counts when there
/// is none. Fractions only with `RLC` and at most nine decimals; an empty text is zero.
///
/// # Errors
/// [`Error::Amount`] names the broken rule.
pub fn parse(text: &str, default_unit: &str) -> Result<U256, Error> {
    amount::parse(text, default_unit, &[("nRLC", 0), ("RLC", DECIMALS)])
}

/// The amount in RLC with a decimal point, as the official CLI prints it (`"0.0"`, `"1.5"`).
pub fn to_rlc(nrlc: U256) -> String {
    to_unit(nrlc, DECIMALS)
}

/// The amount in a unit of `10^decimals`, always with a decimal point.
pub fn to_unit(amount: U256, decimals: usize) -> String {
    let digits = format!(
        "{amount:0>width$}",
        amount = amount.to_string(),
        width = decimals + 1
    );
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let fraction = fraction.trim_end_matches('0');
    format!(
        "{whole}.{}",
        if fraction.is_empty() { "0" } else { fraction }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_with_their_unit() {
        assert_eq!(
            parse("1.5 RLC", "nRLC").unwrap(),
            U256::from(1_500_000_000u64)
        );
        assert_eq!(parse("5", "nRLC").unwrap(), U256::from(5));
        assert_eq!(parse("007 nRLC", "RLC").unwrap(), U256::from(7));
        assert_eq!(parse("", "nRLC").unwrap(), U256::ZERO);
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "-1",
            "1e3",
            "0x1",
            "1.5 nRLC",
            "1.0000000001 RLC",
            "1 rlc",
            "1 2 3",
            ".",
            "RLC",
        ] {
            let parsed = parse(bad, "nRLC");
            assert!(parsed.is_err(), "{bad} gave {parsed:?}");
        }
    }

    #[test]
    fn rlc_always_shows_a_point() {
        assert_eq!(to_rlc(U256::ZERO), "0.0");
        assert_eq!(to_rlc(U256::from(1_500_000_000u64)), "1.5");
        assert_eq!(to_rlc(U256::from(1u64)), "0.000000001");
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_is_read_back(nrlc: u64) {
            let shown = format!("{} RLC", to_rlc(U256::from(nrlc)));
            proptest::prop_assert_eq!(parse(&shown, "nRLC").unwrap(), U256::from(nrlc));
        }
    }
}
