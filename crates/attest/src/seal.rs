//! What one key opens, answers and backups: HPKE (RFC 9180) in base mode, with X25519, HKDF-SHA256
//! and AES-256-GCM. The `info` says what it was made for: what the quote is bound to, so that an
//! answer opens only for its release.

use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable,
    aead::AesGcm256,
    kdf::HkdfSha256,
    kem::X25519HkdfSha256,
    rand_core::{CryptoRng, RngCore},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Error, text};

type Secret = <X25519HkdfSha256 as Kem>::PrivateKey;
type Public = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey;

/// A sealed answer, as the wire has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The encapsulated key; base64 of 32 bytes.
    #[serde(with = "text::base64")]
    pub enc: Vec<u8>,
    /// The ciphertext; base64.
    #[serde(with = "text::base64")]
    pub ct: Vec<u8>,
}

/// Seals `plaintext` so that only the holder of `hpke_pub`'s private half can open it, with the
/// same `info`.
///
/// # Errors
/// [`Error::Seal`] when the key is none.
pub fn seal(hpke_pub: &[u8; 32], info: &[u8], plaintext: &[u8]) -> Result<Sealed, Error> {
    let to = Public::from_bytes(hpke_pub).map_err(|_| Error::Seal)?;
    let sealed = hpke::single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256, _>(
        &OpModeS::Base,
        &to,
        info,
        plaintext,
        &[],
        &mut Entropy,
    );
    let (enc, ct) = sealed.map_err(|_| Error::Seal)?;
    let enc = enc.to_bytes().to_vec();
    Ok(Sealed { enc, ct })
}

/// An X25519 key: made for one answer and forgotten with it, or kept for backups.
pub struct Recipient {
    secret: Secret,
    public: [u8; 32],
}

impl Recipient {
    /// A fresh key.
    #[expect(clippy::new_without_default, reason = "a key is never a default")]
    pub fn new() -> Self {
        let (secret, public) = X25519HkdfSha256::gen_keypair(&mut Entropy);
        let public = public.to_bytes().into();
        Self { secret, public }
    }

    /// What goes into the binding and the redeem.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// What was sealed to this key with this `info`.
    ///
    /// # Errors
    /// [`Error::Open`] for anything else.
    pub fn open(&self, info: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, Error> {
        let enc = Encapsulated::from_bytes(&sealed.enc).map_err(|_| Error::Open)?;
        let opened = hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.secret,
            &enc,
            info,
            &sealed.ct,
            &[],
        );
        opened.map(Zeroizing::new).map_err(|_| Error::Open)
    }

    /// One that was kept. None when it is no key.
    pub fn from_secret(secret: &[u8; 32]) -> Option<Self> {
        let secret = Secret::from_bytes(secret).ok()?;
        let public = X25519HkdfSha256::sk_to_pk(&secret).to_bytes().into();
        Some(Self { secret, public })
    }

    /// For who keeps it.
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.to_bytes().into())
    }
}

/// The system's randomness, behind the traits of another version of the same crate.
struct Entropy;

impl RngCore for Entropy {
    fn next_u32(&mut self) -> u32 {
        rand::RngCore::next_u32(&mut rand::rngs::OsRng)
    }
    fn next_u64(&mut self) -> u64 {
        rand::RngCore::next_u64(&mut rand::rngs::OsRng)
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        rand::RngCore::fill_bytes(&mut rand::rngs::OsRng, bytes);
    }
}

impl CryptoRng for Entropy {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::vector::{self, Vector};

    #[test]
    fn the_vector_opens() {
        let vector = Vector::read();
        let secret = vector.bytes("hpke_private_key_TEST_ONLY");
        let recipient = Recipient::from_secret(&secret.try_into().unwrap()).unwrap();
        assert_eq!(
            Recipient::from_secret(&recipient.secret())
                .unwrap()
                .public(),
            recipient.public()
        );
        assert_eq!(recipient.public(), vector.binding().hpke_pub);
        let (enc, ct) = vector::SEALED.split_at(32);
        let sealed = Sealed {
            enc: enc.to_vec(),
            ct: ct.to_vec(),
        };
        let info = vector.binding().report_data();
        let opened = recipient.open(&info, &sealed).unwrap();
        assert_eq!(*opened, vector.text("session_plaintext").as_bytes());
    }

    #[test]
    fn an_answer_opens_for_its_key_and_purpose_only() {
        let (mine, other) = (Recipient::new(), Recipient::new());
        let sealed = seal(&mine.public(), &[1; 64], b"a secret").unwrap();
        assert_eq!(*mine.open(&[1; 64], &sealed).unwrap(), b"a secret");
        assert!(mine.open(&[2; 64], &sealed).is_err());
        assert!(other.open(&[1; 64], &sealed).is_err());
        for place in 0..sealed.ct.len() {
            let mut spoilt = sealed.clone();
            spoilt.ct[place] ^= 1;
            assert!(mine.open(&[1; 64], &spoilt).is_err(), "{place}");
        }
        let again = seal(&mine.public(), &[1; 64], b"a secret").unwrap();
        assert_ne!(again.ct, sealed.ct);
    }

    #[test]
    fn a_key_of_nothing_is_refused() {
        assert!(matches!(seal(&[0; 32], &[0; 64], b"x"), Err(Error::Seal)));
    }
}
