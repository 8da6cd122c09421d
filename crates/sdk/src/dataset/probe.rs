//! Whether the file of a dataset can be an encrypted one (spec/secrets-tee.md §3.1).
//!
//! Ciphertext has no mark. What can be told from outside: its length is a multiple of 16 from 32
//! on, it hashes to the checksum on chain, and it is neither text nor a file of a known format. A
//! file that the client cannot fetch, or only in part, is left to the worker: it may lie where
//! only workers get.

use std::time::Duration;

use chain::DatasetInfo;
use protocol::{Address, B256, multiaddr};
use sha2::{Digest, Sha256};

use crate::{
    Client, Code, Error, Misuse,
    error::Api,
    http::{Call, beginning},
};

/// A probe is no download: of a larger file only the length is looked at.
const PROBE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Likewise, in time.
const PROBE_MAX: Duration = Duration::from_secs(10);
const BLOCK: u64 = 16;
/// IV and one block of padding: an encrypted file of no bytes.
const ENCRYPTED_BYTES_MIN: u64 = 2 * BLOCK;
/// How files begin that are often forgotten to be encrypted. Four bytes that are equal by chance
/// in one of four billion ciphertexts.
const FORMATS: [(&[u8], &str); 5] = [
    (b"PK\x03\x04", "a zip"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a PNG"),
    (b"SQLi", "a SQLite database"),
    (b"PAR1", "a Parquet file"),
];

/// What a probe found, when nothing speaks against the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is all there, and what the checksum says.
    Whole,
    /// It is too large to be fetched; its length fits.
    Length,
    /// It could not be looked at.
    Unknown(String),
}

/// Fetches the file as a worker would, up to a limit.
///
/// # Errors
/// [`Error::Misuse`] when it cannot be opened with any key, or is another file than the checksum's.
pub async fn probe(
    client: &Client,
    dataset: Address,
    info: &DatasetInfo,
) -> Result<Finding, Error> {
    let location = multiaddr::location(&info.multiaddr);
    let call = match location.starts_with("/ipfs/") {
        true => Call::get(
            Api::IpfsGateway,
            &client.chain().ipfs_gateway,
            location.clone(),
        ),
        false => Call::get(Api::IpfsGateway, &location, ""),
    };
    match tokio::time::timeout(PROBE_MAX, fetch(client, &call)).await {
        Ok(Ok(sample)) => judge(dataset, &sample, info.checksum),
        Ok(Err(error)) => Ok(Finding::Unknown(error.to_string())),
        Err(_) => Ok(Finding::Unknown(format!("{location} is slow"))),
    }
}

/// What was fetched.
#[derive(Debug)]
struct Sample {
    /// The beginning, or all of it.
    bytes: Vec<u8>,
    /// Of the whole file, where that is known.
    length: Option<u64>,
    is_whole: bool,
}

async fn fetch(client: &Client, call: &Call<'_>) -> Result<Sample, Error> {
    let response = client.http().send(call, "*/*").await?;
    let response = crate::http::success(call, response).await?;
    let told = response.content_length();
    let (bytes, is_whole) = beginning(call, response, PROBE_BYTES_MAX).await?;
    let length = match is_whole {
        true => Some(bytes.len() as u64),
        false => told,
    };
    Ok(Sample {
        bytes,
        length,
        is_whole,
    })
}

fn judge(dataset: Address, sample: &Sample, checksum: B256) -> Result<Finding, Error> {
    if sample.is_whole {
        let found = B256::from_slice(&Sha256::digest(&sample.bytes));
        if found != checksum {
            return Err(another_file(dataset, found, checksum));
        }
    }
    if let Some(why) = against(sample) {
        return Err(Misuse::error(
            Code::DatasetNotEncrypted,
            format!("the file of dataset {dataset} is not encrypted: {why}"),
            "its owner runs `iexec dataset encrypt`, uploads the .enc file and deploys it as a new \
             dataset with that file's checksum; or use --skip-preflight-check",
        ));
    }
    Ok(match (sample.is_whole, sample.length) {
        (true, _) => Finding::Whole,
        (false, Some(_)) => Finding::Length,
        (false, None) => Finding::Unknown("it is large, and its length is not told".to_owned()),
    })
}

