//! Amounts on the command line: `<amount> [unit]` (spec/client.md §4.3).

/// An amount and its unit, if one was typed, as the readers of amounts take them.
pub(crate) fn join(amount: &str, unit: Option<&str>) -> String {
    format!("{amount} {}", unit.unwrap_or_default())
}

/// Takes apart what an option with one or two words caught. An address after the amount is not a
/// unit but the command's own argument, which the official client loses.
pub(crate) fn split<'a>(
    caught: &'a [String],
    address: Option<&'a str>,
) -> (String, Option<&'a str>) {
    match (caught, address) {
        ([amount @ .., last], None) if !amount.is_empty() && last.starts_with("0x") => {
            (amount.join(" "), Some(last))
        }
        _ => (caught.join(" "), address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_no_unit() {
        let split = |words: &[&str], address| {
            let words: Vec<_> = words.iter().copied().map(str::to_owned).collect();
            let (amount, address) = split(&words, address);
            (amount, address.map(str::to_owned))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            split(&["1", "RLC"], Some("0x1")),
            ("1 RLC".into(), some("0x1"))
        );
        assert_eq!(split(&["1", "0x1"], None), ("1".into(), some("0x1")));
        assert_eq!(
            split(&["1 RLC", "0x1"], None),
            ("1 RLC".into(), some("0x1"))
        );
        assert_eq!(split(&["0x1"], None), ("0x1".into(), None));
        assert_eq!(split(&[], None), (String::new(), None));
    }
}
