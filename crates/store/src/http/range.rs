//! `Range: bytes=…` of one range (RFC 9110 §14): enough to resume a download.

/// Which part of a content is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// All of it: no range, or one that may be ignored (several ranges, another unit).
    Whole,
    /// From `first` to `last`, both included and within the content.
    Part { first: u64, last: u64 },
    /// No byte of the content.
    Unsatisfiable,
}

/// Reads the header for a content of `size` bytes.
pub(super) fn parse(header: Option<&str>, size: u64) -> Range {
    let spec = header.and_then(|header| header.trim().strip_prefix("bytes="));
    let Some((first, last)) = spec.and_then(|spec| spec.split_once('-')) else {
        return Range::Whole;
    };
    let (first, last) = (number(first), number(last));
    let (first, last) = match (first, last) {
        (Field::Number(first), Field::Empty) => (first, u64::MAX),
        (Field::Number(first), Field::Number(last)) if first <= last => (first, last),
        (Field::Empty, Field::Number(0)) => return Range::Unsatisfiable,
        (Field::Empty, Field::Number(tail)) => (size.saturating_sub(tail), u64::MAX),
        _ => return Range::Whole,
    };
    if first >= size {
        return Range::Unsatisfiable;
    }
    let last = last.min(size - 1);
    Range::Part { first, last }
}

enum Field {
    Empty,
    Number(u64),
    Junk,
}

fn number(text: &str) -> Field {
    match text.trim() {
        "" => Field::Empty,
        digits if digits.bytes().all(|c| c.is_ascii_digit()) => {
            digits.parse().map_or(Field::Junk, Field::Number)
        }
        _ => Field::Junk,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_of_ten_bytes() {
        let part = |first, last| Range::Part { first, last };
        for (header, expected) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=2-", part(2, 9)),
            ("bytes=2-100", part(2, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-100", part(0, 9)),
            ("bytes=10-", Range::Unsatisfiable),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=3-2", Range::Whole),
            ("bytes=0-1,3-4", Range::Whole),
            ("bytes=-", Range::Whole),
            ("bytes=+1-2", Range::Whole),
            ("lines=1-2", Range::Whole),
        ] {
            assert_eq!(parse(Some(header), 10), expected, "{header}");
        }
        assert_eq!(parse(None, 10), Range::Whole);
        assert_eq!(parse(Some("bytes=0-"), 0), Range::Unsatisfiable);
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_content(header in "bytes=[0-9]{0,20}-[0-9]{0,20}", size: u64) {
            if let Range::Part { first, last } = parse(Some(&header), size) {
                prop_assert!(first <= last && last < size);
            }
        }
    }
}
