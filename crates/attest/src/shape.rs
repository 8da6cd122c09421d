//! The exact shape of a quote: every byte belongs to a field. The verification library accepts
//! trailing bytes and does not look at the outer certification type, so that one quote would have
//! many spellings.

use crate::{Reason, Rejected};

const HEADER: usize = 48;
const BODY_HEADER: usize = 6;
const SGX_REPORT: usize = 384;
const TD_REPORT: usize = 584;
const SIGNATURE_AND_KEY: usize = 64 + 64;
const QUOTING_ENCLAVE: usize = 384 + 64;
/// Certification data that holds another enclave's report.
const QE_REPORT_DATA: u16 = 6;
/// `tee_type` of a TDX quote.
const TDX: u32 = 0x81;

/// Refuses a quote whose parts do not add up to all of its bytes.
pub(crate) fn check(quote: &[u8]) -> Result<(), Rejected> {
    let refuse = || Rejected::new(Reason::QuoteFormat, "the quote's parts do not add up");
    whole(quote)
        .filter(|rest| rest.is_empty())
        .ok_or_else(refuse)?;
    Ok(())
}

/// The quote without the zeros that some platforms put behind it. The enclave takes them away, the
/// secret manager takes none: one quote has one spelling.
pub fn without_padding(quote: &[u8]) -> &[u8] {
    match whole(quote) {
        Some(rest) if rest.iter().all(|byte| *byte == 0) => &quote[..quote.len() - rest.len()],
        _ => quote,
    }
}

/// What remains behind the quote; none when it is cut short.
fn whole(quote: &[u8]) -> Option<&[u8]> {
    let mut rest = Rest(quote);
    let header = rest.take(HEADER)?;
    let version = u16::from_le_bytes([header[0], header[1]]);
    let tee = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
    match (version, tee) {
        (3, 0) => rest.take(SGX_REPORT)?,
        (4, TDX) => rest.take(TD_REPORT)?,
        (5, TDX) => {
            let body = rest.take(BODY_HEADER)?;
            let size = u32::from_le_bytes([body[2], body[3], body[4], body[5]]);
            rest.take(usize::try_from(size).ok()?)?
        }
        _ => return None,
    };
    let length = rest.u32()?;
    let mut auth = Rest(rest.take(length)?);
    auth.take(SIGNATURE_AND_KEY)?;
    if version > 3 {
        let kind = auth.u16()?;
        let length = auth.u32()?;
        let inner = auth.take(length)?;
        if kind != QE_REPORT_DATA || !auth.0.is_empty() {
            return None;
        }
        auth = Rest(inner);
    }
    auth.take(QUOTING_ENCLAVE)?;
    let length = usize::from(auth.u16()?);
    auth.take(length)?;
    auth.u16()?;
    let length = auth.u32()?;
    auth.take(length)?;
    auth.0.is_empty().then_some(rest.0)
}

/// Bytes that are not accounted for yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self) -> Option<usize> {
        let bytes = self.take(4)?;
        let number = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        usize::try_from(number).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::vector;

    #[test]
    fn every_length_but_the_right_one_is_refused() {
        let quote = vector::QUOTE;
        assert!(check(quote).is_ok());
        for length in 0..quote.len() {
            assert!(check(&quote[..length]).is_err(), "{length}");
        }
        let mut long = quote.to_vec();
        long.push(0);
        assert!(check(&long).is_err());
        assert_eq!(without_padding(&long), quote);
        long.push(1);
        assert_eq!(without_padding(&long), long);
    }

    /// Two changes that the library takes (spec/secrets-tee.md §5.2).
    #[test]
    fn what_the_library_does_not_look_at_is_refused() {
        for place in [632, 764, 765] {
            let mut quote = vector::QUOTE.to_vec();
            quote[place] ^= 1;
            assert!(check(&quote).is_err(), "{place}");
        }
    }
}
