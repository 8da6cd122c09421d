//! Collateral from what Intel's service answers (its interface, version 4).

use dcap_qvl::QuoteCollateralV3;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Collateral;
use crate::Error;

/// One answer with the certificates of whoever signed it, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The signed document.
    pub body: Vec<u8>,
    /// Its signer's certificates.
    pub issuers: String,
}

/// What is published about one family, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Which versions of the platform are good: JSON.
    pub tcb_info: Answer,
    /// Which quoting enclaves are good: JSON.
    pub qe_identity: Answer,
    /// Certificates of machines that are revoked: DER, or DER in hexadecimal.
    pub pck_crl: Answer,
    /// Certificates of Intel's own that are revoked: the same.
    pub root_ca_crl: Vec<u8>,
}

/// What is signed has to stay as it is spelt.
#[derive(Deserialize)]
struct Platform<'a> {
    #[serde(borrow, rename = "tcbInfo")]
    document: &'a RawValue,
    signature: String,
}

#[derive(Deserialize)]
struct QuotingEnclave<'a> {
    #[serde(borrow, rename = "enclaveIdentity")]
    document: &'a RawValue,
    signature: String,
}

impl TryFrom<Answers> for Collateral {
    type Error = Error;

    /// Only the form is looked at; [`super::Origin::check`] says whether it is Intel's.
    fn try_from(answers: Answers) -> Result<Self, Error> {
        let unread = |_| Error::Collateral("is not what Intel publishes".into());
        let platform: Platform = serde_json::from_slice(&answers.tcb_info.body).map_err(unread)?;
        let enclave: QuotingEnclave =
            serde_json::from_slice(&answers.qe_identity.body).map_err(unread)?;
        let theirs = QuoteCollateralV3 {
            pck_crl_issuer_chain: answers.pck_crl.issuers,
            root_ca_crl: list(answers.root_ca_crl)?,
            pck_crl: list(answers.pck_crl.body)?,
            tcb_info_issuer_chain: answers.tcb_info.issuers,
            tcb_info: platform.document.get().to_owned(),
            tcb_info_signature: bytes(&platform.signature)?,
            qe_identity_issuer_chain: answers.qe_identity.issuers,
            qe_identity: enclave.document.get().to_owned(),
            qe_identity_signature: bytes(&enclave.signature)?,
            pck_certificate_chain: None,
        };
        Ok(theirs.into())
    }
}

/// Caches of operators answer in hexadecimal, Intel in bytes, which begin with a DER sequence.
fn list(body: Vec<u8>) -> Result<Vec<u8>, Error> {
    match String::from_utf8(body) {
        Ok(text) => bytes(text.trim()),
        Err(not_text) => Ok(not_text.into_bytes()),
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, Error> {
    hex::decode(text).map_err(|_| Error::Collateral("has a field that is not hexadecimal".into()))
}
