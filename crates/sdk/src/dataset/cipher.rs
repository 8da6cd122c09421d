//! A dataset's encryption ([`protocol::cipher`]) with the checksum that goes on chain: the sha256
//! of all of the encrypted file (spec/client.md §4.8). Files are streamed, whatever their size.

use std::io::{self, Read, Write};

use protocol::{B256, cipher};
use sha2::{Digest, Sha256};

pub use protocol::{cipher::Iv, digest::content as checksum};

use super::Key;
use crate::Error;

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
    seen: impl FnMut(u64),
) -> io::Result<B256> {
    let mut from = Counted {
        from,
        total: 0,
        seen,
    };
    let mut to = Hashed {
        to,
        hash: Sha256::new(),
    };
    cipher::encrypt(&key.0, iv, &mut from, &mut to)?;
    Ok(B256::from_slice(&to.hash.finalize()))
}

/// Tells how far it was read.
struct Counted<'a, R, F> {
    from: &'a mut R,
    total: u64,
    seen: F,
}

impl<R: Read, F: FnMut(u64)> Read for Counted<'_, R, F> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(to)?;
        self.total += count as u64;
        (self.seen)(self.total);
        Ok(count)
    }
}

/// Hashes what is written.
struct Hashed<'a, W> {
    to: &'a mut W,
    hash: Sha256,
}

impl<W: Write> Write for Hashed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The content of an encrypted dataset.
///
/// # Errors
/// [`Error::Invalid`] when it is damaged or the key is another dataset's.
pub fn decrypt(key: &Key, mut encrypted: &[u8]) -> Result<Vec<u8>, Error> {
    let mut content = Vec::with_capacity(encrypted.len());
    let opened = cipher::decrypt(&key.0, &mut encrypted, &mut content);
    let damaged = |_| Error::invalid("dataset", "it is damaged, or the key is not its own");
    opened.map(|()| content).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes as little as it may.
    struct Narrow(Vec<u8>);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(777);
            self.0.write(&bytes[..count])
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_checksum_is_that_of_the_file_and_every_byte_is_seen() {
        let (key, content) = (Key::from_bytes([3; 32]), vec![b'a'; 200_000]);
        let (mut file, mut seen) = (Narrow(Vec::new()), 0);
        let told = |total| seen = total;
        let sum = encrypt(&key, [4; 16], &mut &content[..], &mut file, told).unwrap();
        assert_eq!(seen, content.len() as u64);
        assert_eq!(checksum(&mut &file.0[..]).unwrap(), sum);
        assert_eq!(decrypt(&key, &file.0).unwrap(), content);
    }

    #[test]
    fn damaged_files_and_wrong_keys_are_refused() {
        let (key, mut file) = (Key::from_bytes([3; 32]), Vec::new());
        encrypt(&key, [4; 16], &mut &b"text"[..], &mut file, |_| {}).unwrap();
        assert!(decrypt(&key, &file[..10]).is_err());
        assert!(decrypt(&Key::from_bytes([5; 32]), &file).is_err());
    }
}
