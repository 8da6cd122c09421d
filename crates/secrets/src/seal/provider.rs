//! Where the root key comes from, under which the keyring is kept.

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use argon2::{Algorithm, Argon2, Params, Version};
use rand::{RngCore, rngs::OsRng};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    cipher::{KEY_BYTES, Key},
    file::write_private,
};
use crate::Error;

/// Characters of a new passphrase: whoever has the database can guess as often as they like.
pub(crate) const PASSPHRASE_CHARS_MIN: usize = 12;
/// What one guess costs: 64 MiB and three passes, above what OWASP asks of argon2id.
const ARGON2_MEMORY_KIB: u32 = if cfg!(test) { 64 } else { 64 * 1024 };
/// Passes of argon2id over its memory.
const ARGON2_PASSES: u32 = 3;
/// What a header may ask for at most: one that was tampered with shall not exhaust the machine.
const ARGON2_MEMORY_KIB_MAX: u32 = 1024 * 1024;
/// Passes that a header may ask for at most.
const ARGON2_PASSES_MAX: u32 = 16;
const SALT_BYTES: usize = 16;
/// Rights of group and others.
const OTHERS: u32 = 0o077;
const GROUP_READS: u32 = 0o040;
/// Keeps the root apart from what earlier versions did with the same file.
const FILE_PURPOSE: &[u8] = b"iexec/sms/root/file/1";
const PASSPHRASE_PURPOSE: &[u8] = b"iexec/sms/root/passphrase/1";

/// The key that everything else hangs on. It cannot be printed, and is wiped when it goes.
pub(crate) struct Root(pub(crate) Key);

impl Root {
    /// From 32 random or stretched bytes.
    #[must_use]
    pub(crate) fn new(bytes: &Zeroizing<[u8; KEY_BYTES]>, purpose: &[u8]) -> Option<Self> {
        let key = Key::from_slice(bytes.as_slice())?;
        Some(Self(key.derive(purpose)))
    }
}

/// A passphrase. It cannot be printed, and is wiped when it goes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Phrase(String);

impl Phrase {
    /// Without the line's end that editors and pipes add. None when nothing is left.
    #[must_use]
    pub fn new(mut text: String) -> Option<Self> {
        let length = text.trim_end_matches(['\r', '\n']).len();
        text.truncate(length);
        let phrase = Self(text);
        (!phrase.0.is_empty()).then_some(phrase)
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// For the question to a running service, which wipes it.
    #[must_use]
    pub fn into_text(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

/// A source of the root key. Others can follow: a TPM, or the key service of a confidential
/// machine that gives the key to measured software only.
pub(crate) trait KeyProvider: Send + Sync {
    /// As it stands in the keyring's header: another one does not open it.
    fn name(&self) -> &'static str;

    /// Whether who has the service's disk has the key too.
    fn is_insecure(&self) -> bool;

    /// For a new keyring: the root key, and what its header has to say (in clear) to find it
    /// again. None when what it needs is not there yet.
    ///
    /// # Errors
    /// When what is there cannot be used.
    fn create(&self, given: Option<&Phrase>) -> Result<Option<(Root, String)>, Error>;

    /// The root key of a keyring. None when what it needs is not there yet.
    ///
    /// # Errors
    /// When what is there cannot be used.
    fn find(&self, parameters: &str, given: Option<&Phrase>) -> Result<Option<Root>, Error>;
}

/// A key in a file beside the database: for a local network, where the disk is trusted.
pub(crate) struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// The key in the file at `path`, made when a new keyring needs it.
    #[must_use]
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// It is not the key that the store was sealed with.
    pub(crate) fn wrong(&self) -> Error {
        let path = self.path.clone();
        Error::WrongKey { path }
    }

    /// None when there is no file.
    pub(crate) fn read(&self) -> Result<Option<Key>, Error> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::disk("read", &self.path)(error)),
        };
        let path = self.path.clone();
        let key = Key::from_slice(&bytes).ok_or(Error::BadKey { path })?;
        Ok(Some(key))
    }
}

impl KeyProvider for KeyFile {
    fn name(&self) -> &'static str {
        "file"
    }

    fn is_insecure(&self) -> bool {
        true
    }

    fn create(&self, _: Option<&Phrase>) -> Result<Option<(Root, String)>, Error> {
        let key = match self.read()? {
            Some(key) => key,
            None => {
                let key = Key::random();
                let written = write_private(&self.path, key.expose());
                written.map_err(Error::disk("write", &self.path))?;
                key
            }
        };
        Ok(Some((Root(key.derive(FILE_PURPOSE)), String::new())))
    }

    /// A file that was there once and is gone does not come by waiting.
    fn find(&self, _: &str, _: Option<&Phrase>) -> Result<Option<Root>, Error> {
        let key = self.read()?.ok_or_else(|| self.wrong())?;
        Ok(Some(Root(key.derive(FILE_PURPOSE))))
    }
}

