//! The cipher of encrypted datasets and results, for those who encrypt and those who open
//! (spec/secrets-tee.md §3): the first block is the IV, the rest AES-256-CBC with PKCS#7 padding.
//!
//! It has no authentication: whoever decrypts compares a checksum before, or a digest afterwards.
//! Content is streamed, whatever its size.

use std::{
    fmt,
    io::{self, Read, Write},
    ops::RangeInclusive,
};

use aes::{
    Aes256,
    cipher::{
        BlockDecryptMut, BlockEncryptMut, KeyIvInit, block_padding::Pkcs7,
        generic_array::GenericArray,
    },
};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use zeroize::Zeroizing;

/// The entry of an encrypted result with its key, encrypted for the beneficiary.
pub const KEY_ENTRY: &str = "aes-key.rsa";
/// The entry of an encrypted result with the archive.
pub const PAYLOAD_ENTRY: &str = "iexec_out.zip.aes";
/// Bits of a beneficiary's RSA key: less is no protection, more makes a worker wait.
pub const RSA_BITS: RangeInclusive<usize> = 2_048..=8_192;
/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a block, and of the IV.
pub const BLOCK_BYTES: usize = 16;
/// Read at once: whole blocks, large enough that the system calls do not count.
const CHUNK_BYTES: usize = 64 << 10;

/// The first bytes of what is encrypted: random, and never used again with the same key.
pub type Iv = [u8; BLOCK_BYTES];

/// As lenient as the official client's decoder in what cannot be misread: padding may be missing,
/// and bits behind the last byte do not count.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// An AES-256 key. It never shows itself, and is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// Of these bytes, which have to be random.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Reads base64 of 32 bytes in either alphabet, with or without padding and line breaks; none
    /// for anything else.
    ///
    /// The official client also skips characters that are no base64 at all. A key with such
    /// characters is a damaged file.
    pub fn parse(text: &str) -> Option<Self> {
        let compact: String = text.split_whitespace().collect();
        let compact = Zeroizing::new(compact);
        let alphabet = match compact.contains(['-', '_']) {
            true => &alphabet::URL_SAFE,
            false => &alphabet::STANDARD,
        };
        let decoded = GeneralPurpose::new(alphabet, LENIENT).decode(compact.as_bytes());
        let decoded = Zeroizing::new(decoded.ok()?);
        decoded.as_slice().try_into().ok().map(Self::from_bytes)
    }

    /// 44 characters of base64: what the secret manager keeps.
    pub fn to_text(&self) -> String {
        STANDARD.encode(self.bytes())
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "damaged, or not for this key")
}

/// Writes the content of `from` to `to` as it comes.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when the length or the padding is wrong; else what reading or
/// writing failed with. What was written until then is no content.
pub fn decrypt(key: &Key, from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut iv = [0; BLOCK_BYTES];
    from.read_exact(&mut iv).map_err(|_| damaged())?;
    let mut cipher = cbc::Decryptor::<Aes256>::new(key.bytes().into(), &iv.into());
    // The last block waits until it is known to be the last.
    let mut chunk = Zeroizing::new(vec![0; BLOCK_BYTES + CHUNK_BYTES]);
    let mut kept = 0;
    loop {
        let count = fill(from, &mut chunk[kept..kept + CHUNK_BYTES])?;
        let whole = kept + count;
        if count % BLOCK_BYTES != 0 {
            return Err(damaged());
        }
        for block in chunk[kept..whole].chunks_exact_mut(BLOCK_BYTES) {
            cipher.decrypt_block_mut(GenericArray::from_mut_slice(block));
        }
        if count < CHUNK_BYTES {
            return to.write_all(unpad(&chunk[..whole]).ok_or_else(damaged)?);
        }
        to.write_all(&chunk[..whole - BLOCK_BYTES])?;
        chunk.copy_within(whole - BLOCK_BYTES..whole, 0);
        kept = BLOCK_BYTES;
    }
}

/// Blocks without their PKCS#7 padding; none unless all of it is what it has to be.
pub fn unpad(text: &[u8]) -> Option<&[u8]> {
    let padding = usize::from(*text.last()?);
    let (content, tail) = text.split_at_checked(text.len().checked_sub(padding)?)?;
    let is_sound =
        (1..=BLOCK_BYTES).contains(&padding) && tail.iter().all(|b| usize::from(*b) == padding);
    is_sound.then_some(content)
}

/// Writes `iv` and the encrypted content of `from` to `to`.
///
/// # Errors
/// What reading or writing failed with.
pub fn encrypt(key: &Key, iv: Iv, from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut cipher = cbc::Encryptor::<Aes256>::new(key.bytes().into(), &iv.into());
    to.write_all(&iv)?;
    let mut chunk = Zeroizing::new(vec![0; CHUNK_BYTES]);
    loop {
        let count = fill(from, &mut chunk)?;
        if count < CHUNK_BYTES {
            let last = cipher.encrypt_padded_mut::<Pkcs7>(&mut chunk, count);
            return to.write_all(last.map_err(io::Error::other)?);
        }
        for block in chunk.chunks_exact_mut(BLOCK_BYTES) {
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
mod tests;