fn another_file(dataset: Address, found: B256, checksum: B256) -> Error {
    Misuse::error(
        Code::DatasetChecksumDiffers,
        format!(
            "the file of dataset {dataset} has the checksum {found}, on chain it is {checksum}"
        ),
        "its owner puts the right file there, or deploys the new one as a new dataset; or use \
         --skip-preflight-check",
    )
}

/// What shows that it is no ciphertext.
fn against(sample: &Sample) -> Option<String> {
    let begins = |(mark, _): &&(&[u8], &str)| sample.bytes.starts_with(mark);
    if let Some((_, name)) = FORMATS.iter().find(begins) {
        return Some(format!("it is {name}"));
    }
    match sample.length {
        Some(length) if length < ENCRYPTED_BYTES_MIN => Some(format!(
            "it has {length} bytes, an encrypted one at least {ENCRYPTED_BYTES_MIN}"
        )),
        Some(length) if length % BLOCK != 0 => Some(format!(
            "its {length} bytes are no multiple of {BLOCK}, those of an encrypted one are"
        )),
        _ => {
            let is_text = sample.is_whole && std::str::from_utf8(&sample.bytes).is_ok();
            is_text.then(|| "it is plain text".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Key, cipher};

    fn whole(bytes: &[u8]) -> Sample {
        Sample {
            bytes: bytes.to_vec(),
            length: Some(bytes.len() as u64),
            is_whole: true,
        }
    }

    fn code(sample: &Sample) -> Option<&'static str> {
        let checksum = B256::from_slice(&Sha256::digest(&sample.bytes));
        judge(Address::ZERO, sample, checksum)
            .err()
            .and_then(|error| error.code())
    }

    #[test]
    fn what_is_encrypted_passes_whatever_its_content() {
        for length in [0, 1, 15, 16, 17, 1_000] {
            let (content, mut file) = (vec![b'a'; length], Vec::new());
            let key = Key::from_bytes([1; 32]);
            cipher::encrypt(&key, [0xee; 16], &mut &content[..], &mut file, |_| {}).unwrap();
            assert_eq!(code(&whole(&file)), None, "{length}");
        }
    }

    #[test]
    fn what_cannot_be_ciphertext_is_refused() {
        let not = Some("DATASET_NOT_ENCRYPTED");
        assert_eq!(code(&whole(b"")), not);
        assert_eq!(code(&whole(&[0xee; 16])), not);
        assert_eq!(code(&whole(&[0xee; 33])), not);
        assert_eq!(code(&whole(&[b'a'; 48])), not);
        assert_eq!(
            code(&whole(&[b"PK\x03\x04".as_slice(), &[0xee; 28]].concat())),
            not
        );
        let told = |length| Sample {
            bytes: vec![0xee; 64],
            length,
            is_whole: false,
        };
        assert_eq!(code(&told(Some(1_000_001))), not);
        assert_eq!(code(&told(Some(1_000_000))), None);
        assert_eq!(code(&told(None)), None);
    }

    #[test]
    fn another_file_is_told_by_its_checksum() {
        let error = judge(Address::ZERO, &whole(&[0xee; 32]), B256::ZERO).unwrap_err();
        assert_eq!(error.code(), Some("DATASET_CHECKSUM_DIFFERS"));
        let unfetched = Sample {
            bytes: vec![0xee; 64],
            length: Some(64_000),
            is_whole: false,
        };
        assert_eq!(
            judge(Address::ZERO, &unfetched, B256::ZERO).unwrap(),
            Finding::Length
        );
    }
}
