//! Whether it is worth asking Intel about a machine, and whether the answer is Intel's.

use std::time::Duration;

use dcap_qvl::{QuoteCollateralV3, intel, quote::Quote};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime, pem::PemObject as _};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationOptionsBuilder, ring::ECDSA_P256_SHA256,
};

use super::{Collateral, Family, Issuer};
use crate::{Error, Platform, Reason, Rejected, Trust, shape};

/// Intel's chains have one authority between machine and root, and the root may be there too.
const ISSUERS_MAX: usize = 3;
/// Each half of a signature.
const SCALAR: usize = 32;
/// DER tags.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// Where a quote comes from: the certificates in it, which hold up to the root. Whether one of them
/// is revoked, and whether the quote itself is good, only collateral can tell.
#[derive(Clone, Debug)]
pub struct Origin {
    family: Family,
    machine: CertificateDer<'static>,
    issuer: CertificateDer<'static>,
}

/// The family that a quote says it is of, with its certificates.
pub(super) fn read(quote: &[u8]) -> Result<(Family, Vec<Vec<u8>>), Rejected> {
    shape::check(quote)?;
    let refused = |reason| move |error| Rejected::new(reason, format!("{error:#}"));
    let quote = Quote::parse(quote).map_err(refused(Reason::QuoteFormat))?;
    let platform = match quote.header.is_sgx() {
        true => Platform::Sgx,
        false => Platform::Tdx,
    };
    let fmspc = intel::quote_fmspc(&quote).map_err(refused(Reason::Chain))?;
    let chain = intel::extract_cert_chain(&quote).map_err(refused(Reason::Chain))?;
    let issuer = chain.first().and_then(|leaf| Issuer::named_in(leaf));
    let issuer = issuer.ok_or_else(|| rejected("the machine's issuer is unknown"))?;
    let family = Family {
        fmspc,
        platform,
        issuer,
    };
    Ok((family, chain))
}

impl Origin {
    /// Reads the certificates of a quote and checks them at `now`, seconds since 1970. A stranger
    /// cannot make this up: it takes a certificate that was given to a machine of that family.
    ///
    /// # Errors
    /// [`Reason::QuoteFormat`], or [`Reason::Chain`].
    pub fn of_quote(quote: &[u8], trust: &Trust, now: u64) -> Result<Self, Rejected> {
        let (family, chain) = read(quote)?;
        let mut chain = chain.into_iter().map(CertificateDer::from);
        let machine = chain.next().ok_or_else(|| rejected("no certificate"))?;
        let issuers: Vec<_> = chain.collect();
        let issuer = issuer(&machine, &issuers, trust, now).map_err(rejected)?;
        Ok(Self {
            family,
            machine,
            issuer,
        })
    }

    /// Which machines it is of.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// Whether `collateral` is for these machines, good at `now`, seconds since 1970, and signed by
    /// whom `trust` names.
    ///
    /// # Errors
    /// [`Error::Collateral`] with what is wrong.
    pub fn check(&self, collateral: &Collateral, trust: &Trust, now: u64) -> Result<(), Error> {
        if collateral.family() != Some(self.family) {
            return Err(Error::Collateral("is for other machines".into()));
        }
        collateral.check(now)?;
        self.check_signatures(&collateral.0, trust, now)
            .map_err(|why| Error::Collateral(format!("is not Intel's: {why}")))
    }

    fn check_signatures(
        &self,
        theirs: &QuoteCollateralV3,
        trust: &Trust,
        now: u64,
    ) -> Result<(), String> {
        let root = CertificateDer::from_slice(trust.root());
        let root_list = revocations(&theirs.root_ca_crl, &root)?;
        let documents = [
            (
                &theirs.tcb_info,
                &theirs.tcb_info_signature,
                &theirs.tcb_info_issuer_chain,
            ),
            (
                &theirs.qe_identity,
                &theirs.qe_identity_signature,
                &theirs.qe_identity_issuer_chain,
            ),
        ];
        for (document, signature, issuers) in documents {
            check_document(document, signature, issuers, &root_list, trust, now)?;
        }
        let list = revocations(&theirs.pck_crl, &self.issuer)?;
        self.check_list([&root_list, &list], trust, now)
    }

    /// Whether the lists are good for the machine. One that is revoked is refused with its quote;
    /// the list that says so is good.
    fn check_list(
        &self,
        lists: [&CertRevocationList<'static>; 2],
        trust: &Trust,
        now: u64,
    ) -> Result<(), String> {
        let root = CertificateDer::from_slice(trust.root());
        let anchors = [anchor(&root)?];
        let issuers = [self.issuer.clone()];
        let machine = EndEntityCert::try_from(&self.machine).map_err(|error| error.to_string())?;
        let revocation = RevocationOptionsBuilder::new(&lists).map_err(|_| "no list")?;
        let revocation = revocation
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build();
        let path = machine.verify_for_usage(
            &[ECDSA_P256_SHA256],
            &anchors,
            &issuers,
            at(now),
            KeyUsage::server_auth(),
            Some(revocation),
            None,
        );
        match path {
            Ok(_) | Err(webpki::Error::CertRevoked) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn rejected(why: impl Into<String>) -> Rejected {
    Rejected::new(Reason::Chain, why)
}

fn at(now: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now))
}

fn anchor<'a>(root: &'a CertificateDer) -> Result<TrustAnchor<'a>, String> {
    webpki::anchor_from_trusted_cert(root).map_err(|error| error.to_string())
}

