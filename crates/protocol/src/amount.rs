//! Amounts as people type them: a number and a unit (spec/client.md §4.3).

use alloy_primitives::U256;

use crate::Error;

/// A unit: its name and the decimals it has.
pub(crate) type Unit = (&'static str, usize);

/// Reads `"<amount> [unit]"`; `default_unit` counts when there is none. At most as many decimals as
/// the unit has; an empty text is zero.
pub(crate) fn parse(text: &str, default_unit: &str, units: &[Unit]) -> Result<U256, Error> {
    let wrong = |reason: String| Error::Amount {
        text: text.to_owned(),
        reason,
    };
    let mut words = text.split_whitespace();
    let Some(number) = words.next() else {
        return Ok(U256::ZERO);
    };
    let unit = words.next().unwrap_or(default_unit);
    if words.next().is_some() {
        return Err(wrong("more than an amount and a unit".to_owned()));
    }
    let Some((_, decimals)) = units.iter().find(|(name, _)| *name == unit) else {
        let names: Vec<_> = units.iter().map(|(name, _)| *name).collect();
        return Err(wrong(format!("the unit is {}", names.join(" or "))));
    };
    digits(number, *decimals).map_err(|reason| wrong(reason.to_owned()))
}

fn digits(number: &str, decimals: usize) -> Result<U256, &'static str> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > decimals {
        return Err("too many decimals for the unit");
    }
    let mut all = whole.bytes().chain(fraction.bytes());
    if (whole.is_empty() && fraction.is_empty()) || !all.all(|byte| byte.is_ascii_digit()) {
        return Err("not a non-negative decimal number");
    }
    let digits = format!("{whole}{fraction:0<decimals$}");
    digits.parse().map_err(|_| "too large")
}
