//! The maker's certificates: a root, the authority that certifies machines, and the signer of what
//! is published.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{der, key::Key, seed::Seed};

/// Says in each certificate what it is.
const ORGANIZATION: &str = "SIMULATION - NOT INTEL - INSECURE";
pub(crate) const ROOT: &str = "SIM SGX Root CA";
/// The word `Platform` tells which of Intel's two authorities it stands for.
pub(crate) const PCK_CA: &str = "SIM SGX PCK Platform CA";
const SIGNER: &str = "SIM SGX TCB Signing";
const PCK: &str = "SIM SGX PCK Certificate";
/// 2020-01-01 and 2049-12-31, in seconds since 1970: certificates outlive every installation.
const FROM: i64 = 1_577_836_800;
const UNTIL: i64 = 2_524_521_600;
/// `keyUsage` bits and how many of the last byte do not count.
const CERT_AND_CRL_SIGN: (u8, u8) = (1, 0x06);
const DIGITAL_SIGNATURE: (u8, u8) = (7, 0x80);

/// All that follows from a seed.
pub(crate) struct Chain {
    seed: Seed,
    pub(crate) root_key: Key,
    pub(crate) pck_ca_key: Key,
    pub(crate) signer_key: Key,
    /// DER.
    pub(crate) root: Vec<u8>,
    pub(crate) pck_ca: Vec<u8>,
    pub(crate) signer: Vec<u8>,
}

impl Chain {
    pub(crate) fn new(seed: &Seed) -> Self {
        let key = |name| Key::derive(seed, name);
        let (root_key, pck_ca_key, signer_key) = (key("root"), key("pck-ca"), key("signer"));
        let root = Certificate::authority(1, ROOT, &root_key, 1);
        let pck_ca = Certificate::authority(2, PCK_CA, &pck_ca_key, 0);
        let signer = Certificate::leaf(3, SIGNER, &signer_key, None);
        Self {
            seed: seed.clone(),
            root: root.sign(ROOT, &root_key),
            pck_ca: pck_ca.sign(ROOT, &root_key),
            signer: signer.sign(ROOT, &root_key),
            root_key,
            pck_ca_key,
            signer_key,
        }
    }

    /// A machine's own key of this name.
    pub(crate) fn machine_key(&self, number: u32, name: &str) -> Key {
        Key::derive(&self.seed, &format!("machine {number} {name}"))
    }

    /// The certificate of a machine, with what Intel says of it in `extension`, and the chain to
    /// the root; PEM.
    pub(crate) fn certify(&self, key: &Key, extension: Vec<u8>) -> String {
        let pck = Certificate::leaf(4, PCK, key, Some(extension));
        let pck = pck.sign(PCK_CA, &self.pck_ca_key);
        pem(&[&pck, &self.pck_ca, &self.root])
    }
}

/// A certificate before it is signed.
struct Certificate<'a> {
    serial: u8,
    subject: &'static str,
    key: &'a Key,
    /// How many authorities may follow; none for one that certifies nobody.
    path: Option<u8>,
    extension: Option<Vec<u8>>,
}

impl<'a> Certificate<'a> {
    fn authority(serial: u8, subject: &'static str, key: &'a Key, path: u8) -> Self {
        Self {
            serial,
            subject,
            key,
            path: Some(path),
            extension: None,
        }
    }

    fn leaf(serial: u8, subject: &'static str, key: &'a Key, extension: Option<Vec<u8>>) -> Self {
        Self {
            serial,
            subject,
            key,
            path: None,
            extension,
        }
    }

    fn sign(&self, issuer: &str, issuer_key: &Key) -> Vec<u8> {
        let day = |second| der::time(Timestamp::from_second(second).unwrap_or_default());
        let body = der::sequence(&[
            der::explicit(0, &der::integer(2)),
            der::integer(self.serial),
            ecdsa_sha256(),
            name(issuer),
            der::sequence(&[day(FROM), day(UNTIL)]),
            name(self.subject),
            public_key(self.key),
            der::explicit(3, &der::sequence(&self.extensions(issuer_key))),
        ]);
        signed(body, issuer_key)
    }

    fn extensions(&self, issuer_key: &Key) -> Vec<Vec<u8>> {
        let (constraints, usage) = match self.path {
            Some(path) => (
                vec![der::boolean(true), der::integer(path)],
                CERT_AND_CRL_SIGN,
            ),
            None => (Vec::new(), DIGITAL_SIGNATURE),
        };
        let mut all = vec![
            extension(19, true, &der::sequence(&constraints)),
            extension(15, true, &der::bits(usage.0, &[usage.1])),
            authority_key(issuer_key),
            extension(14, false, &der::octets(&key_id(self.key))),
        ];
        all.extend(self.extension.clone());
        all
    }
}

fn ecdsa_sha256() -> Vec<u8> {
    der::sequence(&[der::oid(&[1, 2, 840, 10_045, 4, 3, 2])])
}

pub(crate) fn name(common: &str) -> Vec<u8> {
    let part = |arc, text| {
        let pair = der::sequence(&[der::oid(&[2, 5, 4, arc]), der::utf8(text)]);
        der::set(&[pair])
    };
    der::sequence(&[part(3, common), part(10, ORGANIZATION)])
}

fn public_key(key: &Key) -> Vec<u8> {
    let elliptic = der::oid(&[1, 2, 840, 10_045, 2, 1]);
    let p256 = der::oid(&[1, 2, 840, 10_045, 3, 1, 7]);
    der::sequence(&[
        der::sequence(&[elliptic, p256]),
        der::bits(0, &key.public()),
    ])
}

/// Any name of the key will do; this is a short hash.
fn key_id(key: &Key) -> Vec<u8> {
    Sha256::digest(key.public())[..20].to_vec()
}

/// A standard extension: `2.5.29.<arc>`.
pub(crate) fn extension(arc: u32, is_critical: bool, content: &[u8]) -> Vec<u8> {
    let mut parts = vec![der::oid(&[2, 5, 29, arc])];
    if is_critical {
        parts.push(der::boolean(true));
    }
    parts.push(der::octets(content));
    der::sequence(&parts)
}

pub(crate) fn authority_key(issuer_key: &Key) -> Vec<u8> {
    // `keyIdentifier` is an octet string behind the implicit tag 0.
    let mut id = vec![0x80, 20];
    id.extend(key_id(issuer_key));
    extension(35, false, &der::sequence(&[id]))
}

/// `body` with its signature: a certificate, or a revocation list.
fn signed(body: Vec<u8>, key: &Key) -> Vec<u8> {
    let signature = der::bits(0, &key.sign_der(&body));
    der::sequence(&[body, ecdsa_sha256(), signature])
}

/// A revocation list that revokes nothing.
pub(crate) fn revocations(issuer: &str, key: &Key, from: Timestamp, until: Timestamp) -> Vec<u8> {
    let extensions = [extension(20, false, &der::integer(1)), authority_key(key)];
    let body = der::sequence(&[
        der::integer(1),
        ecdsa_sha256(),
        name(issuer),
        der::time(from),
        der::time(until),
        der::explicit(0, &der::sequence(&extensions)),
    ]);
    signed(body, key)
}

/// Certificates as text, the leaf first.
pub(crate) fn pem(certificates: &[&Vec<u8>]) -> String {
    let mut text = String::new();
    for certificate in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut rest = BASE64_STANDARD.encode(certificate);
        while !rest.is_empty() {
            let tail = rest.split_off(rest.len().min(64));
            text.push_str(&rest);
            text.push('\n');
            rest = tail;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}
