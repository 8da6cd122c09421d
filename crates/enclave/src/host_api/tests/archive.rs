//! Files that go through the host: the archive of a result, encrypted datasets.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::{
    super::{
        incoming::{TEXT_BYTES_MAX, receive},
        refused::Refused,
    },
    *,
};

/// A program that hangs or whose end is not noticed fails its test.
const PATIENCE: Duration = Duration::from_secs(20);

/// As the programs in Rust send it.
fn numbers(zip: &[u8]) -> String {
    let zip = serde_json::to_string(zip).unwrap();
    upload(json!("zip"))
        .to_string()
        .replace("\"zip\":\"zip\"", &format!("\"zip\":{zip}"))
}

#[tokio::test]
async fn a_large_archive_arrives_as_it_was() {
    let scene = Scene::new(guest(Stage::PostCompute));
    let zip: Vec<u8> = (0..20_u32 << 20)
        .map(|n| (n.wrapping_mul(0x9e37_79b1) >> 24) as u8)
        .collect();
    assert_eq!(scene.upload(numbers(&zip)).await, 200);
    assert!(fs::read(scene.archive()).unwrap() == zip);
}

#[tokio::test]
async fn an_archive_as_base64_arrives_as_it_was() {
    let scene = Scene::new(guest(Stage::PostCompute));
    let zip: Vec<u8> = (0..100_000_u32).map(|n| (n / 3) as u8).collect();
    assert_eq!(
        scene.upload(upload(json!(STANDARD.encode(&zip)))).await,
        200
    );
    assert!(fs::read(scene.archive()).unwrap() == zip);
}

#[tokio::test]
async fn an_archive_is_taken_once_and_with_the_token_only() {
    let scene = Scene::new(guest(Stage::PostCompute));
    let body = numbers(b"first");
    for wrong in ["", "jwt-token-y", "jwt-token-", &signed()] {
        assert_eq!(
            scene.status("/v1/results", wrong, &body).await,
            401,
            "{wrong}"
        );
    }
    let mut other = upload(json!([1]));
    other["chainTaskId"] = json!(TaskId::repeat(1));
    assert_eq!(scene.upload(other).await, 401);
    assert_eq!(scene.files(), [""; 0]);
    assert_eq!(scene.upload(&body).await, 200);
    assert_eq!(scene.upload(numbers(b"second")).await, 409);
    assert_eq!(fs::read(scene.archive()).unwrap(), b"first");
}

#[tokio::test]
async fn nobody_else_uploads() {
    let body = numbers(b"x");
    let before = Scene::new(guest(Stage::PreCompute));
    assert_eq!(before.upload(&body).await, 404);
    let callback = Scene::new(with_callback());
    assert_eq!(callback.upload(&body).await, 401);
    assert_eq!(callback.status("/v1/results", "", &body).await, 401);
}

#[tokio::test]
async fn a_broken_upload_leaves_nothing_and_may_be_tried_again() {
    let scene = Scene::new(guest(Stage::PostCompute));
    let whole = numbers(&[1, 22, 255]);
    let deep = ["[".repeat(1 << 12), "]".repeat(1 << 12)].concat();
    for broken in [
        String::new(),
        "null".into(),
        "[1]".into(),
        "{}".into(),
        whole.replace("255", "256"),
        whole.replace("255", "-1"),
        whole.replace("255", "1.5"),
        whole.replace("255", "\"1\""),
        whole.replace("[1,22,255]", "[]"),
        whole.replace("[1,22,255]", "\"\""),
        whole.replace("[1,22,255]", "\"***\""),
        whole.replace("[1,22,255]", "\"QQ=\""),
        whole.replace("[1,22,255]", "null"),
        whole.replace("[1,22,255]", "{}"),
        whole.replace("\"zip\"", "\"zap\""),
        whole.replace("\"taskIndex\":0", "\"zip\":[7]"),
        whole.replace("\"taskIndex\":0", "\"taskIndex\":[]"),
        whole.replace(&task().to_string(), "junk"),
        format!("{whole} {{}}"),
        whole.replace("\"taskIndex\":0", &format!("\"x\":{deep}")),
    ] {
        let status = scene.upload(&broken).await;
        let shown: String = broken.chars().take(300).collect();
        assert_eq!(status, 400, "{shown}");
        assert_eq!(scene.files(), [""; 0], "{shown}");
    }
    assert_eq!(scene.upload(&whole).await, 200);
    assert_eq!(fs::read(scene.archive()).unwrap(), [1, 22, 255]);
}

