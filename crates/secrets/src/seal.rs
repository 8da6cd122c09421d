//! Secrets at rest: AES-256-GCM under a key in a file that only our user can read, bound to the
//! slot. (The official service uses AES-128-ECB: spec/secrets-tee.md §1.7, W1.)

use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use rand::RngCore;

use crate::{Error, Value};

/// Bytes of the key of AES-256.
const KEY_BYTES: usize = 32;
/// Bytes of GCM's nonce. Random: safe up to 2^32 values under one key, more than will ever be.
const NONCE_BYTES: usize = 12;
/// First byte of everything sealed, so that another method can follow.
const METHOD: u8 = 1;

/// Opens and closes values.
pub(crate) struct Seal {
    cipher: Aes256Gcm,
}

impl Seal {
    /// Reads the key; none when there is no file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let key = match std::fs::read(path) {
            Ok(key) => key,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::disk("read", path)(error)),
        };
        let path = path.to_owned();
        Self::new(&key).map(Some).ok_or(Error::BadKey { path })
    }

    /// Makes a key and writes it.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let mut key = [0; KEY_BYTES];
        rand::rngs::OsRng.fill_bytes(&mut key);
        let temporary = path.with_extension("new");
        write_private(&temporary, &key).map_err(Error::disk("write", &temporary))?;
        std::fs::rename(&temporary, path).map_err(Error::disk("rename", path))?;
        sync_parent(path).map_err(Error::disk("sync the directory of", path))?;
        Self::new(&key).ok_or(Error::Seal)
    }

    fn new(key: &[u8]) -> Option<Self> {
        let cipher = Aes256Gcm::new_from_slice(key).ok()?;
        Some(Self { cipher })
    }

    /// Seals `value`, to be opened with the same `binding` only.
    pub(crate) fn close(&self, binding: &[u8], value: &Value) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_BYTES];
        rand::rngs::OsRng.fill_bytes(&mut nonce);
        let payload = Payload {
            msg: value.expose().as_bytes(),
            aad: binding,
        };
        let sealed = self.cipher.encrypt(Nonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|_| Error::Seal)?;
        Ok([&[METHOD], &nonce[..], &sealed].concat())
    }

    /// The value that was sealed.
    pub(crate) fn open(&self, binding: &[u8], sealed: &[u8]) -> Result<Value, Error> {
        let sealed = sealed.strip_prefix(&[METHOD]).ok_or(Error::Damaged)?;
        let (nonce, msg) = sealed.split_at_checked(NONCE_BYTES).ok_or(Error::Damaged)?;
        let payload = Payload { msg, aad: binding };
        let text = self.cipher.decrypt(Nonce::from_slice(nonce), payload);
        let text = text.map_err(|_| Error::Damaged)?;
        let text = String::from_utf8(text).map_err(|_| Error::Damaged)?;
        Ok(Value::new(text))
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the rename survive a power cut: without the key, every secret is lost.
pub(crate) fn sync_parent(path: &Path) -> std::io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    std::fs::File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    fn seal() -> Seal {
        Seal::new(&[7; KEY_BYTES]).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_in_its_slot_only(
            text in ".{0,200}",
            flip in any::<prop::sample::Index>(),
        ) {
            let value = Value::new(text.clone());
            let sealed = seal().close(b"slot", &value).unwrap();
            let opened = seal().open(b"slot", &sealed).unwrap();
            prop_assert_eq!(opened.expose(), &text);
            prop_assert!(seal().open(b"other", &sealed).is_err());
            let other = Seal::new(&[8; KEY_BYTES]).unwrap();
            prop_assert!(other.open(b"slot", &sealed).is_err());
            let mut damaged = sealed.clone();
            damaged[flip.index(sealed.len())] ^= 1;
            prop_assert!(seal().open(b"slot", &damaged).is_err());
        }
    }

    #[test]
    fn equal_values_look_different() {
        let value = Value::new("same".into());
        let sealed = || seal().close(b"slot", &value).unwrap();
        assert_ne!(sealed(), sealed());
    }

    #[test]
    fn short_nonsense_is_damage_not_a_panic() {
        for bytes in [&[][..], &[METHOD], &[METHOD; 13], &[9; 40]] {
            assert!(seal().open(b"slot", bytes).is_err());
        }
    }

    #[test]
    fn the_key_file_is_private_and_checked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k");
        assert!(Seal::read(&path).unwrap().is_none());
        let sealed = Seal::create(&path).unwrap();
        let sealed = sealed.close(b"slot", &Value::new("x".into())).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Seal::read(&path).unwrap().unwrap();
        assert_eq!(again.open(b"slot", &sealed).unwrap().expose(), "x");
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(Seal::read(&path), Err(Error::BadKey { .. })));
    }
}
