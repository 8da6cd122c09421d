//! Integers as JavaScript reads them: `"1e3"` is 1000, `"0x10"` is 16, `" 5 "` is 5.

use serde_json::Value;

use super::{INTEGER_MAX, Invalid, required};

/// What a value is worth as a number.
enum Number {
    Whole(u64),
    Negative,
    Fraction,
    TooLarge,
    Nonsense,
}

/// An integer of at least `min` and at most `max`.
///
/// # Errors
/// [`Invalid`] with the official message for the first bound that is broken.
pub(crate) fn integer(field: &str, value: &Value, min: u64, max: u64) -> Result<u64, Invalid> {
    let wrong = |rule: String| Err(Invalid(format!("{field} must be {rule}")));
    match read(value) {
        _ if value.is_null() => Err(required(field)),
        Number::Nonsense => Err(Invalid(format!(
            "{field} must be a `number` type, but the final value was: `NaN` \
             (cast from the value `{value}`)."
        ))),
        Number::Fraction => wrong("an integer".to_owned()),
        Number::Negative => wrong(format!("greater than or equal to {min}")),
        Number::Whole(n) if n < min => wrong(format!("greater than or equal to {min}")),
        Number::Whole(n) if n <= max => Ok(n),
        Number::Whole(_) | Number::TooLarge => wrong(format!("less than or equal to {max}")),
    }
}

fn read(value: &Value) -> Number {
    match value {
        Value::Number(number) => number.as_u64().map_or_else(
            || number.as_f64().map_or(Number::Nonsense, from_float),
            Number::Whole,
        ),
        Value::String(text) => from_text(text),
        _ => Number::Nonsense,
    }
}

fn from_text(text: &str) -> Number {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        return text.parse().map_or(Number::TooLarge, Number::Whole);
    }
    let lower = text.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            return from_digits(digits, radix);
        }
    }
    let decimal = |b: u8| b.is_ascii_digit() || b"+-.e".contains(&b);
    if !lower.bytes().all(decimal) {
        return Number::Nonsense;
    }
    lower.parse().map_or(Number::Nonsense, from_float)
}

fn from_digits(digits: &str, radix: u32) -> Number {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Number::Nonsense;
    }
    u64::from_str_radix(digits, radix).map_or(Number::TooLarge, Number::Whole)
}

fn from_float(number: f64) -> Number {
    if number < 0.0 {
        Number::Negative
    } else if number > INTEGER_MAX as f64 {
        Number::TooLarge
    } else if number.fract() != 0.0 {
        Number::Fraction
    } else {
        Number::Whole(number as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<u64, String> {
        integer("n", &value, 1, INTEGER_MAX).map_err(|e| e.0)
    }

    #[test]
    fn javascript_syntax_is_understood() {
        for (text, number) in [("1e3", 1000), ("0x10", 16), (" 5 ", 5), ("7.0", 7)] {
            assert_eq!(read(json!(text)), Ok(number), "{text}");
        }
        assert_eq!(read(json!(3)), Ok(3));
        assert_eq!(read(json!("9007199254740991")), Ok(INTEGER_MAX));
    }

    #[test]
    fn messages_are_the_official_ones() {
        let most = "n must be less than or equal to 9007199254740991";
        for (value, message) in [
            (json!(0), "n must be greater than or equal to 1"),
            (json!(-4), "n must be greater than or equal to 1"),
            (json!("1.5"), "n must be an integer"),
            (json!("9007199254740992"), most),
            (json!("99999999999999999999999"), most),
            (json!("0xffffffffffffffffffff"), most),
            (json!(null), "n is a required field"),
            (
                json!("abc"),
                "n must be a `number` type, but the final value was: `NaN` \
                 (cast from the value `\"abc\"`).",
            ),
        ] {
            assert_eq!(read(value.clone()), Err(message.to_owned()), "{value}");
        }
        for text in ["", "inf", "nan", "0x", "0xg", "1e", "--1"] {
            assert!(read(json!(text)).unwrap_err().contains("NaN"), "{text}");
        }
    }
}
