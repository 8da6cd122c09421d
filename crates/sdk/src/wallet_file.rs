//! Names of keystore files, and which of several is meant (spec/client.md §2.3).

use protocol::Address;

/// The plain wallet's name in the project folder.
pub const PLAIN_NAME: &str = "wallet.json";

/// `UTC--2026-01-31T12-00-00.123000000Z--<checksummed address without 0x>` for a moment in
/// milliseconds since 1970.
pub fn name(address: Address, now_ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(now_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let date = moment.strftime("%Y-%m-%dT%H-%M-%S.%3f");
    format!("UTC--{date}000000Z--{}", &address.to_checksum(None)[2..])
}

/// The newest keystore file among `names`, of `address` if one is wanted. Other files are ignored.
pub fn newest<'a>(
    names: impl IntoIterator<Item = &'a str>,
    address: Option<Address>,
) -> Option<&'a str> {
    let parsed = names
        .into_iter()
        .filter_map(|name| Some((parse(name)?, name)));
    parsed
        .filter(|((_, owner), _)| address.is_none_or(|wanted| wanted == *owner))
        .max_by_key(|((date, _), _)| *date)
        .map(|(_, name)| name)
}

fn parse(name: &str) -> Option<(&str, Address)> {
    let mut parts = name.split("--");
    let (prefix, date, address) = (parts.next()?, parts.next()?, parts.next()?);
    (prefix == "UTC").then_some(())?;
    Some((date, address.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_official_pattern() {
        let address: Address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
            .parse()
            .unwrap();
        let expected =
            "UTC--2026-01-02T03-04-05.678000000Z--f39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
        assert_eq!(name(address, 1_767_323_045_678), expected);
    }

    #[test]
    fn the_newest_matching_file_is_meant() {
        let (a, b) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let (old, new, other) = (name(a, 1000), name(a, 2000), name(b, 3000));
        let names = ["README", &old, &new, &other, "UTC--x--y"];
        assert_eq!(newest(names, None), Some(other.as_str()));
        assert_eq!(newest(names, Some(a)), Some(new.as_str()));
        assert_eq!(newest(names, Some(Address::ZERO)), None);
    }
}
