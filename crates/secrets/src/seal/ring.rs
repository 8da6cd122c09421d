//! The keys that wrap the keys of values, and the shape of a sealed value:
//!
//! ```text
//! 2 | id of the wrapping key (4) | the value's key, wrapped (60) | nonce, ciphertext and tag
//! 1 | nonce, ciphertext and tag: made by earlier versions, directly under the key of the file
//! ```

use std::collections::BTreeMap;

use super::{
    cipher::{KEY_BYTES, OVERHEAD_BYTES},
    *,
};
use crate::{Mode, slot::bind};

/// First byte of what earlier versions sealed.
const METHOD_LEGACY: u8 = 1;
/// First byte of what is sealed today.
const METHOD: u8 = 2;
/// The method and the id of the wrapping key.
pub(crate) const HEADER_BYTES: usize = 5;
/// Bytes of a wrapped key.
const WRAPPED_BYTES: usize = KEY_BYTES + OVERHEAD_BYTES;
/// What a wrapped key is bound to, with the header before it.
const WRAP: &[u8] = b"iexec/sms/value-key/1";
/// What a value is bound to, with its row, version and mode.
const RECORD: &[u8] = b"iexec/sms/value/1";
/// The id of the key under which earlier versions sealed.
pub(crate) const LEGACY: u32 = 0;

/// All keys, one of which is used for what is new.
pub(crate) struct Ring {
    pub(crate) mode: Mode,
    pub(crate) active: u32,
    pub(crate) keys: BTreeMap<u32, Key>,
}

impl Ring {
    /// The first bytes of all that the active key wraps.
    pub(crate) fn header(&self) -> [u8; HEADER_BYTES] {
        let mut header = [METHOD; HEADER_BYTES];
        header[1..].copy_from_slice(&self.active.to_be_bytes());
        header
    }

    pub(super) fn close(
        &self,
        binding: &[u8],
        version: i64,
        value: &Value,
    ) -> Result<Vec<u8>, Error> {
        let key = Key::random();
        let text = value.expose().as_bytes();
        let text = close(&key, &self.aad(binding, version), text)?;
        Ok([self.wrap(&key)?, text].concat())
    }

    pub(super) fn open(&self, binding: &[u8], version: i64, sealed: &[u8]) -> Result<Value, Error> {
        let text = match sealed.split_first() {
            Some((&METHOD, _)) => {
                let (key, text) = self.unwrap(sealed)?;
                open(&key, &self.aad(binding, version), text)?
            }
            Some((&METHOD_LEGACY, text)) => open(self.key(LEGACY)?, binding, text)?,
            _ => return Err(Error::Damaged),
        };
        let text = std::str::from_utf8(&text).map_err(|_| Error::Damaged)?;
        Ok(Value::new(text.to_owned()))
    }

    /// The same value under the active key; none when it is under it already.
    pub(crate) fn rewrap(
        &self,
        binding: &[u8],
        version: i64,
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>, Error> {
        if sealed.starts_with(&self.header()) {
            return Ok(None);
        }
        if sealed.first() == Some(&METHOD_LEGACY) {
            let value = self.open(binding, version, sealed)?;
            return self.close(binding, version, &value).map(Some);
        }
        let (key, text) = self.unwrap(sealed)?;
        Ok(Some([&self.wrap(&key)?, text].concat()))
    }

    fn wrap(&self, key: &Key) -> Result<Vec<u8>, Error> {
        let header = self.header();
        let wrapped = close(self.key(self.active)?, &bind([WRAP, &header]), key.expose())?;
        Ok([&header[..], &wrapped].concat())
    }

    /// The value's key, and what is sealed with it.
    fn unwrap<'a>(&self, sealed: &'a [u8]) -> Result<(Key, &'a [u8]), Error> {
        let (header, rest) = sealed
            .split_at_checked(HEADER_BYTES)
            .ok_or(Error::Damaged)?;
        let (wrapped, text) = rest.split_at_checked(WRAPPED_BYTES).ok_or(Error::Damaged)?;
        let id = header[1..].try_into().map_err(|_| Error::Damaged)?;
        let key = self.key(u32::from_be_bytes(id))?;
        let key = open(key, &bind([WRAP, header]), wrapped)?;
        Ok((Key::from_slice(&key).ok_or(Error::Damaged)?, text))
    }

    fn key(&self, id: u32) -> Result<&Key, Error> {
        self.keys.get(&id).ok_or(Error::Damaged)
    }

    fn aad(&self, binding: &[u8], version: i64) -> Vec<u8> {
        let mode = self.mode.word().as_bytes();
        bind([RECORD, binding, &version.to_be_bytes(), mode])
    }
}
