//! How a multiaddr stands on chain: `/ipfs/<CIDv0>` as binary, anything else as its text
//! (spec/client.md §4.1).

const CODE: [u8; 2] = [0xa5, 0x03]; // varint of protocol 421 (p2p, formerly ipfs)
const MULTIHASH_LEN: usize = 34;
const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// The bytes for the contract. A CIDv1 stays text, because the binary form would lose its codec
/// and so name other content (an official bug that we do not copy).
pub fn encode(text: &str) -> Vec<u8> {
    let hash = text.strip_prefix("/ipfs/").and_then(decode58);
    match hash {
        Some(hash) if hash.len() == MULTIHASH_LEN && hash.starts_with(&[0x12, 0x20]) => {
            [&CODE[..], &[MULTIHASH_LEN as u8], &hash].concat()
        }
        _ => text.as_bytes().to_vec(),
    }
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

    #[test]
    fn everything_else_is_text() {
        for text in [
            "docker.io/x/y:1.0.0",
            "/ipfs/bafkreigh2akiscaildc",
            "https://a/b",
        ] {
            assert_eq!(encode(text), text.as_bytes());
            assert_eq!(decode(text.as_bytes()), text);
        }
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
