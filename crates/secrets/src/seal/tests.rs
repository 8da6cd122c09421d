use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;
use crate::Mode;

fn ring(mode: Mode, keys: &[u32]) -> Ring {
    let key = |id: &u32| (*id, Key::from_slice(&[*id as u8 + 1; 32]).unwrap());
    Ring {
        mode,
        active: *keys.last().unwrap(),
        keys: keys.iter().map(key).collect(),
    }
}

fn seal() -> Seal {
    let seal = Seal::default();
    seal.set(ring(Mode::Real, &[1]));
    seal
}

/// As earlier versions sealed.
fn legacy(text: &str) -> Vec<u8> {
    let key = Key::from_slice(&[1; 32]).unwrap();
    let closed = close(&key, b"slot", text.as_bytes()).unwrap();
    [&[1], &closed[..]].concat()
}

proptest! {
    #[test]
    fn what_is_sealed_opens_in_its_slot_and_version_only(
        text in ".{0,200}",
        flip in any::<prop::sample::Index>(),
    ) {
        let (seal, value) = (seal(), Value::new(text.clone()));
        let sealed = seal.close_version(b"slot", 3, &value).unwrap();
        let opened = seal.open_version(b"slot", 3, &sealed).unwrap();
        prop_assert_eq!(opened.expose(), &text);
        prop_assert!(seal.open_version(b"other", 3, &sealed).is_err());
        prop_assert!(seal.open_version(b"slot", 2, &sealed).is_err());
        let mut damaged = sealed.clone();
        damaged[flip.index(sealed.len())] ^= 1;
        prop_assert!(seal.open_version(b"slot", 3, &damaged).is_err());
    }
}

#[test]
fn equal_values_look_different() {
    let value = Value::new("same".into());
    let sealed = || seal().close(b"slot", &value).unwrap();
    let (one, other) = (sealed(), sealed());
    assert_ne!(one[5..], other[5..]);
    assert_ne!(one[65..], other[65..]);
}

#[test]
fn short_nonsense_is_damage_not_a_panic() {
    for bytes in [&[][..], &[1], &[1; 13], &[2], &[2; 64], &[2; 66], &[9; 40]] {
        assert!(seal().open(b"slot", bytes).is_err());
    }
}

#[test]
fn nothing_opens_without_a_keyring() {
    let seal = Seal::default();
    assert!(seal.is_sealed());
    let closed = seal.close(b"slot", &Value::new("x".into()));
    assert!(matches!(closed, Err(Error::Sealed)));
    assert!(matches!(seal.open(b"slot", &[2; 99]), Err(Error::Sealed)));
}

#[test]
fn what_was_sealed_for_one_mode_does_not_open_in_the_other() {
    let sealed = seal().close(b"slot", &Value::new("x".into())).unwrap();
    let other = Seal::default();
    other.set(ring(Mode::Simulation, &[1]));
    assert!(other.open(b"slot", &sealed).is_err());
}

#[test]
fn rewrapping_changes_the_key_and_not_the_ciphertext() {
    let value = Value::new("x".into());
    let sealed = seal().close(b"slot", &value).unwrap();
    let newer = ring(Mode::Real, &[1, 2]);
    let rewrapped = newer.rewrap(b"slot", 0, &sealed).unwrap().unwrap();
    assert_eq!(rewrapped[65..], sealed[65..]);
    assert!(newer.rewrap(b"slot", 0, &rewrapped).unwrap().is_none());
    let only_newer = Seal::default();
    only_newer.set(ring(Mode::Real, &[2]));
    assert_eq!(only_newer.open(b"slot", &rewrapped).unwrap().expose(), "x");
    assert!(only_newer.open(b"slot", &sealed).is_err());
}

#[test]
fn what_earlier_versions_sealed_opens_and_is_rewrapped() {
    let seal = Seal::default();
    seal.set(ring(Mode::Real, &[LEGACY, 1]));
    let old = legacy("old");
    assert_eq!(seal.open(b"slot", &old).unwrap().expose(), "old");
    assert!(seal.open(b"other", &old).is_err());
    let new = seal
        .with(|ring| ring.rewrap(b"slot", 0, &old))
        .unwrap()
        .unwrap();
    let only_new = Seal::default();
    only_new.set(ring(Mode::Real, &[1]));
    assert_eq!(only_new.open(b"slot", &new).unwrap().expose(), "old");
}

#[test]
fn the_key_file_is_private_and_checked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("k");
    let file = KeyFile::new(path.clone());
    assert!(matches!(file.find("", None), Err(Error::WrongKey { .. })));
    let (made, _) = file.create(None).unwrap().unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let found = file.find("", None).unwrap().unwrap();
    assert!(made.0.expose() == found.0.expose());
    std::fs::write(&path, b"short").unwrap();
    assert!(matches!(file.find("", None), Err(Error::BadKey { .. })));
}

fn phrase(text: &str) -> Phrase {
    Phrase::new(text.to_owned()).unwrap()
}

#[test]
fn a_passphrase_is_stretched_with_a_salt_of_its_own() {
    let provider = Passphrase::default();
    assert!(provider.create(None).unwrap().is_none());
    let short = provider.create(Some(&phrase("too short")));
    assert!(matches!(short, Err(Error::ShortPassphrase)));
    let long = phrase("correct horse battery");
    let (root, parameters) = provider.create(Some(&long)).unwrap().unwrap();
    let (other, _) = provider.create(Some(&long)).unwrap().unwrap();
    assert!(root.0.expose() != other.0.expose());
    assert!(provider.find(&parameters, None).unwrap().is_none());
    let found = |text: &str| {
        provider
            .find(&parameters, Some(&phrase(text)))
            .unwrap()
            .unwrap()
    };
    assert!(found("correct horse battery\n").0.expose() == root.0.expose());
    assert!(found("correct horse batterz").0.expose() != root.0.expose());
}

#[test]
fn a_header_cannot_ask_for_all_memory() {
    let header =
        r#"{"salt":"00000000000000000000000000000000","memory_kib":4000000000,"passes":1}"#;
    let found = Passphrase::default().find(header, Some(&phrase("whatever it is")));
    assert!(matches!(found, Err(Error::Damaged)));
}

/// Each refusal says what to do.
#[test]
fn a_passphrase_file_is_private_and_not_empty() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("phrase");
    let made = |path: &std::path::Path| Passphrase::new(Some(path.to_owned())).create(None);
    assert!(made(&path).unwrap().is_none());
    for (text, mode, fix) in [
        ("correct horse battery\n", 0o640, Some("chmod 600")),
        ("correct horse battery\n", 0o604, Some("chmod 600")),
        ("\n", 0o600, Some("write the passphrase")),
        ("correct horse battery\n", 0o600, None),
    ] {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let told = made(&path).map(|made| made.is_some());
        match fix {
            None => assert!(told.unwrap()),
            Some(fix) => assert!(told.unwrap_err().to_string().contains(fix), "{mode:o}"),
        }
    }
    let folder = made(directory.path()).err().unwrap().to_string();
    assert!(folder.contains("not a regular file"), "{folder}");
}