/// The authority that certified a machine, once the chain holds up to the root.
fn issuer(
    machine: &CertificateDer,
    issuers: &[CertificateDer],
    trust: &Trust,
    now: u64,
) -> Result<CertificateDer<'static>, String> {
    if issuers.len() > ISSUERS_MAX {
        return Err("too many certificates".into());
    }
    let text = |error: webpki::Error| error.to_string();
    let root = CertificateDer::from_slice(trust.root());
    let anchors = [anchor(&root)?];
    let leaf = EndEntityCert::try_from(machine).map_err(text)?;
    let usage = KeyUsage::server_auth();
    let path = leaf.verify_for_usage(
        &[ECDSA_P256_SHA256],
        &anchors,
        issuers,
        at(now),
        usage,
        None,
        None,
    );
    let path = path.map_err(text)?;
    let issuer = path.intermediate_certificates().next();
    let issuer = issuer.ok_or("no authority between machine and root")?;
    Ok(issuer.der().into_owned())
}

/// A list that `issuer` signed.
fn revocations(der: &[u8], issuer: &CertificateDer) -> Result<CertRevocationList<'static>, String> {
    let key = anchor(issuer)?.subject_public_key_info;
    let list = OwnedCertRevocationList::from_der_verified(der, &key, &[ECDSA_P256_SHA256]);
    list.map(Into::into).map_err(|error| error.to_string())
}

/// Whether a document was signed by somebody whom the root certified and has not revoked.
fn check_document(
    document: &str,
    signature: &[u8],
    issuers: &str,
    root_list: &CertRevocationList,
    trust: &Trust,
    now: u64,
) -> Result<(), String> {
    let text = |error: webpki::Error| error.to_string();
    let root = CertificateDer::from_slice(trust.root());
    let anchors = [anchor(&root)?];
    let signer = CertificateDer::pem_slice_iter(issuers.as_bytes()).next();
    let signer = signer.and_then(Result::ok).ok_or("no signer")?;
    let signer = EndEntityCert::try_from(&signer).map_err(text)?;
    let lists = [root_list];
    let revocation = RevocationOptionsBuilder::new(&lists).map_err(|_| "no list")?;
    let revocation = revocation
        .with_expiration_policy(ExpirationPolicy::Enforce)
        .build();
    let usage = KeyUsage::server_auth();
    let algorithms = [ECDSA_P256_SHA256];
    let path = signer.verify_for_usage(
        &algorithms,
        &anchors,
        &[],
        at(now),
        usage,
        Some(revocation),
        None,
    );
    path.map_err(text)?;
    let signature = der(signature).ok_or("no signature")?;
    let signed = signer.verify_signature(ECDSA_P256_SHA256, document.as_bytes(), &signature);
    signed.map_err(text)
}

/// A signature as certificates have it; Intel's documents have the two numbers side by side.
fn der(raw: &[u8]) -> Option<Vec<u8>> {
    let (first, second) = raw.split_at_checked(SCALAR)?;
    let mut body = integer(first)?;
    body.extend(integer(second)?);
    let mut all = vec![SEQUENCE, u8::try_from(body.len()).ok()?];
    all.extend(body);
    Some(all)
}

/// Positive, and without leading zeros.
fn integer(number: &[u8]) -> Option<Vec<u8>> {
    if number.len() != SCALAR {
        return None;
    }
    let start = number.iter().position(|byte| *byte != 0)?;
    let digits = &number[start..];
    let sign: &[u8] = if digits[0] < 0x80 { &[] } else { &[0] };
    let length = u8::try_from(sign.len() + digits.len()).ok()?;
    Some([&[INTEGER, length], sign, digits].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::vector;

    fn origin() -> Origin {
        Origin::of_quote(vector::QUOTE, &vector::trust(), vector::NOW).unwrap()
    }

    fn checked(change: impl FnOnce(&mut QuoteCollateralV3)) -> Result<(), String> {
        let mut theirs = QuoteCollateralV3::from(&vector::collateral());
        change(&mut theirs);
        let checked = origin().check(&theirs.into(), &vector::trust(), vector::NOW);
        checked.map_err(|error| error.to_string())
    }

    #[test]
    fn a_machine_of_another_maker_is_not_asked_about() {
        assert_eq!(Some(origin().family()), vector::collateral().family());
        let of_intel = Origin::of_quote(vector::QUOTE, &Trust::Intel, vector::NOW);
        assert_eq!(of_intel.unwrap_err().reason, Reason::Chain);
        let early = Origin::of_quote(vector::QUOTE, &vector::trust(), 1);
        assert_eq!(early.unwrap_err().reason, Reason::Chain);
    }

    #[test]
    fn each_part_of_collateral_is_checked() {
        checked(|_| ()).unwrap();
        checked(|theirs| theirs.tcb_info = theirs.tcb_info.replace("2045", "2046")).unwrap_err();
        checked(|theirs| theirs.qe_identity = theirs.qe_identity.replace("2045", "2046"))
            .unwrap_err();
        checked(|theirs| theirs.tcb_info_signature[40] ^= 1).unwrap_err();
        checked(|theirs| theirs.qe_identity_signature.truncate(63)).unwrap_err();
        checked(|theirs| theirs.tcb_info_issuer_chain.clear()).unwrap_err();
        checked(|theirs| theirs.pck_crl = theirs.root_ca_crl.clone()).unwrap_err();
        checked(|theirs| theirs.root_ca_crl = theirs.pck_crl.clone()).unwrap_err();
        checked(|theirs| *theirs.pck_crl.last_mut().unwrap() ^= 1).unwrap_err();
        checked(|theirs| *theirs.root_ca_crl.last_mut().unwrap() ^= 1).unwrap_err();
        let intel = origin().check(&vector::collateral(), &Trust::Intel, vector::NOW);
        intel.unwrap_err();
    }
}
