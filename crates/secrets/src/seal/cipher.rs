//! AES-256-GCM with random nonces.

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use rand::{RngCore, rngs::OsRng};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Error;

/// Bytes of the key of AES-256.
pub(crate) const KEY_BYTES: usize = 32;
/// Bytes of GCM's nonce. Random: safe up to 2^32 uses of one key, more than will ever be.
const NONCE_BYTES: usize = 12;
/// Bytes that sealing adds: the nonce and GCM's tag.
pub(super) const OVERHEAD_BYTES: usize = NONCE_BYTES + 16;

/// A key, wiped when it goes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Key([u8; KEY_BYTES]);

impl Key {
    pub(crate) fn random() -> Self {
        let mut key = [0; KEY_BYTES];
        OsRng.fill_bytes(&mut key);
        Self(key)
    }

    /// None unless it has the right length.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// A key for one purpose, out of one that is random already.
    pub(crate) fn derive(&self, purpose: &[u8]) -> Self {
        let derived = Sha256::new().chain_update(purpose).chain_update(self.0);
        Self(derived.finalize().into())
    }

    pub(crate) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&self.0.into())
    }
}

/// Nonce and ciphertext of `text`, bound to `aad`.
pub(crate) fn close(key: &Key, aad: &[u8], text: &[u8]) -> Result<Vec<u8>, Error> {
    let mut nonce = [0; NONCE_BYTES];
    OsRng.fill_bytes(&mut nonce);
    let payload = Payload { msg: text, aad };
    let closed = key.cipher().encrypt(Nonce::from_slice(&nonce), payload);
    let closed = closed.map_err(|_| Error::Seal)?;
    Ok([&nonce[..], &closed].concat())
}

/// What [`close`] closed.
pub(crate) fn open(key: &Key, aad: &[u8], closed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (nonce, msg) = closed.split_at_checked(NONCE_BYTES).ok_or(Error::Damaged)?;
    let payload = Payload { msg, aad };
    let text = key.cipher().decrypt(Nonce::from_slice(nonce), payload);
    text.map(Zeroizing::new).map_err(|_| Error::Damaged)
}
