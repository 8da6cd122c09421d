//! Quotes in the form of TDX version 4.

use attest::Digest;
use sha2::{Digest as _, Sha256};

use crate::{key::Key, measurements};

/// Only this vendor is understood.
const VENDOR: [u8; 16] = dcap_qvl::INTEL_QE_VENDOR_ID;
/// In the header of each quote, for whoever looks.
const USER_DATA: &[u8; 20] = b"SIMULATION INSECURE!";
/// ECDSA over P-256.
const KEY_TYPE: u16 = 2;
const TDX: u32 = 0x81;
/// No page is given to the machine behind its back; nothing else is on.
const TD_ATTRIBUTES: [u8; 8] = [0, 0, 0, 0x10, 0, 0, 0, 0];
const XFAM: [u8; 8] = [0xe7, 0x02, 0x06, 0, 0, 0, 0, 0];
/// Version of the module that makes reports.
const TEE_TCB_SVN: [u8; 16] = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Who signed the quoting enclave.
pub(crate) const QE_SIGNER: [u8; 32] = *b"SIMULATED QUOTING ENCLAVE SIGNER";
/// Version of the quoting enclave.
pub(crate) const ISV_SVN: u16 = 1;
const QE_PRODUCT: u16 = 2;
/// Data beside the attestation key that the quoting enclave vouches for.
const QE_AUTH_DATA: [u8; 32] = [0; 32];
/// Kinds of certification data: a chain of certificates, a quoting enclave's report.
const CERTIFICATES: u16 = 5;
const QE_REPORT: u16 = 6;

/// What a machine signs quotes with.
pub(crate) struct Quoter {
    attestation: Key,
    /// Everything behind a quote's own signature: the same for all.
    certification: Vec<u8>,
}

impl Quoter {
    /// `pck` is certified by the maker, and vouches for `attestation`.
    pub(crate) fn new(pck: Key, attestation: Key, certificates: String) -> Self {
        let report = qe_report(&attestation);
        let mut inner = report.clone();
        inner.extend(pck.sign(&report));
        inner.extend(u16::to_le_bytes(32));
        inner.extend(QE_AUTH_DATA);
        inner.extend(block(CERTIFICATES, certificates.as_bytes()));
        let mut certification = attestation.public()[1..].to_vec();
        certification.extend(block(QE_REPORT, &inner));
        Self {
            attestation,
            certification,
        }
    }

    pub(crate) fn quote(&self, rtmr3: Digest, report_data: &[u8; 64]) -> Vec<u8> {
        let mut quote = header();
        quote.extend(report(rtmr3, report_data));
        let mut auth = self.attestation.sign(&quote).to_vec();
        auth.extend(&self.certification);
        quote.extend(length(&auth));
        quote.extend(auth);
        quote
    }
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

fn block(kind: u16, bytes: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &length(bytes), bytes].concat()
}

fn header() -> Vec<u8> {
    let mut all = 4_u16.to_le_bytes().to_vec();
    all.extend(KEY_TYPE.to_le_bytes());
    all.extend(TDX.to_le_bytes());
    all.extend([0; 4]);
    all.extend(VENDOR);
    all.extend(USER_DATA);
    all
}

/// What the machine says it is; 584 bytes.
fn report(rtmr3: Digest, report_data: &[u8; 64]) -> Vec<u8> {
    let [mrtd, rtmr0, rtmr1, rtmr2] = measurements();
    let none = Digest::ZERO;
    let mut all = TEE_TCB_SVN.to_vec();
    // The module that makes reports, its signer and its attributes.
    all.extend(none);
    all.extend(none);
    all.extend([0; 8]);
    all.extend(TD_ATTRIBUTES);
    all.extend(XFAM);
    // Configuration and owner are not used.
    for part in [mrtd, none, none, none, rtmr0, rtmr1, rtmr2, rtmr3] {
        all.extend(part);
    }
    all.extend(report_data);
    all
}

/// The quoting enclave's own report, in which it vouches for the attestation key; 384 bytes.
fn qe_report(attestation: &Key) -> Vec<u8> {
    let vouched = Sha256::new()
        .chain_update(&attestation.public()[1..])
        .chain_update(QE_AUTH_DATA)
        .finalize();
    let mut all = vec![1; 16];
    all.extend([0; 4 + 28]);
    // Initialised, and for 64 bits.
    all.push(0x11);
    all.extend([0; 15]);
    all.extend(Sha256::digest("iexec simulated quoting enclave"));
    all.extend([0; 32]);
    all.extend(QE_SIGNER);
    all.extend([0; 96]);
    all.extend(QE_PRODUCT.to_le_bytes());
    all.extend(ISV_SVN.to_le_bytes());
    all.extend([0; 60]);
    all.extend(vouched);
    all.extend([0; 32]);
    all
}
