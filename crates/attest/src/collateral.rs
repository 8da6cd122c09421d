//! What Intel publishes about platforms, signed: certificates, revocations, which versions are
//! good. It ages within weeks.

mod answers;
mod origin;

use dcap_qvl::QuoteCollateralV3;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Error, Platform, Rejected};

pub use answers::{Answer, Answers};
pub use origin::Origin;

/// Collateral for one family of platforms, in the JSON form of the verification library: revocation
/// lists and signatures in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Collateral(QuoteCollateralV3);

/// The dates of a signed document of Intel's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dates {
    issue_date: String,
    next_update: String,
}

/// Which machines a piece of collateral is for: Intel publishes one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Family {
    /// Intel's number of the model and its platform.
    pub fmspc: [u8; 6],
    /// Which kind of enclave.
    pub platform: Platform,
    /// Which of Intel's authorities certifies them, and says which certificates are revoked.
    pub issuer: Issuer,
}

/// An authority of Intel's for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Issuer {
    /// Of machines with one processor package.
    Processor,
    /// Of machines that are registered as a whole.
    Platform,
}

impl Issuer {
    /// As Intel's service spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Processor => "processor",
            Self::Platform => "platform",
        }
    }

    /// The issuer of a certificate or a revocation list, by the name that is in it.
    fn named_in(der: &[u8]) -> Option<Self> {
        let has = |name: &[u8]| der.windows(name.len()).any(|part| part == name);
        match (has(b"PCK Processor CA"), has(b"PCK Platform CA")) {
            (true, false) => Some(Self::Processor),
            (false, true) => Some(Self::Platform),
            _ => None,
        }
    }
}

impl Family {
    /// The family that a quote says it is of. Nothing is verified: it is only to find the
    /// collateral to verify it with.
    ///
    /// # Errors
    /// `QUOTE_FORMAT`, or `CHAIN` for a quote without readable certificates.
    pub fn of_quote(quote: &[u8]) -> Result<Self, Rejected> {
        Ok(origin::read(quote)?.0)
    }
}

/// What platform data says it is for.
#[derive(Deserialize)]
struct About {
    id: String,
    fmspc: String,
}

impl Collateral {
    /// The machines that it is for; none when it does not say.
    pub fn family(&self) -> Option<Family> {
        let about: About = serde_json::from_str(&self.0.tcb_info).ok()?;
        let platform = match about.id.as_str() {
            "TDX" => Platform::Tdx,
            "SGX" => Platform::Sgx,
            _ => return None,
        };
        let fmspc = hex::decode(about.fmspc).ok()?.try_into().ok()?;
        let issuer = Issuer::named_in(&self.0.pck_crl)?;
        Some(Family {
            fmspc,
            platform,
            issuer,
        })
    }

    /// Until when it is good, seconds since 1970: the earlier of its two signed documents. The
    /// revocation lists have dates of their own, which verification checks.
    ///
    /// # Errors
    /// [`Error::Collateral`] when a date cannot be read.
    pub fn expires_at(&self) -> Result<u64, Error> {
        let [platform, quoting_enclave] = self.periods()?;
        Ok(platform.1.min(quoting_enclave.1))
    }

    /// Whether it is good at `now`, seconds since 1970.
    ///
    /// # Errors
    /// [`Error::Collateral`] when it is expired, or not issued yet.
    pub fn check(&self, now: u64) -> Result<(), Error> {
        for (start, end) in self.periods()? {
            if now < start {
                return Err(Error::Collateral("is not issued yet".into()));
            }
            if now > end {
                return Err(Error::Collateral("is expired".into()));
            }
        }
        Ok(())
    }

    /// From when to when each of the two documents is good.
    fn periods(&self) -> Result<[(u64, u64); 2], Error> {
        Ok([period(&self.0.tcb_info)?, period(&self.0.qe_identity)?])
    }
}

fn period(json: &str) -> Result<(u64, u64), Error> {
    let unread = || Error::Collateral("has no dates".into());
    let dates: Dates = serde_json::from_str(json).map_err(|_| unread())?;
    let seconds = |text: &str| {
        let at: Timestamp = text.parse().map_err(|_| unread())?;
        u64::try_from(at.as_second()).map_err(|_| unread())
    };
    Ok((seconds(&dates.issue_date)?, seconds(&dates.next_update)?))
}

impl From<QuoteCollateralV3> for Collateral {
    fn from(theirs: QuoteCollateralV3) -> Self {
        Self(theirs)
    }
}

impl From<&Collateral> for QuoteCollateralV3 {
    fn from(ours: &Collateral) -> Self {
        ours.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reason, fuzz::vector};

    #[test]
    fn a_quote_and_its_collateral_are_of_one_family() {
        let family = Family::of_quote(vector::QUOTE).unwrap();
        assert_eq!(vector::collateral().family(), Some(family));
        assert_eq!(family.platform, Platform::Tdx);
        let rejected = Family::of_quote(&vector::QUOTE[1..]).unwrap_err();
        assert_eq!(rejected.reason, Reason::QuoteFormat);
    }

    #[test]
    fn the_json_form_is_kept_and_its_time_is_limited() {
        let collateral = vector::collateral();
        let again = serde_json::to_string(&collateral).unwrap();
        assert_eq!(
            serde_json::from_str::<Collateral>(&again).unwrap(),
            collateral
        );
        let end = collateral.expires_at().unwrap();
        assert!(collateral.check(vector::NOW).is_ok());
        assert!(collateral.check(end).is_ok());
        assert!(collateral.check(end + 1).is_err());
        assert!(collateral.check(1_700_000_000).is_err());
    }
}
