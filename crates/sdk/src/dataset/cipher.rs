//! A dataset's encryption: AES-256-CBC with PKCS#7 padding and the IV in front; the checksum is
//! the sha256 of all of it (spec/client.md §4.8). Files are streamed, whatever their size.

use std::io::{self, Read, Write};

use aes::{
    Aes256,
    cipher::{
        BlockDecryptMut, BlockEncryptMut, KeyIvInit, block_padding::Pkcs7,
        generic_array::GenericArray,
    },
};
use protocol::B256;
use sha2::{Digest, Sha256};

use super::Key;
use crate::Error;

/// The first bytes of an encrypted dataset.
pub type Iv = [u8; BLOCK];

const BLOCK: usize = 16;
/// Read at once: whole blocks, large enough that the system calls do not count.
const CHUNK_BYTES: usize = 64 * 1024;

/// A new one from the operating system.
pub fn random_iv() -> Iv {
    rand::random()
}

/// Encrypts `from` into `to` and returns the checksum of what was written. `seen` is told how many
/// bytes of `from` are done. `iv` must be random and never used again with the same key.
///
/// # Errors
/// What reading or writing failed with.
pub fn encrypt(
    key: &Key,
    iv: Iv,
    from: &mut impl Read,
    to: &mut impl Write,
    mut seen: impl FnMut(u64),
) -> io::Result<B256> {
    let mut cipher = cbc::Encryptor::<Aes256>::new(key.bytes().into(), &iv.into());
    let mut hash = Sha256::new();
    let mut emit = |bytes: &[u8]| {
        hash.update(bytes);
        to.write_all(bytes)
    };
    emit(&iv)?;
    let (mut chunk, mut total) = (vec![0; CHUNK_BYTES], 0);
    loop {
        let count = fill(from, &mut chunk)?;
        total += count as u64;
        if count < CHUNK_BYTES {
            let last = cipher.encrypt_padded_mut::<Pkcs7>(&mut chunk, count);
            emit(last.map_err(io::Error::other)?)?;
            seen(total);
            break;
        }
        for block in chunk.chunks_exact_mut(BLOCK) {
            cipher.encrypt_block_mut(GenericArray::from_mut_slice(block));
        }
        emit(&chunk)?;
        seen(total);
    }
    Ok(B256::from_slice(&hash.finalize()))
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

/// The content of an encrypted dataset.
///
/// # Errors
/// [`Error::Invalid`] when it is damaged or the key is another dataset's.
pub fn decrypt(key: &Key, encrypted: &[u8]) -> Result<Vec<u8>, Error> {
    let damaged = || Error::invalid("dataset", "it is damaged, or the key is not its own");
    let (iv, text) = encrypted.split_at_checked(BLOCK).ok_or_else(damaged)?;
    cbc::Decryptor::<Aes256>::new(key.bytes().into(), GenericArray::from_slice(iv))
        .decrypt_padded_vec_mut::<Pkcs7>(text)
        .map_err(|_| damaged())
}

/// The checksum that goes on chain for an encrypted dataset.
///
/// # Errors
/// What reading failed with.
pub fn checksum(encrypted: &mut impl Read) -> io::Result<B256> {
    let mut hash = Sha256::new();
    io::copy(encrypted, &mut hash)?;
    Ok(B256::from_slice(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encrypt_all(key: &Key, iv: Iv, content: &[u8]) -> (Vec<u8>, B256) {
        let mut encrypted = Vec::new();
        let checksum = encrypt(key, iv, &mut &content[..], &mut encrypted, |_| {}).unwrap();
        (encrypted, checksum)
    }

    /// A reader that gives as little as it may.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(to.len()).min(777);
            self.0.read(&mut to[..count])
        }
    }

    #[test]
    fn chunks_leave_no_trace() {
        let key = Key::from_bytes([3; 32]);
        for length in [
            CHUNK_BYTES - 1,
            CHUNK_BYTES,
            CHUNK_BYTES + 1,
            3 * CHUNK_BYTES,
        ] {
            let content: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let (at_once, sum) = encrypt_all(&key, [4; BLOCK], &content);
            assert_eq!(at_once.len(), BLOCK + (length / BLOCK + 1) * BLOCK);
            assert_eq!(decrypt(&key, &at_once).unwrap(), content);
            let (mut in_drops, mut seen) = (Vec::new(), 0);
            let told = |total| seen = total;
            let again = encrypt(&key, [4; BLOCK], &mut Drops(&content), &mut in_drops, told);
            assert_eq!((again.unwrap(), in_drops), (sum, at_once));
            assert_eq!(seen, length as u64);
        }
    }

    #[test]
    fn damaged_files_and_wrong_keys_are_refused() {
        let key = Key::from_bytes([3; 32]);
        let (encrypted, _) = encrypt_all(&key, [4; BLOCK], b"0123456789abcdef");
        assert!(decrypt(&key, &encrypted[..10]).is_err());
        assert!(decrypt(&key, &encrypted[..BLOCK + 7]).is_err());
        assert!(decrypt(&key, &encrypted[..BLOCK]).is_err());
        assert!(decrypt(&Key::from_bytes([5; 32]), &encrypted).is_err());
    }
}
