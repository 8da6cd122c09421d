//! Opening the archive of a confidential task with the beneficiary's private key (spec/client.md
//! §4.8).

use aes::{
    Aes128,
    cipher::{BlockDecrypt, KeyInit, generic_array::GenericArray},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use protocol::cipher::{self, BLOCK_BYTES, KEY_ENTRY, Key, PAYLOAD_ENTRY};
use rsa::{Pkcs1v15Encrypt, RsaPrivateKey, pkcs1::DecodeRsaPrivateKey, pkcs8::DecodePrivateKey};

use super::{
    RESULT_BYTES_MAX,
    archive::{Archive, Member},
    verify::at_root,
};
use crate::Error;

/// Bytes of the entry with the key.
const KEY_BYTES_MAX: u64 = 1_000;
/// How every name of an encrypted archive ends, wherever it lies.
const PAYLOAD_ENDING: &str = ".zip.aes";

/// The zip inside an encrypted archive. `pem` is the beneficiary's key, PKCS#8 or PKCS#1.
///
/// The encryption has no authentication, so the zip must be whole; whether it is what the workers
/// agreed on only the chain can tell: see [`verify_opened`](super::verify_opened()).
///
/// # Errors
/// [`Error::NoResult`] with the reason: not an encrypted archive, another beneficiary's, damaged.
pub fn decrypt(archive: &[u8], pem: &str) -> Result<Vec<u8>, Error> {
    open(archive, pem).map_err(|reason| Error::NoResult {
        reason: format!("the result cannot be decrypted: {reason}"),
    })
}

fn open(archive: &[u8], pem: &str) -> Result<Vec<u8>, String> {
    let private = RsaPrivateKey::from_pkcs8_pem(pem)
        .or_else(|_| RsaPrivateKey::from_pkcs1_pem(pem))
        .map_err(|_| "the key file holds no RSA key")?;
    let mut archive = Archive::open(archive)?;
    let members = archive.members()?;
    let key = find(&members, KEY_ENTRY, |name| name == KEY_ENTRY)?;
    let wrapped = archive.content(key, KEY_BYTES_MAX)?;
    let payload = find(&members, PAYLOAD_ENTRY, |name| {
        name.ends_with(PAYLOAD_ENDING)
    })?;
    let payload = archive.content(payload, RESULT_BYTES_MAX as u64)?;
    let key = unwrap_key(&private, wrapped)?;
    let opened = match key.as_slice().try_into() {
        Ok(key) => open_cbc(&Key::from_bytes(key), &payload),
        Err(_) => open_legacy(&key, &payload),
    }?;
    Archive::check_whole(&opened)?;
    Ok(opened)
}

/// The entry `name` at the root; else the only one of the archive whose own name is alike. The
/// official documentation shows archives with folders, which its client refuses.
fn find<'a>(
    members: &'a [Member],
    name: &str,
    is_alike: impl Fn(&str) -> bool,
) -> Result<&'a Member, String> {
    if let Some(member) = at_root(members, name) {
        return Ok(member);
    }
    let own_name = |member: &&Member| member.path.last().is_some_and(|name| is_alike(name));
    let mut alike = members.iter().filter(own_name);
    match (alike.next(), alike.next()) {
        (Some(member), None) => Ok(member),
        (Some(_), Some(_)) => Err(format!("more than one file could be its {name}")),
        (None, _) => Err(format!("missing {name}")),
    }
}

/// The AES key; older archives have base64 around it, inside and outside of RSA.
fn unwrap_key(private: &RsaPrivateKey, wrapped: Vec<u8>) -> Result<Vec<u8>, String> {
    let wrapped = from_base64(&wrapped).unwrap_or(wrapped);
    let key = private
        .decrypt(Pkcs1v15Encrypt, &wrapped)
        .map_err(|_| "its key is for another beneficiary")?;
    let is_key = |key: &Vec<u8>| key.len() == 32 || key.len() == 16;
    Some(key.clone())
        .filter(is_key)
        .or_else(|| from_base64(&key).filter(is_key))
        .ok_or_else(|| "its key has an unknown length".to_owned())
}

fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD.decode(text).ok()
}

fn damaged() -> String {
    "its content is damaged".to_owned()
}

fn open_cbc(key: &Key, mut payload: &[u8]) -> Result<Vec<u8>, String> {
    let mut opened = Vec::with_capacity(payload.len());
    cipher::decrypt(key, &mut payload, &mut opened).map_err(|_| damaged())?;
    Ok(opened)
}

