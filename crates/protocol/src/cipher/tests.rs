use super::*;

fn key() -> Key {
    Key::from_bytes([3; KEY_BYTES])
}

fn close(key: &Key, content: &[u8]) -> Vec<u8> {
    let mut encrypted = Vec::new();
    encrypt(key, [4; BLOCK_BYTES], &mut &content[..], &mut encrypted).unwrap();
    encrypted
}

fn open(key: &Key, encrypted: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    decrypt(key, &mut &encrypted[..], &mut plain).map(|()| plain)
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
fn what_was_encrypted_comes_back_whatever_its_length() {
    for length in [
        0,
        1,
        15,
        16,
        17,
        CHUNK_BYTES - 1,
        CHUNK_BYTES,
        CHUNK_BYTES + 1,
        3 * CHUNK_BYTES,
    ] {
        let content: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        let encrypted = close(&key(), &content);
        assert_eq!(
            encrypted.len(),
            BLOCK_BYTES + (length / BLOCK_BYTES + 1) * BLOCK_BYTES
        );
        assert_eq!(open(&key(), &encrypted).unwrap(), content, "{length}");
        let (mut again, mut plain) = (Vec::new(), Vec::new());
        let iv = [4; BLOCK_BYTES];
        encrypt(&key(), iv, &mut Drops(&content), &mut again).unwrap();
        decrypt(&key(), &mut Drops(&encrypted), &mut plain).unwrap();
        assert_eq!((again, plain), (encrypted, content));
    }
}

/// Encrypts whole blocks that already end in whatever stands for their padding.
fn padded(text: &[u8]) -> Vec<u8> {
    let mut encrypted = close(&key(), text);
    encrypted.truncate(BLOCK_BYTES + text.len());
    encrypted
}

#[test]
fn padding_is_cut_exactly_or_refused() {
    let block = |ending: &[u8]| {
        let mut block = vec![b'x'; BLOCK_BYTES];
        block[BLOCK_BYTES - ending.len()..].copy_from_slice(ending);
        block
    };
    for (ending, content) in [
        (&[1][..], 15),
        (&[2, 2], 14),
        (&[1, 2, 2], 14),
        (&[16; 16], 0),
    ] {
        let opened = open(&key(), &padded(&block(ending))).unwrap();
        assert_eq!(opened, block(ending)[..content]);
    }
    let long = [block(b""), block(&[17])].concat();
    for text in [
        block(&[0]),
        block(&[1, 2]),
        block(&[3, 2, 3]),
        block(&[2, 3, 3]),
        block(&[17]),
        block(&[255]),
        long,
    ] {
        let refused = open(&key(), &padded(&text)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{text:?}");
    }
    assert_eq!(unpad(&[]), None);
}

#[test]
fn damaged_files_and_wrong_keys_are_refused() {
    let encrypted = close(&key(), b"0123456789abcdef");
    for length in [0, 10, BLOCK_BYTES, BLOCK_BYTES + 7] {
        let error = open(&key(), &encrypted[..length]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{length}");
    }
    assert!(open(&Key::from_bytes([5; KEY_BYTES]), &encrypted).is_err());
}

#[test]
fn the_text_is_base64_of_32_bytes() {
    let text = "vE2TnltGv8cAzC7UPbuiNV7PIrVUNN0P495m3bGoaYc=";
    assert_eq!(Key::parse(&format!(" {text}\n")).unwrap().to_text(), text);
    assert_eq!(key().to_text().len(), 44);
    assert_eq!(format!("{:?}", key()), "Key(…)");
}

/// The official client encrypts with all of these, but official workers open only the first.
#[test]
fn every_spelling_of_a_key_becomes_the_one_that_workers_read() {
    let text = "93hszB5Yqf5XWklDTlRot10l/5eDypj0y46Py1B6A+U=";
    for spelling in [
        text.to_owned(),
        text.replace('/', "_").replace('+', "-"),
        text.trim_end_matches('=').to_owned(),
        text.replace('/', "_").replace("A+U=", "A-V"),
        format!("{}\r\n{}\n", &text[..20], &text[20..]),
    ] {
        assert_eq!(Key::parse(&spelling).unwrap().to_text(), text, "{spelling}");
    }
    let junk = format!("!{text}");
    let mixed = text.replace('+', "-");
    let twice = format!("{text}{text}");
    let long = "A".repeat(44);
    let short = "AAAAAAAAAAAAAAAAAAAAAA==";
    for damaged in [
        &junk,
        &mixed,
        &text[1..],
        &twice,
        "",
        "foo",
        short,
        long.as_str(),
    ] {
        assert!(Key::parse(damaged).is_none(), "{damaged}");
    }
}

proptest::proptest! {
    #[test]
    fn any_content_comes_back(content: Vec<u8>, key: [u8; 32], iv: [u8; 16]) {
        let key = Key::from_bytes(key);
        let mut encrypted = Vec::new();
        encrypt(&key, iv, &mut &content[..], &mut encrypted).unwrap();
        proptest::prop_assert_eq!(open(&key, &encrypted).unwrap(), content);
    }

    #[test]
    fn whatever_is_opened_there_is_an_answer(encrypted: Vec<u8>, text: String) {
        let _ = open(&key(), &encrypted);
        let _ = Key::parse(&text);
    }
}
