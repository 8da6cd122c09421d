//! Servers that fail, and servers that mean harm.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::*;
use crate::retry::testing::Still;

const HOUR: Duration = Duration::from_secs(3_600);

/// A server that gives these answers, one for each connection and the last one for ever.
struct Server {
    origin: String,
    asked: Arc<AtomicUsize>,
}

/// Writes an answer; how it goes on is its own affair.
type Answer = Box<dyn Fn(&mut dyn Write) -> io::Result<()> + Send>;

fn serve(answers: Vec<Answer>) -> Server {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The head of a request fits in one packet.
            let _ = stream.read(&mut [0; 4096]);
            let number = count.fetch_add(1, Ordering::Relaxed);
            // A client that has seen enough hangs up.
            let _ = answers[number.min(answers.len() - 1)](&mut stream);
        }
    });
    Server { origin, asked }
}

fn text(text: impl Into<String>) -> Answer {
    let text = text.into();
    Box::new(move |to| to.write_all(text.as_bytes()))
}

fn ok(body: &str) -> Answer {
    let length = body.len();
    text(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

fn status(line: &str) -> Answer {
    text(format!(
        "HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    ))
}

/// Fetches one file of at most 1,000 bytes, or several of at most 1,500 together.
async fn fetch_from(
    server: &Server,
    names: &[&str],
    time: Duration,
) -> (Result<Vec<Vec<u8>>, Failure>, Vec<u64>) {
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy {
        allow_private: true,
        ipfs_gateway: None,
    };
    let urls: Vec<_> = names
        .iter()
        .map(|name| format!("{}/{name}", server.origin))
        .collect();
    let (clock, deadline) = Still::new(time);
    let tries = Tries {
        clock: &clock,
        deadline,
    };
    let fetched = fetch_bounded(&urls, folder.path(), &policy, tries, 1_000, 1_500).await;
    let read = |name: &String| std::fs::read(folder.path().join(name)).unwrap();
    let files = fetched.map(|names| names.iter().map(read).collect());
    let slept = clock.slept.lock().unwrap();
    (files, slept.iter().map(|pause| pause.as_secs()).collect())
}

async fn refused(answers: Vec<Answer>) -> (String, usize) {
    let server = serve(answers);
    let (fetched, _) = fetch_from(&server, &["a"], HOUR).await;
    let failure = fetched.unwrap_err();
    assert_eq!(failure.cause, Cause::InputFilesDownloadFailed);
    (failure.message, server.asked.load(Ordering::Relaxed))
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let server = serve(vec![
        status("503 Service Unavailable"),
        // Hangs up without a word, then in the middle.
        text(""),
        text("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"),
        status("429 Slow Down\r\nretry-after: 90"),
        ok("whole"),
    ]);
    let (files, slept) = fetch_from(&server, &["a"], HOUR).await;
    assert_eq!(files.unwrap(), [b"whole"]);
    assert_eq!(slept, [0, 0, 1, 90]);
}

#[tokio::test]
async fn what_stays_is_asked_once() {
    for line in ["404 Not Found", "400 Bad Request", "403 Forbidden"] {
        let (message, asked) = refused(vec![status(line)]).await;
        assert!(
            message.contains(&line[..3]) && asked == 1,
            "{message} {asked}"
        );
    }
    let away = "HTTP/1.1 302 Found\r\nlocation: file:///etc/shadow\r\ncontent-length: 0\r\n\r\n";
    let (message, asked) = refused(vec![text(away)]).await;
    assert!(message.contains("302") && asked == 1, "{message} {asked}");
}

#[tokio::test]
async fn a_name_of_this_machine_is_refused_at_once() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let (clock, deadline) = Still::new(HOUR);
    let tries = Tries {
        clock: &clock,
        deadline,
    };
    let urls = ["http://localhost:1/x".to_owned()];
    let policy = Policy::default();
    let fetched = fetch_bounded(&urls, folder.path(), &policy, tries, 1_000, 1_000).await;
    let failure = fetched.unwrap_err();
    assert!(failure.message.contains("no public address"), "{failure}");
    assert!(clock.slept.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_server_in_trouble_is_given_up_at_last() {
    let (message, asked) = refused(vec![status("502 Bad Gateway")]).await;
    assert!(message.contains("502") && asked > 5, "{message} {asked}");
}

#[tokio::test]
async fn the_deadline_ends_the_tries() {
    let server = serve(vec![status("500 Internal Server Error")]);
    let (fetched, slept) = fetch_from(&server, &["a"], Duration::from_millis(1_000)).await;
    assert!(fetched.unwrap_err().message.contains("500"));
    assert_eq!(slept.len(), 2);
}

#[tokio::test]
async fn a_body_without_end_ends_at_the_deadline() {
    let slow: Answer = Box::new(|to| {
        to.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n")?;
        loop {
            to.write_all(b"x")?;
            to.flush()?;
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let server = serve(vec![slow]);
    let (fetched, _) = fetch_from(&server, &["a"], Duration::from_millis(500)).await;
    let failure = fetched.unwrap_err();
    assert!(failure.message.contains("time"), "{failure}");
}

#[tokio::test]
async fn larger_than_allowed_is_told_whatever_the_server_said() {
    let honest = "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n";
    let endless: Answer = Box::new(|to| {
        to.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        loop {
            to.write_all(&[b'x'; 1_000])?;
        }
    });
    for answer in [text(honest), endless] {
        let (message, asked) = refused(vec![answer]).await;
        assert!(message.contains("larger than 1000 bytes"), "{message}");
        assert_eq!(asked, 1);
    }
}

#[tokio::test]
async fn many_files_share_a_limit() {
    let server = serve(vec![ok(&"x".repeat(800))]);
    let (fetched, _) = fetch_from(&server, &["a", "b"], HOUR).await;
    let failure = fetched.unwrap_err();
    assert!(
        failure.message.contains("larger than 700 bytes"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_length_that_is_a_lie_adds_nothing() {
    // More than announced: what comes after the end is nobody's.
    let more = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabcdef";
    let server = serve(vec![text(more)]);
    let (files, _) = fetch_from(&server, &["a"], HOUR).await;
    assert_eq!(files.unwrap(), [b"abc"]);
    // Less than announced, every time.
    let less = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nabc";
    let (message, asked) = refused(vec![text(less)]).await;
    assert!(asked > 1, "{message}");
    let twice = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd";
    refused(vec![text(twice)]).await;
}

/// A megabyte of zeros in a kilobyte, said to be packed on the way: nobody unpacks it.
#[tokio::test]
async fn a_bomb_is_stored_as_it_came() {
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    zip.start_file("zeros", options).unwrap();
    zip.write_all(&vec![0; 500_000]).unwrap();
    let bomb = zip.finish().unwrap().into_inner();
    assert!(bomb.len() < 1_000);
    let sent = bomb.clone();
    let packed: Answer = Box::new(move |to| {
        let length = sent.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n"
        );
        to.write_all(head.as_bytes())?;
        to.write_all(&sent)
    });
    let server = serve(vec![packed]);
    let (files, _) = fetch_from(&server, &["bomb.zip"], HOUR).await;
    assert_eq!(files.unwrap(), [bomb]);
}
