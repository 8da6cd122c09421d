//! The cipher of datasets and results: the first block is the IV, the rest AES-256-CBC with
//! PKCS#7 padding (spec/secrets-tee.md §3). It tells nothing of a change: whoever decrypts has
//! compared a checksum before.

use std::io::{self, Read, Write};

use aes::{
    Aes256,
    cipher::{
        BlockDecryptMut, BlockEncryptMut, KeyIvInit, block_padding::Pkcs7,
        generic_array::GenericArray,
    },
};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;
const BLOCK: usize = 16;
/// Read at once: a multiple of the block, and small beside a task's memory.
const CHUNK_BYTES: usize = 64 << 10;

/// A key, wiped when dropped.
pub(crate) type Key = Zeroizing<[u8; KEY_BYTES]>;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Reads base64 of a key in the standard or the URL-safe alphabet: the official client takes both.
pub(crate) fn parse_key(text: &str) -> Option<Key> {
    let text = text.trim();
    let alphabet = match text.contains(['-', '_']) {
        true => &alphabet::URL_SAFE,
        false => &alphabet::STANDARD,
    };
    let decoded = GeneralPurpose::new(alphabet, LENIENT).decode(text).ok();
    let decoded = Zeroizing::new(decoded?);
    Some(Zeroizing::new(decoded.as_slice().try_into().ok()?))
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "damaged, or not for this key")
}

/// Writes the content of `from` to `to` as it comes, so that no file has to fit in memory.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when the length or the padding is wrong; else the disk's. What
/// was written until then is no content.
pub(crate) fn decrypt(key: &Key, from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut iv = [0; BLOCK];
    from.read_exact(&mut iv).map_err(|_| damaged())?;
    let mut cipher =
        cbc::Decryptor::<Aes256>::new(key.as_slice().into(), GenericArray::from_slice(&iv));
    // The last block waits until it is known to be the last.
    let mut chunk = Zeroizing::new(vec![0; BLOCK + CHUNK_BYTES]);
    let mut kept = 0;
    loop {
        let count = fill(from, &mut chunk[kept..kept + CHUNK_BYTES])?;
        let whole = kept + count;
        if count % BLOCK != 0 || whole == 0 {
            return Err(damaged());
        }
        for block in chunk[kept..whole].chunks_exact_mut(BLOCK) {
            cipher.decrypt_block_mut(GenericArray::from_mut_slice(block));
        }
        if count < CHUNK_BYTES {
            return to.write_all(unpad(&chunk[..whole])?);
        }
        to.write_all(&chunk[..whole - BLOCK])?;
        chunk.copy_within(whole - BLOCK..whole, 0);
        kept = BLOCK;
    }
}

fn unpad(text: &[u8]) -> io::Result<&[u8]> {
    let padding = usize::from(*text.last().ok_or_else(damaged)?);
    let (content, tail) = text
        .split_at_checked(text.len().wrapping_sub(padding))
        .ok_or_else(damaged)?;
    let sound = (1..=BLOCK).contains(&padding) && tail.iter().all(|b| usize::from(*b) == padding);
    sound.then_some(content).ok_or_else(damaged)
}

/// Writes `iv` and the encrypted content of `from` to `to`.
///
/// # Errors
/// The disk's.
pub(crate) fn encrypt(
    key: &Key,
    iv: [u8; BLOCK],
    from: &mut impl Read,
    to: &mut impl Write,
) -> io::Result<()> {
    let mut cipher =
        cbc::Encryptor::<Aes256>::new(key.as_slice().into(), GenericArray::from_slice(&iv));
    to.write_all(&iv)?;
    let mut chunk = Zeroizing::new(vec![0; CHUNK_BYTES]);
    loop {
        let count = fill(from, &mut chunk)?;
        if count < CHUNK_BYTES {
            let last = cipher.encrypt_padded_mut::<Pkcs7>(&mut chunk, count);
            return to.write_all(last.map_err(io::Error::other)?);
        }
        for block in chunk.chunks_exact_mut(BLOCK) {
            cipher.encrypt_block_mut(GenericArray::from_mut_slice(block));
        }
        to.write_all(&chunk)?;
    }
}

/// Reads until `chunk` is full or there is no more.
fn fill(from: &mut impl Read, chunk: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < chunk.len() {
        match from.read(&mut chunk[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Zeroizing::new([3; KEY_BYTES])
    }

    fn open(key: &Key, encrypted: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        decrypt(key, &mut &encrypted[..], &mut plain).map(|()| plain)
    }

    #[test]
    fn both_alphabets_are_read_and_nothing_else() {
        let standard = "+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/8=";
        let url_safe = "-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_8";
        let read = parse_key(standard).unwrap();
        assert_eq!(*read, *parse_key(url_safe).unwrap());
        assert_eq!(*read, *parse_key(&format!(" {standard}\n")).unwrap());
        for wrong in ["", "foo", "AAAAAAAAAAAAAAAAAAAAAA==", &"A".repeat(44)] {
            assert!(parse_key(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn what_was_encrypted_comes_back_whatever_its_length() {
        for length in [
            0,
            1,
            15,
            16,
            17,
            CHUNK_BYTES - 1,
            CHUNK_BYTES,
            CHUNK_BYTES + 16,
        ] {
            let content: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let mut encrypted = Vec::new();
            encrypt(&key(), [4; BLOCK], &mut &content[..], &mut encrypted).unwrap();
            assert_eq!(encrypted.len(), BLOCK + (length / BLOCK + 1) * BLOCK);
            assert_eq!(open(&key(), &encrypted).unwrap(), content, "{length}");
        }
    }

    #[test]
    fn the_official_clients_files_are_opened() {
        let files: [(&[u8], &[u8], &str); 3] = [
            (
                include_bytes!("../../sdk/vectors/dataset/empty.plain.bin"),
                include_bytes!("../../sdk/vectors/dataset/empty.enc.bin"),
                "vE2TnltGv8cAzC7UPbuiNV7PIrVUNN0P495m3bGoaYc=",
            ),
            (
                include_bytes!("../../sdk/vectors/dataset/sixteen.plain.bin"),
                include_bytes!("../../sdk/vectors/dataset/sixteen.enc.bin"),
                "93hszB5Yqf5XWklDTlRot10l/5eDypj0y46Py1B6A+U=",
            ),
            (
                include_bytes!("../../sdk/vectors/dataset/binary1000.plain.bin"),
                include_bytes!("../../sdk/vectors/dataset/binary1000.enc.bin"),
                "56ggkQfJ8YPSDnotSdzbCYLILUi2RXRk7lVYlF2TzSs=",
            ),
        ];
        for (content, encrypted, key) in files {
            assert_eq!(open(&parse_key(key).unwrap(), encrypted).unwrap(), content);
        }
    }

    #[test]
    fn damaged_files_and_wrong_keys_are_refused() {
        let mut encrypted = Vec::new();
        encrypt(
            &key(),
            [4; BLOCK],
            &mut &b"0123456789abcdef"[..],
            &mut encrypted,
        )
        .unwrap();
        for length in [0, 10, BLOCK, BLOCK + 7] {
            let error = open(&key(), &encrypted[..length]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{length}");
        }
        assert!(open(&Zeroizing::new([5; KEY_BYTES]), &encrypted).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_content_comes_back(content: Vec<u8>, key: [u8; 32], iv: [u8; 16]) {
            let key = Zeroizing::new(key);
            let mut encrypted = Vec::new();
            encrypt(&key, iv, &mut &content[..], &mut encrypted).unwrap();
            proptest::prop_assert_eq!(open(&key, &encrypted).unwrap(), content);
        }
    }
}
