//! Secrets at rest: each value has a random key of its own, which is kept beside it, wrapped in a
//! key of the keyring. A new key in the keyring means to wrap those small keys again, never to
//! touch the values. (The official service uses AES-128-ECB: spec/secrets-tee.md §1.7, W1.)

use std::sync::{PoisonError, RwLock};

use crate::{Error, Value};

mod cipher;
mod file;
mod provider;
mod ring;
#[cfg(test)]
mod tests;

pub(crate) use cipher::{Key, close, open};
pub(crate) use file::{sync_parent, write_private};
pub use provider::Phrase;
pub(crate) use provider::{KeyFile, KeyProvider, PASSPHRASE_CHARS_MIN, Passphrase, Root};
pub(crate) use ring::{LEGACY, Ring};

/// Opens and closes values, while there is a keyring; without one the service is sealed.
#[derive(Default)]
pub(crate) struct Seal {
    ring: RwLock<Option<Ring>>,
}

impl Seal {
    /// Whether no key is there.
    pub(crate) fn is_sealed(&self) -> bool {
        self.with(|_| Ok(())).is_err()
    }

    /// From now on values are opened and closed with `ring`.
    pub(crate) fn set(&self, ring: Ring) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Some(ring);
    }

    /// Seals `value`, to be opened with the same `binding` only.
    pub(crate) fn close(&self, binding: &[u8], value: &Value) -> Result<Vec<u8>, Error> {
        self.close_version(binding, 0, value)
    }

    /// The same for a value that replaces others: an older one in its row does not open.
    pub(crate) fn close_version(
        &self,
        binding: &[u8],
        version: i64,
        value: &Value,
    ) -> Result<Vec<u8>, Error> {
        self.with(|ring| ring.close(binding, version, value))
    }

    /// The value that was sealed.
    pub(crate) fn open(&self, binding: &[u8], sealed: &[u8]) -> Result<Value, Error> {
        self.open_version(binding, 0, sealed)
    }

    /// The value that was sealed as this version.
    pub(crate) fn open_version(
        &self,
        binding: &[u8],
        version: i64,
        sealed: &[u8],
    ) -> Result<Value, Error> {
        self.with(|ring| ring.open(binding, version, sealed))
    }

    /// What the keyring says.
    pub(crate) fn with<T>(&self, ask: impl FnOnce(&Ring) -> Result<T, Error>) -> Result<T, Error> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ask(ring.as_ref().ok_or(Error::Sealed)?)
    }
}
