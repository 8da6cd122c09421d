//! How a multiaddr stands on chain: `/ipfs/<CID>` as binary where that loses nothing, anything else
//! as its text (spec/client.md §4.1).

const CODE: [u8; 2] = [0xa5, 0x03]; // varint of protocol 421 (p2p, formerly ipfs)
const MULTIHASH_LEN: usize = 34;
const SHA2_256: [u8; 2] = [0x12, 0x20]; // code and length: the first bytes of the multihash
const V1_DAG_PB: [u8; 2] = [0x01, 0x70]; // version and codec: what a CIDv0 leaves unsaid
const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const ALPHABET_32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The bytes for the contract. The binary form keeps the multihash only, so that a CIDv1 of another
/// codec than dag-pb (`bafkrei…`) stays text: it would come back as the name of other content, an
/// official bug that we do not copy.
pub fn encode(text: &str) -> Vec<u8> {
    let prefixes = ["/ipfs/", "/p2p/"];
    let cid = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
    match cid.and_then(dag_pb_hash) {
        Some(hash) => [&CODE[..], &[MULTIHASH_LEN as u8], &hash].concat(),
        None => text.as_bytes().to_vec(),
    }
}

/// The multihash of a CIDv0, or of a CIDv1 that means the same.
fn dag_pb_hash(cid: &str) -> Option<Vec<u8>> {
    let hash = match cid.strip_prefix('b') {
        Some(text) => decode32(text)?.strip_prefix(&V1_DAG_PB)?.to_vec(),
        None => decode58(cid)?,
    };
    (hash.len() == MULTIHASH_LEN && hash.starts_with(&SHA2_256)).then_some(hash)
}

/// The text a user sees: the binary form comes back as `/p2p/<CIDv0>`, like the official SDK's.
pub fn decode(bytes: &[u8]) -> String {
    match binary_hash(bytes) {
        Some(hash) => format!("/p2p/{}", encode58(hash)),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// The CID or text to fetch from: the binary form as `/ipfs/<CIDv0>`.
pub fn location(bytes: &[u8]) -> String {
    match binary_hash(bytes) {
        Some(hash) => format!("/ipfs/{}", encode58(hash)),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Whether it names no file: a dataset that has none is as good as no dataset
/// (spec/secrets-tee.md §1.5).
pub fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

fn binary_hash(bytes: &[u8]) -> Option<&[u8]> {
    let hash = bytes
        .strip_prefix(&CODE)?
        .strip_prefix(&[MULTIHASH_LEN as u8])?;
    (hash.len() == MULTIHASH_LEN).then_some(hash)
}

/// Base58 (Bitcoin alphabet), as CIDv0 uses it.
pub fn encode58(bytes: &[u8]) -> String {
    let mut digits: Vec<u8> = Vec::new();
    for &byte in bytes {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    let symbol = |digit: &u8| char::from(ALPHABET[usize::from(*digit)]);
    "1".repeat(zeros) + &digits.iter().rev().map(symbol).collect::<String>()
}

/// Base58 back to bytes; none for a character outside the alphabet.
pub fn decode58(text: &str) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> = Vec::new();
    for c in text.bytes() {
        let mut carry = ALPHABET.iter().position(|a| *a == c)? as u32;
        for byte in &mut bytes {
            carry += u32::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push(carry as u8);
        }
    }
    let zeros = text.bytes().take_while(|c| *c == b'1').count();
    bytes.extend(std::iter::repeat_n(0, zeros));
    bytes.reverse();
    Some(bytes)
}

/// Base32 without padding, as CIDv1 uses it; none when a character or a bit does not belong.
fn decode32(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for c in text.bytes() {
        bits = bits << 5 | ALPHABET_32.iter().position(|a| *a == c)? as u32;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (count < 5 && bits == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::hex;

    use super::*;

    /// spec/client.md Appendix A.
    #[test]
    fn an_ipfs_path_becomes_binary_and_comes_back_as_p2p() {
        let text = "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ";
        let bytes =
            hex!("a5032212207237a7f4091a74ae95514890fa86a2e8a36037c350ea71c06a34c8cbe25a5057");
        assert_eq!(encode(text), bytes);
        assert_eq!(decode(&bytes), text.replace("/ipfs/", "/p2p/"));
        assert_eq!(location(&bytes), text);
    }

    /// Recorded from the official client.
    #[test]
    fn equal_cids_are_equal_on_chain() {
        let v0 = "/ipfs/QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR";
        let v1 = "/ipfs/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
        let bytes =
            hex!("a503221220c3c4733ec8affd06cf9e9ff50ffc6bcd2ec85a6170004bb709669c31de94391a");
        for text in [v0, v1, &v0.replace("/ipfs/", "/p2p/")] {
            assert_eq!(encode(text), bytes, "{text}");
        }
        assert_eq!(location(&bytes), v0);
    }

    #[test]
    fn everything_else_is_text() {
        for text in [
            "docker.io/x/y:1.0.0",
            "/ipfs/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
            "/ipfs/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzd",
            "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ/file.txt",
            "/ipfs/b",
            "/ipfs/",
            "https://a/b",
        ] {
            assert_eq!(encode(text), text.as_bytes());
            assert_eq!(decode(text.as_bytes()), text);
        }
    }

    #[test]
    fn a_blank_one_names_no_file() {
        assert!(is_blank(b"") && is_blank(b" \t"));
        assert!(!is_blank(b"/ipfs/x") && !is_blank(&encode("https://a/b")));
    }

    #[test]
    fn base58_keeps_leading_zeros() {
        assert_eq!(
            decode58(&encode58(&[0, 0, 1, 255])).unwrap(),
            [0, 0, 1, 255]
        );
        assert_eq!(decode58("0"), None);
    }

    proptest::proptest! {
        #[test]
        fn base58_round_trips(bytes: Vec<u8>) {
            proptest::prop_assert_eq!(decode58(&encode58(&bytes)), Some(bytes));
        }

        #[test]
        fn what_is_stored_is_found_again(hash: [u8; 32], text in "[a-z]{1,9}(/[a-z]{1,9}){0,3}") {
            let cid = format!("/ipfs/{}", encode58(&[&[0x12, 0x20], &hash[..]].concat()));
            proptest::prop_assert_eq!(location(&encode(&cid)), cid);
            proptest::prop_assert_eq!(location(&encode(&text)), text);
        }
    }
}
