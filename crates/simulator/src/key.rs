//! P-256 keys that follow from the seed. Signatures are deterministic too (RFC 6979).

use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use sha2::{Digest as _, Sha256};

/// One of the maker's or a machine's keys; zeroized when dropped.
pub(crate) struct Key(SigningKey);

impl Key {
    /// The key called `name`.
    pub(crate) fn derive(seed: &[u8; 32], name: &str) -> Self {
        // Almost every hash is a key; the counter is for the one in four billion that is none.
        let mut counter = 0_u32;
        loop {
            let hash = Sha256::new()
                .chain_update("iexec-rs/simulator/v1")
                .chain_update(seed)
                .chain_update(counter.to_be_bytes())
                .chain_update(name)
                .finalize();
            match SigningKey::from_bytes(&hash) {
                Ok(key) => return Self(key),
                Err(_) => counter += 1,
            }
        }
    }

    /// The public point, uncompressed: 65 bytes.
    pub(crate) fn public(&self) -> Vec<u8> {
        let point = self.0.verifying_key().to_encoded_point(false);
        point.as_bytes().to_vec()
    }

    /// `r ‖ s`.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature: Signature = self.0.sign(message);
        signature.to_bytes().into()
    }

    /// The same as DER, for certificates.
    pub(crate) fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.0.sign(message);
        signature.to_der().as_bytes().to_vec()
    }
}
