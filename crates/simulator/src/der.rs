//! As much of DER as certificates and revocation lists of this kind need.

use jiff::{Timestamp, tz::TimeZone};

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const ENUMERATED: u8 = 0x0a;
const UTF8: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// Explicit tags in a constructed context: `[0]`, `[1]`…
const EXPLICIT: u8 = 0xa0;

/// One value behind its tag and length.
fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut all = vec![tag];
    match length {
        [] => all.push(0),
        [short] if *short < 0x80 => all.push(*short),
        // At most eight bytes of length.
        long => {
            all.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            all.extend_from_slice(long);
        }
    }
    all.extend_from_slice(content);
    all
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    value(SEQUENCE, &parts.concat())
}

pub(crate) fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    value(SET, &parts.concat())
}

pub(crate) fn explicit(number: u8, inner: &[u8]) -> Vec<u8> {
    value(EXPLICIT | number, inner)
}

pub(crate) fn boolean(yes: bool) -> Vec<u8> {
    value(BOOLEAN, &[if yes { 0xff } else { 0 }])
}

/// Of one byte, below 128.
pub(crate) fn integer(number: u8) -> Vec<u8> {
    value(INTEGER, &[number])
}

pub(crate) fn enumerated(number: u8) -> Vec<u8> {
    value(ENUMERATED, &[number])
}

/// With no unused bits, or those of the last byte.
pub(crate) fn bits(unused: u8, bytes: &[u8]) -> Vec<u8> {
    value(BITS, &[&[unused], bytes].concat())
}

pub(crate) fn octets(bytes: &[u8]) -> Vec<u8> {
    value(OCTETS, bytes)
}

pub(crate) fn utf8(text: &str) -> Vec<u8> {
    value(UTF8, text.as_bytes())
}

/// With two digits of year: until 2049.
pub(crate) fn time(at: Timestamp) -> Vec<u8> {
    let text = at
        .to_zoned(TimeZone::UTC)
        .strftime("%y%m%d%H%M%SZ")
        .to_string();
    value(UTC_TIME, text.as_bytes())
}

pub(crate) fn oid(arcs: &[u32]) -> Vec<u8> {
    let (head, rest) = arcs.split_at(2);
    let first = head[0] * 40 + head[1];
    let mut bytes = Vec::new();
    for arc in std::iter::once(&first).chain(rest) {
        let groups = (0..5).rev().map(|group| (arc >> (7 * group)) & 0x7f);
        let significant = groups.skip_while(|group| *group == 0).collect::<Vec<_>>();
        let count = significant.len().max(1);
        for (place, group) in significant
            .into_iter()
            .chain((count == 1 && *arc == 0).then_some(0))
            .enumerate()
        {
            let more = if place + 1 < count { 0x80 } else { 0 };
            bytes.push(u8::try_from(group).unwrap_or_default() | more);
        }
    }
    value(OID, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_are_met() {
        assert_eq!(
            hex::encode(oid(&[1, 2, 840, 10045, 4, 3, 2])),
            "06082a8648ce3d040302"
        );
        let sgx = oid(&[1, 2, 840, 113_741, 1, 13, 1]);
        assert_eq!(hex::encode(sgx), "06092a864886f84d010d01");
        assert_eq!(hex::encode(oid(&[2, 5, 29, 20])), "0603551d14");
        assert_eq!(hex::encode(oid(&[1, 2, 0, 5])), "06032a0005");
        assert_eq!(hex::encode(integer(3)), "020103");
        assert_eq!(octets(&[0; 127])[1..3], [0x7f, 0]);
        assert_eq!(octets(&[0; 128])[1..4], [0x81, 0x80, 0]);
        assert_eq!(octets(&[0; 300])[1..5], [0x82, 1, 0x2c, 0]);
        assert_eq!(hex::encode(octets(&[])), "0400");
        let at = Timestamp::from_second(1_767_225_600).unwrap();
        assert_eq!(time(at)[2..], *b"260101000000Z");
    }
}