/// A passphrase, stretched with argon2id. Who has the disk has to guess it.
#[derive(Default)]
pub(crate) struct Passphrase {
    file: Option<PathBuf>,
}

/// Whether root has given just us access to a file of its own: systemd does so with an entry in the
/// file's access list, which shows as a right of the group.
fn is_lent(data: &std::fs::Metadata) -> bool {
    const ROOT: u32 = 0;
    let us = std::fs::metadata(Path::new("/proc/self")).map(|own| own.uid());
    let is_ours = us.is_ok_and(|us| us == data.uid());
    data.uid() == ROOT && !is_ours && data.permissions().mode() & OTHERS == GROUP_READS
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stretch {
    salt: String,
    memory_kib: u32,
    passes: u32,
}

impl Passphrase {
    /// With the passphrase in a file, e.g. one that systemd makes of a credential; without a file
    /// it has to be given at each start.
    #[must_use]
    pub(crate) const fn new(file: Option<PathBuf>) -> Self {
        Self { file }
    }

    /// A file that is not there yet may come: the service waits for it, sealed.
    fn phrase(&self, given: Option<&Phrase>) -> Result<Option<Phrase>, Error> {
        let (None, Some(file)) = (given, &self.file) else {
            return Ok(given.cloned());
        };
        let data = match std::fs::metadata(file) {
            Ok(data) => data,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::disk("read", file)(error)),
        };
        let wrong = |why| {
            let path = file.clone();
            Error::PassphraseFile { path, why }
        };
        if !data.is_file() {
            return Err(wrong("is not a regular file: name one that holds it"));
        }
        if data.permissions().mode() & OTHERS != 0 && !is_lent(&data) {
            return Err(wrong("can be read by others: `chmod 600` it"));
        }
        let text = std::fs::read_to_string(file).map_err(Error::disk("read", file))?;
        let phrase = Phrase::new(text);
        phrase
            .map(Some)
            .ok_or_else(|| wrong("is empty: write the passphrase into it"))
    }
}

impl KeyProvider for Passphrase {
    fn name(&self) -> &'static str {
        "passphrase"
    }

    fn is_insecure(&self) -> bool {
        false
    }

    fn create(&self, given: Option<&Phrase>) -> Result<Option<(Root, String)>, Error> {
        let Some(phrase) = self.phrase(given)? else {
            return Ok(None);
        };
        if phrase.expose().chars().count() < PASSPHRASE_CHARS_MIN {
            return Err(Error::ShortPassphrase);
        }
        let mut salt = [0; SALT_BYTES];
        OsRng.fill_bytes(&mut salt);
        let stretch = Stretch {
            salt: hex::encode(salt),
            memory_kib: ARGON2_MEMORY_KIB,
            passes: ARGON2_PASSES,
        };
        let parameters = serde_json::to_string(&stretch).map_err(|_| Error::Seal)?;
        Ok(Some((stretch.root(&phrase)?, parameters)))
    }

    fn find(&self, parameters: &str, given: Option<&Phrase>) -> Result<Option<Root>, Error> {
        let Some(phrase) = self.phrase(given)? else {
            return Ok(None);
        };
        let stretch: Stretch = serde_json::from_str(parameters).map_err(|_| Error::Damaged)?;
        stretch.root(&phrase).map(Some)
    }
}

impl Stretch {
    fn root(&self, phrase: &Phrase) -> Result<Root, Error> {
        if self.memory_kib > ARGON2_MEMORY_KIB_MAX || self.passes > ARGON2_PASSES_MAX {
            return Err(Error::Damaged);
        }
        let salt = hex::decode(&self.salt).map_err(|_| Error::Damaged)?;
        let parameters = Params::new(self.memory_kib, self.passes, 1, Some(KEY_BYTES));
        let parameters = parameters.map_err(|_| Error::Damaged)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        argon2
            .hash_password_into(phrase.expose().as_bytes(), &salt, bytes.as_mut_slice())
            .map_err(|_| Error::Damaged)?;
        Root::new(&bytes, PASSPHRASE_PURPOSE).ok_or(Error::Seal)
    }
}
