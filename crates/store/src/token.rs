//! Upload tokens: JSON web tokens (HS256) that bind a worker to a task until the task's final
//! deadline (spec/pool-worker.md §3.3; theirs never expire).

use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use protocol::{Address, TaskId};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Error;

const HEADER: &[u8] = br#"{"alg":"HS256","typ":"JWT"}"#;
/// Bytes of the signing key: as many as the hash has.
const KEY_BYTES: usize = 32;
/// Bytes of a sha256 block, which HMAC pads the key to.
const BLOCK_BYTES: usize = 64;

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The worker.
    #[serde(rename = "aud")]
    pub(crate) worker: Address,
    /// The task it may upload.
    #[serde(rename = "sub")]
    pub(crate) task: TaskId,
    /// When it was issued, seconds since 1970.
    #[serde(rename = "iat")]
    pub(crate) issued: u64,
    /// From when on it is worthless, seconds since 1970.
    #[serde(rename = "exp")]
    pub(crate) expires: u64,
}

/// Issues and checks tokens. The key stays on disk, so that tokens survive a restart.
pub(crate) struct Tokens {
    key: [u8; KEY_BYTES],
}

impl Tokens {
    /// Reads the key at `path`, or makes one that only our user can read.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        match std::fs::read(path) {
            Ok(bytes) => {
                let expected = "a key of 32 bytes";
                let path = path.to_owned();
                let key = bytes.try_into();
                let key = key.map_err(|_| Error::Corrupt { path, expected })?;
                Ok(Self { key })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(Error::disk("read", path)(error)),
        }
    }

    fn create(path: &Path) -> Result<Self, Error> {
        let mut key = [0; KEY_BYTES];
        rand::rngs::OsRng.fill_bytes(&mut key);
        let temporary = path.with_extension("new");
        write_private(&temporary, &key).map_err(Error::disk("write", &temporary))?;
        std::fs::rename(&temporary, path).map_err(Error::disk("rename", path))?;
        Ok(Self { key })
    }

    pub(crate) fn issue(&self, claims: &Claims) -> Result<String, Error> {
        let payload = serde_json::to_vec(claims).map_err(|_| Error::Token)?;
        Ok(self.sign(&payload))
    }

    /// A login token: who proved to be `wallet` (spec/client.md Appendix B). It opens nothing: it
    /// has no task, so [`Tokens::check`] refuses it. The same wallet gets the same text.
    pub(crate) fn login(&self, wallet: Address) -> String {
        let payload = serde_json::json!({ "aud": wallet });
        self.sign(payload.to_string().as_bytes())
    }

    /// The text that `wallet` has to sign during `period` to log in: no memory is needed to know
    /// it again, and nobody else can tell it beforehand.
    pub(crate) fn challenge(&self, wallet: Address, period: u64) -> String {
        let mac = hmac(&self.key, format!("login {wallet} {period}").as_bytes());
        hex::encode(mac)
    }

    fn sign(&self, payload: &[u8]) -> String {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(HEADER),
            URL_SAFE_NO_PAD.encode(payload)
        );
        let mac = hmac(&self.key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    /// The claims of a genuine token that is still good at `now` (seconds since 1970).
    pub(crate) fn check(&self, token: &str, now: u64) -> Result<Claims, Error> {
        let (signed, mac) = token.rsplit_once('.').ok_or(Error::Token)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| Error::Token)?;
        if !equal(&mac, &hmac(&self.key, signed.as_bytes())) {
            return Err(Error::Token);
        }
        let (_, payload) = signed.split_once('.').ok_or(Error::Token)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| Error::Token)?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| Error::Token)?;
        (now < claims.expires).then_some(claims).ok_or(Error::Token)
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8; KEY_BYTES], message: &[u8]) -> [u8; 32] {
    let pad = |with: u8| {
        let mut block = [with; BLOCK_BYTES];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message);
    let outer = Sha256::new().chain_update(pad(0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

/// Takes equally long wherever the first difference is, so that a MAC cannot be guessed bytewise.
fn equal(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn claims() -> Claims {
        Claims {
            worker: Address::repeat_byte(0xab),
            task: TaskId::repeat(1),
            issued: 1000,
            expires: 2000,
        }
    }

    /// Test case 1. Its key has 20 bytes; HMAC pads with zeros, so may we.
    #[test]
    fn the_mac_is_rfc_4231s() {
        let mut key = [0; KEY_BYTES];
        key[..20].fill(0x0b);
        assert_eq!(
            hex::encode(hmac(&key, b"Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn a_token_says_what_was_signed_until_it_expires() {
        let tokens = Tokens { key: [7; 32] };
        let token = tokens.issue(&claims()).unwrap();
        assert_eq!(tokens.check(&token, 1999).unwrap(), claims());
        assert!(tokens.check(&token, 2000).is_err());
    }

    #[test]
    fn a_login_opens_no_task() {
        let tokens = Tokens { key: [7; 32] };
        let wallet = Address::repeat_byte(1);
        let login = tokens.login(wallet);
        assert_eq!(login, tokens.login(wallet));
        assert!(tokens.check(&login, 1000).is_err());
    }

    #[test]
    fn a_challenge_is_of_one_wallet_and_one_period() {
        let tokens = Tokens { key: [7; 32] };
        let wallet = Address::repeat_byte(1);
        let text = tokens.challenge(wallet, 5);
        assert_eq!(text, tokens.challenge(wallet, 5));
        assert_ne!(text, tokens.challenge(wallet, 6));
        assert_ne!(text, tokens.challenge(Address::repeat_byte(2), 5));
        assert_ne!(text, Tokens { key: [8; 32] }.challenge(wallet, 5));
    }

    #[test]
    fn no_character_of_a_token_can_be_changed() {
        let tokens = Tokens { key: [7; 32] };
        let token = tokens.issue(&claims()).unwrap();
        for (index, old) in token.char_indices() {
            let new = if old == 'A' { "E" } else { "A" };
            let mut forged = token.clone();
            forged.replace_range(index..=index, new);
            assert!(tokens.check(&forged, 1000).is_err(), "{index}");
        }
        let other = Tokens { key: [8; 32] };
        assert!(other.check(&token, 1000).is_err());
        for junk in ["", ".", "..", "a.b.c"] {
            assert!(tokens.check(junk, 1000).is_err(), "{junk}");
        }
    }

    #[test]
    fn the_key_is_private_and_survives() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token.key");
        let token = Tokens::open(&path).unwrap().issue(&claims()).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(Tokens::open(&path).unwrap().check(&token, 1000).is_ok());
        std::fs::write(&path, b"short").unwrap();
        assert!(Tokens::open(&path).is_err());
    }
}
