//! Results that the official post-compute and others encrypted, in both directions, and damaged
//! ones.

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Write as _},
    path::Path,
};

use protocol::{
    Tag,
    cipher::{self, Key},
    deal::TaskStatus,
    digest,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rsa::{Pkcs1v15Encrypt, RsaPublicKey, pkcs8::DecodePublicKey};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::{decrypt, verify, verify_opened};
use crate::view::tests::{sample_deal, sample_task};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors");

#[derive(Deserialize)]
struct Manifest {
    official: Made,
    own: Made,
    #[serde(rename = "sdk_decryptResult_outcomes (iexec 9.0.1)")]
    outcomes: BTreeMap<String, Outcome>,
}

#[derive(Deserialize)]
struct Made {
    encrypted: String,
    inner: String,
    aes_key_hex: String,
    iv_hex: String,
}

#[derive(Deserialize)]
struct Outcome {
    ok: bool,
    sha256: Option<String>,
    matches_inner: Option<bool>,
}

fn read(name: &str) -> Vec<u8> {
    let folder = Path::new(FOLDER);
    let file = fs::read(folder.join("result").join(name));
    file.or_else(|_| fs::read(folder.join(name))).unwrap()
}

fn text(name: &str) -> String {
    String::from_utf8(read(name)).unwrap()
}

fn manifest() -> Manifest {
    serde_json::from_slice(&read("manifest.json")).unwrap()
}

/// As post-compute does it (spec/secrets-tee.md §3.2).
fn payload(inner: &[u8], key: &[u8], iv: &[u8]) -> Vec<u8> {
    let (key, iv) = (key.try_into().unwrap(), iv.try_into().unwrap());
    let (mut inner, mut payload) = (inner, Vec::new());
    cipher::encrypt(&Key::from_bytes(key), iv, &mut inner, &mut payload).unwrap();
    payload
}

fn archive(key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [("aes-key.rsa", key), ("iexec_out.zip.aes", payload)] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn member(archive: &[u8], name: &str) -> Vec<u8> {
    let mut zip = ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut content = Vec::new();
    std::io::copy(&mut zip.by_name(name).unwrap(), &mut content).unwrap();
    content
}

#[test]
fn encrypting_the_same_gives_the_same_and_it_opens_again() {
    let manifest = manifest();
    let keys = [
        (
            "TEST_ONLY_beneficiary_rsa4096.pub.pem",
            "TEST_ONLY_beneficiary_rsa4096.key.pem",
        ),
        ("TEST_ONLY_rsa2048.pub.pem", "TEST_ONLY_rsa2048.key.pem"),
    ];
    for (made, (public, private)) in [&manifest.official, &manifest.own].into_iter().zip(keys) {
        let inner = read(&made.inner);
        let [key, iv] = [&made.aes_key_hex, &made.iv_hex].map(|text| hex::decode(text).unwrap());
        let payload = payload(&inner, &key, &iv);
        assert_eq!(payload, member(&read(&made.encrypted), "iexec_out.zip.aes"));
        assert_eq!(
            decrypt(&read(&made.encrypted), &text(private)).unwrap(),
            inner
        );
        let public = RsaPublicKey::from_public_key_pem(&text(public)).unwrap();
        let mut chance = StdRng::seed_from_u64(1);
        let wrapped = public.encrypt(&mut chance, Pkcs1v15Encrypt, &key).unwrap();
        let ours = archive(&wrapped, &payload);
        assert_eq!(decrypt(&ours, &text(private)).unwrap(), inner);
    }
}

/// Ours opens what the official client opens, but for what is damaged; and another name of the
/// payload, which its documentation shows.
#[test]
fn the_official_outcomes_are_ours_except_where_ours_is_safer() {
    let key = |name: &str| match name.starts_with("official") {
        true => text("TEST_ONLY_beneficiary_rsa4096.key.pem"),
        false => text("TEST_ONLY_rsa2048.key.pem"),
    };
    let outcomes = manifest().outcomes;
    let files = outcomes.iter().filter(|(name, _)| name.ends_with(".zip"));
    let mut count = 0;
    for (name, official) in files {
        let ours = decrypt(&read(name), &key(name));
        let sum = ours
            .as_ref()
            .map(|inner| hex::encode(Sha256::digest(inner)));
        match name.as_str() {
            "neg_wrong_name.encrypted.zip" => assert!(!official.ok && ours.is_ok()),
            _ if official.matches_inner == Some(false) => {
                let error = ours.unwrap_err().to_string();
                assert!(error.contains("damaged"), "{name}: {error}");
            }
            _ if official.ok => assert_eq!(sum.ok(), official.sha256, "{name}"),
            _ => assert!(ours.is_err(), "{name}"),
        }
        count += 1;
    }
    assert_eq!(count, 7);
    let foreign = decrypt(
        &read("official_post_compute.encrypted.zip"),
        &text("TEST_ONLY_rsa2048.key.pem"),
    );
    assert!(
        foreign
            .unwrap_err()
            .to_string()
            .contains("another beneficiary")
    );
    let plain = decrypt(&read("official_post_compute.plain.zip"), &key(""));
    assert!(
        plain
            .unwrap_err()
            .to_string()
            .contains("missing aes-key.rsa")
    );
}

/// The encryption has no authentication: the zip and the chain must find every change that matters.
#[test]
fn no_flipped_bit_changes_what_is_believed() {
    let manifest = manifest();
    let encrypted = read(&manifest.own.encrypted);
    let (wrapped, payload) = (
        member(&encrypted, "aes-key.rsa"),
        member(&encrypted, "iexec_out.zip.aes"),
    );
    let key = text("TEST_ONLY_rsa2048.key.pem");
    let content = member(&read(&manifest.own.inner), "result.txt");
    let mut deal = sample_deal();
    deal.tag = Tag::TEE_TDX;
    let mut task = sample_task(TaskStatus::Completed);
    task.result_digest = digest::file(&content);
    task.consensus_value = digest::result_hash(task.id, task.result_digest);
    let inner = decrypt(&encrypted, &key).unwrap();
    assert!(verify_opened(&inner, &deal, &task).is_ok());
    for index in 0..payload.len() {
        let mut changed = payload.clone();
        changed[index] ^= 1;
        if let Ok(inner) = decrypt(&archive(&wrapped, &changed), &key)
            && verify_opened(&inner, &deal, &task).is_ok()
        {
            assert_eq!(member(&inner, "result.txt"), content, "byte {index}");
        }
    }
    let last = payload.len() - 1;
    let mut changed = payload;
    changed[last] ^= 1;
    assert!(decrypt(&archive(&wrapped, &changed), &key).is_err());
}

/// Archives come from strangers: whatever they hold, opening them answers.
#[test]
fn no_archive_makes_it_panic() {
    let (encrypted, key) = (
        read("own_encryptor.encrypted.zip"),
        text("TEST_ONLY_rsa2048.key.pem"),
    );
    let inner = read("own_encryptor.inner.zip");
    let (deal, task) = (sample_deal(), sample_task(TaskStatus::Completed));
    let mut chance = StdRng::seed_from_u64(3);
    for _ in 0..300 {
        let mut changed = encrypted.clone();
        for _ in 0..chance.gen_range(1..8) {
            let index = chance.gen_range(0..changed.len());
            changed[index] = chance.r#gen();
        }
        changed.truncate(chance.gen_range(0..=changed.len()));
        let _ = decrypt(&changed, &key);
    }
    for _ in 0..3_000 {
        let mut changed = inner.clone();
        let index = chance.gen_range(0..changed.len());
        changed[index] = chance.r#gen();
        let _ = verify(&changed, &deal, &task);
    }
}