/// The first half of an upload of `zip`, whose other half never comes.
fn half(scene: &Scene, zip: &[u8]) -> TcpStream {
    let (body, token) = (numbers(zip), recorded("token"));
    let mut stream = TcpStream::connect(scene.at).unwrap();
    let head = format!(
        "POST /v1/results HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
        .write_all(&body.as_bytes()[..body.len() / 2])
        .unwrap();
    stream
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect(what);
}

#[tokio::test]
async fn a_torn_upload_leaves_nothing() {
    let scene = Scene::new(guest(Stage::PostCompute));
    let stream = half(&scene, &[200; 100_000]);
    until("it began", || scene.files() == ["archive.zip.part"]).await;
    assert_eq!(scene.upload(numbers(b"x")).await, 409, "one at a time");
    drop(stream);
    until("it was removed", || scene.files().is_empty()).await;
    assert_eq!(scene.upload(numbers(b"x")).await, 200);
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_silent_client() {
    let mut scene = Scene::new(guest(Stage::PostCompute));
    let _silent = half(&scene, &[200; 100_000]);
    until("it began", || !scene.files().is_empty()).await;
    scene.cancel.cancel();
    let served = tokio::time::timeout(PATIENCE, &mut scene.served).await;
    served.unwrap().unwrap().unwrap();
    until("it was removed", || scene.files().is_empty()).await;
    assert!(
        Client::new()
            .get(format!("http://{}", scene.at))
            .send()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn datasets_are_handed_out_by_number() {
    let scene = Scene::new(guest(Stage::PreCompute));
    let large: Vec<u8> = (0..3_u32 << 20).map(|n| (n / 7) as u8).collect();
    fs::write(scene.dir.path().join("one"), "first").unwrap();
    fs::write(scene.dir.path().join("two"), &large).unwrap();
    let get = |number: &str| {
        let url = format!("http://{}/datasets/{number}", scene.at);
        async move { Client::new().get(url).send().await.unwrap() }
    };
    assert_eq!(get("0").await.bytes().await.unwrap(), "first");
    let second = get("1").await;
    assert_eq!(
        (second.status().as_u16(), second.content_length()),
        (200, Some(3 << 20))
    );
    assert!(second.bytes().await.unwrap() == large);
    for number in [
        "2",
        "-1",
        "x",
        "",
        "0/0",
        "18446744073709551616",
        "..%2Fone",
    ] {
        assert_eq!(get(number).await.status(), 404, "{number}");
    }
    fs::remove_file(scene.dir.path().join("one")).unwrap();
    assert_eq!(get("0").await.status(), 500);
}

#[test]
fn a_text_that_would_fill_the_memory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let text = io::repeat(b'A').take(TEXT_BYTES_MAX + 1);
    let body = br#"{"zip":""#.chain(text);
    let refused = receive(body, task(), &dir.path().join("a"));
    assert!(matches!(refused, Err(Refused::TooLarge)));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// A reader that gives a few bytes at a time.
struct Drops<'a>(&'a [u8], usize);

impl io::Read for Drops<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let bytes = self.1.min(to.len()).min(self.0.len());
        let (now, later) = self.0.split_at(bytes);
        to[..bytes].copy_from_slice(now);
        self.0 = later;
        Ok(bytes)
    }
}

/// A document that says the same in one of many ways.
fn documents() -> impl Strategy<Value = (Vec<u8>, String)> {
    let zip = proptest::collection::vec(any::<u8>(), 1..300);
    let space = prop_oneof![Just(""), Just(" "), Just("\n\t ")];
    (zip, space, any::<bool>(), any::<bool>()).prop_map(|(zip, space, is_text, is_last)| {
        let archive = match is_text {
            true => format!("\"{}\"", STANDARD.encode(&zip)),
            false => {
                let all: Vec<_> = zip.iter().map(u8::to_string).collect();
                format!("[{space}{}{space}]", all.join(&format!("{space},{space}")))
            }
        };
        let mut fields = [
            format!("\"zip\"{space}:{space}{archive}"),
            format!("\"chainTaskId\":{space}\"{}\"", task()),
            r#""a\"b[":"\\","c":null,"d":-1.5e3,"e":true"#.to_owned(),
        ];
        if is_last {
            fields.reverse();
        }
        (
            zip,
            format!("{{{space}{}{space}}}{space}", fields.join(",")),
        )
    })
}

proptest! {
    #[test]
    fn whatever_the_form_the_archive_is_the_same(
        (zip, document) in documents(),
        piece in 1_usize..50,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("archive.zip");
        receive(Drops(document.as_bytes(), piece), task(), &to).unwrap();
        proptest::prop_assert_eq!(fs::read(&to).unwrap(), zip);
    }

    #[test]
    fn a_document_cut_anywhere_leaves_nothing((_, document) in documents(), cut in 0.0..1.0) {
        let whole = document.trim_end().len();
        let cut = (whole as f64 * cut) as usize;
        let dir = tempfile::tempdir().unwrap();
        let refused = receive(&document.as_bytes()[..cut], task(), &dir.path().join("a"));
        proptest::prop_assert!(matches!(refused, Err(Refused::Malformed(_))));
        proptest::prop_assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