/// AES-128-ECB under base64, as written years ago.
fn open_legacy(key: &[u8], payload: &[u8]) -> Result<Vec<u8>, String> {
    let mut text = from_base64(payload).ok_or_else(damaged)?;
    let aes = Aes128::new_from_slice(key).map_err(|_| damaged())?;
    if text.len() % BLOCK_BYTES != 0 {
        return Err(damaged());
    }
    for block in text.chunks_exact_mut(BLOCK_BYTES) {
        aes.decrypt_block(GenericArray::from_mut_slice(block));
    }
    let content = cipher::unpad(&text).ok_or_else(damaged)?.len();
    text.truncate(content);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = include_str!("../../vectors/TEST_ONLY_rsa2048.key.pem");
    const OLD_KEY: &str = include_str!("../../vectors/TEST_ONLY_rsa2048.pkcs1.key.pem");
    const INNER: &[u8] = include_bytes!("../../vectors/own_encryptor.inner.zip");
    const ENCRYPTED: &[u8] = include_bytes!("../../vectors/own_encryptor.encrypted.zip");
    const LEGACY: &[u8] = include_bytes!("../../vectors/legacy_aes128ecb.encrypted.zip");
    const OAEP: &[u8] = include_bytes!("../../vectors/neg_oaep.encrypted.zip");

    #[test]
    fn what_the_official_client_opens_is_opened() {
        assert_eq!(decrypt(ENCRYPTED, KEY).unwrap(), INNER);
        assert_eq!(decrypt(ENCRYPTED, OLD_KEY).unwrap(), INNER);
        assert_eq!(decrypt(LEGACY, KEY).unwrap(), INNER);
    }

    /// The archive with its entries moved.
    fn moved(names: &[(&str, &str)]) -> Vec<u8> {
        let mut from = zip::ZipArchive::new(std::io::Cursor::new(ENCRYPTED)).unwrap();
        let mut to = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (old, new) in names {
            let mut content = Vec::new();
            std::io::copy(&mut from.by_name(old).unwrap(), &mut content).unwrap();
            let options = zip::write::SimpleFileOptions::default();
            to.start_file(*new, options).unwrap();
            std::io::Write::write_all(&mut to, &content).unwrap();
        }
        to.finish().unwrap().into_inner()
    }

    #[test]
    fn entries_may_lie_in_folders() {
        let (key, payload) = (KEY_ENTRY, PAYLOAD_ENTRY);
        for nested in ["iexec_out/result.zip.aes", "a/b/iexec_out.zip.aes"] {
            let archive = moved(&[(key, "iexec_out/aes-key.rsa"), (payload, nested)]);
            assert_eq!(decrypt(&archive, KEY).unwrap(), INNER, "{nested}");
        }
        let twice = moved(&[
            (key, key),
            (payload, "a/x.zip.aes"),
            (payload, "b/x.zip.aes"),
        ]);
        let error = decrypt(&twice, KEY).unwrap_err().to_string();
        assert!(error.contains("more than one"), "{error}");
    }

    /// A block whose last byte is a length, and whose others are not that padding.
    #[test]
    fn an_old_archive_is_cut_exactly_or_refused() {
        use aes::cipher::BlockEncrypt;

        let key = [7; BLOCK_BYTES];
        let close = |mut block: [u8; BLOCK_BYTES]| {
            let aes = Aes128::new_from_slice(&key).unwrap();
            aes.encrypt_block(GenericArray::from_mut_slice(&mut block));
            STANDARD.encode(block)
        };
        let mut block = [b'x'; BLOCK_BYTES];
        block[14..].copy_from_slice(&[2, 2]);
        let opened = open_legacy(&key, close(block).as_bytes());
        assert_eq!(opened.unwrap(), [b'x'; 14]);
        block[14] = 3;
        assert!(open_legacy(&key, close(block).as_bytes()).is_err());
    }

    #[test]
    fn what_cannot_be_opened_says_why() {
        let error = |archive, key| decrypt(archive, key).unwrap_err().to_string();
        assert!(error(OAEP, KEY).contains("another beneficiary"));
        assert!(error(INNER, KEY).contains("missing aes-key.rsa"));
        assert!(error(ENCRYPTED, "nonsense").contains("no RSA key"));
    }
}
