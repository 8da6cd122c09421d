//! Everything that the official client encrypted, in both directions.

use std::{fs, path::Path};

use protocol::B256;
use serde::Deserialize;

use super::{
    Key,
    cipher::{self, Iv},
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/dataset");

#[derive(Deserialize)]
struct Manifest {
    vectors: Vec<Vector>,
    sdk_validation: Refused,
}

#[derive(Deserialize)]
struct Vector {
    plaintext_file: String,
    encrypted_file: String,
    key_base64: String,
    iv_hex: String,
    checksum_sha256: B256,
    encrypted_len: usize,
}

/// Messages of the official client: its key is what stands before " is not a valid".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refused {
    short_key: String,
    long_key: String,
}

fn read(name: &str) -> Vec<u8> {
    fs::read(Path::new(FOLDER).join(name)).unwrap()
}

fn both_ways(key: &Key, content: &[u8], file: &[u8]) -> B256 {
    let iv: Iv = file[..16].try_into().unwrap();
    let mut encrypted = Vec::new();
    let sum = cipher::encrypt(key, iv, &mut &content[..], &mut encrypted, |_| {}).unwrap();
    assert_eq!(encrypted, file);
    assert_eq!(cipher::decrypt(key, file).unwrap(), content);
    sum
}

#[test]
fn the_librarys_files_are_the_same_both_ways() {
    let manifest: Manifest = serde_json::from_slice(&read("manifest.json")).unwrap();
    assert_eq!(manifest.vectors.len(), 8);
    for vector in &manifest.vectors {
        let file = read(&vector.encrypted_file);
        assert_eq!(hex::encode(&file[..16]), vector.iv_hex);
        assert_eq!(file.len(), vector.encrypted_len);
        let key = Key::parse(&vector.key_base64).unwrap();
        let sum = both_ways(&key, &read(&vector.plaintext_file), &file);
        assert_eq!(sum, vector.checksum_sha256);
        assert_eq!(key.to_text(), vector.key_base64);
    }
    for message in [
        manifest.sdk_validation.short_key,
        manifest.sdk_validation.long_key,
    ] {
        let (key, _) = message.split_once(' ').unwrap();
        assert!(Key::parse(key).is_err(), "{key}");
    }
}

#[test]
fn the_command_lines_files_are_the_same_both_ways() {
    for name in ["hello.txt", "sixteen.bin"] {
        let key = String::from_utf8(read(&format!("cli/{name}.key"))).unwrap();
        let file = read(&format!("cli/{name}.enc"));
        both_ways(
            &Key::parse(&key).unwrap(),
            &read(&format!("cli/{name}")),
            &file,
        );
    }
}

/// Nothing authenticates the file: that is why its checksum stands on chain.
#[test]
fn a_changed_file_never_keeps_its_checksum() {
    let file = read("binary1000.enc.bin");
    let sum = cipher::checksum(&mut &file[..]).unwrap();
    for index in (0..file.len()).step_by(61) {
        let mut changed = file.clone();
        changed[index] ^= 1;
        assert_ne!(cipher::checksum(&mut &changed[..]).unwrap(), sum, "{index}");
    }
}

/// Whatever is given to it, decryption answers.
#[test]
fn no_file_and_no_key_make_it_panic() {
    use rand::{Rng, SeedableRng, rngs::StdRng};
    let mut chance = StdRng::seed_from_u64(7);
    for _ in 0..2_000 {
        let mut file = vec![0; chance.gen_range(0..200)];
        chance.fill(&mut file[..]);
        let _ = cipher::decrypt(&Key::from_bytes(chance.r#gen()), &file);
        let text: String = (0..chance.gen_range(0..60))
            .map(|_| chance.r#gen::<char>())
            .collect();
        let _ = Key::parse(&text);
    }
}
