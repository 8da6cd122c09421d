//! The key pair that results are encrypted for (spec/client.md §2.3, §4.8).

use base64::{Engine, engine::general_purpose::STANDARD};
use chain::Wallet;
use protocol::{Address, cipher::RSA_BITS};
use rsa::{
    RsaPrivateKey, RsaPublicKey,
    pkcs1::DecodeRsaPrivateKey,
    pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding},
    traits::PublicKeyParts,
};

use crate::{
    Client, Error,
    services::sms::{self, RESULT_ENCRYPTION_KEY},
};

/// Bits of the key: what the official client makes.
pub const BITS: usize = 4_096;

/// A new key pair as PEM texts.
pub struct KeyPair {
    /// PKCS#8; for the beneficiary alone.
    pub private: String,
    /// SPKI; for the SMS.
    pub public: String,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyPair")
    }
}

/// The names of the two files of a beneficiary, private key first.
pub fn file_names(beneficiary: Address) -> [String; 2] {
    let address = beneficiary.to_checksum(None);
    [format!("{address}_key"), format!("{address}_key.pub")]
}

/// Makes a key pair; takes seconds.
///
/// # Errors
/// [`Error::Wallet`] when no key could be made.
pub fn generate(
    rng: &mut (impl rand::RngCore + rand::CryptoRng),
    bits: usize,
) -> Result<KeyPair, Error> {
    make(rng, bits).map_err(|reason| Error::Wallet {
        reason: format!("no key pair could be made: {reason}"),
        hint: None,
    })
}

/// The pair of a private key that was made elsewhere, in PKCS#8 or PKCS#1.
///
/// # Errors
/// [`Error::Invalid`], which does not repeat the text.
pub fn import(pem: &str) -> Result<KeyPair, Error> {
    let wrong = |reason: String| Error::invalid("encryption key", reason);
    let private = RsaPrivateKey::from_pkcs8_pem(pem)
        .or_else(|_| RsaPrivateKey::from_pkcs1_pem(pem))
        .map_err(|_| wrong("it is not an RSA private key in PEM, without a password".to_owned()))?;
    check_bits(&private)?;
    to_pem(&private).map_err(wrong)
}

/// What an enclave would refuse after the run was paid is refused before.
fn check_bits(key: &impl PublicKeyParts) -> Result<(), Error> {
    let (bits, min, max) = (key.n().bits(), RSA_BITS.start(), RSA_BITS.end());
    match RSA_BITS.contains(&bits) {
        true => Ok(()),
        false => Err(Error::invalid(
            "encryption key",
            format!("it has {bits} bits, and enclaves take {min} to {max}"),
        )),
    }
}

fn make(rng: &mut (impl rand::RngCore + rand::CryptoRng), bits: usize) -> Result<KeyPair, String> {
    to_pem(&RsaPrivateKey::new(rng, bits).map_err(|error| error.to_string())?)
}

fn to_pem(private: &RsaPrivateKey) -> Result<KeyPair, String> {
    let public = RsaPublicKey::from(private);
    let private = private.to_pkcs8_pem(LineEnding::LF);
    let public = public.to_public_key_pem(LineEnding::LF);
    Ok(KeyPair {
        private: private.map_err(|error| error.to_string())?.to_string(),
        public: public.map_err(|error| error.to_string())?,
    })
}

/// Whether results can be encrypted for `beneficiary`.
///
/// # Errors
/// [`Error::Api`].
pub async fn is_pushed(client: &Client, beneficiary: Address) -> Result<bool, Error> {
    sms::has_web2(client, beneficiary, RESULT_ENCRYPTION_KEY).await
}

/// Gives the SMS the public key; whether an older one was replaced comes back.
///
/// # Errors
/// [`Error::Invalid`] for a text that is no public key; [`Error::NamedSecretExists`] when there is
/// one and `update` is not set; [`Error::Api`].
pub async fn push(
    client: &Client,
    wallet: &Wallet,
    pem: &str,
    update: bool,
) -> Result<bool, Error> {
    let value = encode(pem)?;
    let exists = is_pushed(client, wallet.address()).await?;
    if exists && !update {
        return Err(Error::NamedSecretExists {
            name: RESULT_ENCRYPTION_KEY.to_owned(),
            owner: wallet.address(),
        });
    }
    sms::push_web2(client, wallet, RESULT_ENCRYPTION_KEY, &value, exists).await?;
    Ok(exists)
}

/// The SMS keeps base64 of the PEM text; a text that is that already is taken as it is.
fn encode(pem: &str) -> Result<String, Error> {
    let pem = pem.trim();
    let inner = STANDARD.decode(pem).ok();
    let inner = inner.and_then(|bytes| String::from_utf8(bytes).ok());
    let read = |text: &str| RsaPublicKey::from_public_key_pem(text.trim()).ok();
    let (key, value) = match inner.as_deref().and_then(read) {
        Some(key) => (Some(key), pem.to_owned()),
        None => (read(pem), STANDARD.encode(pem)),
    };
    let none = || Error::invalid("encryption key", "it is not an RSA public key in PEM");
    check_bits(&key.ok_or_else(none)?)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn a_pair_fits_together_and_is_taken_by_the_sms() {
        let pair = generate(&mut StdRng::seed_from_u64(1), 2_048).unwrap();
        assert!(pair.private.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(pair.public.starts_with("-----BEGIN PUBLIC KEY-----\n"));
        let value = encode(&pair.public).unwrap();
        assert_eq!(
            STANDARD.decode(&value).unwrap(),
            pair.public.trim().as_bytes()
        );
        assert_eq!(encode(&value).unwrap(), value, "encoded twice");
        assert!(
            encode(&pair.private).is_err(),
            "a private key would be sent"
        );
        assert!(encode("nonsense").is_err());
        assert_eq!(format!("{pair:?}"), "KeyPair");
    }

    #[test]
    fn a_key_from_elsewhere_becomes_a_pair_of_the_usual_form() {
        const OLD: &str = include_str!("../../vectors/TEST_ONLY_rsa2048.pkcs1.key.pem");
        const PUBLIC: &str = include_str!("../../vectors/result/TEST_ONLY_rsa2048.pub.pem");
        let pair = import(OLD).unwrap();
        assert_eq!(pair.public.trim(), PUBLIC.trim());
        assert_eq!(import(&pair.private).unwrap().private, pair.private);
        assert!(import(PUBLIC).is_err());
        let small = generate(&mut StdRng::seed_from_u64(2), 1_024).unwrap();
        let refused = [import(&small.private).err(), encode(&small.public).err()];
        for error in refused.map(|error| error.unwrap().to_string()) {
            assert!(
                error.contains("1024 bits") && !error.contains("KEY-----"),
                "{error}"
            );
        }
    }

    #[test]
    fn files_are_named_after_the_beneficiary() {
        let [private, public] = file_names(Address::ZERO);
        assert_eq!(private, format!("0x{}_key", "0".repeat(40)));
        assert_eq!(public, format!("{private}.pub"));
    }
}
