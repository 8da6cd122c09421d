//! What of ours a program reaches on its own loopback, and that nobody else does.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use engine::{Error, Loopback, Network, Reason, RunSpec, Secret, log_channel};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::World;

/// What the program asks.
const QUESTION: &str = "GET / HTTP/1.1";

/// A run of this script with a loopback at this port.
async fn spec(world: &World, script: &str, port: u16) -> (RunSpec, oneshot::Receiver<TcpListener>) {
    let mut spec = world.script(script).await;
    spec.secrets = vec![("SECRET".to_owned(), Secret::new("x".to_owned()))];
    let (loopback, listener) = Loopback::new(port);
    spec.loopback = Some(loopback);
    (spec, listener)
}

/// Not `wget`: linked statically, it crashes before it connects.
fn get(port: u16) -> String {
    format!("echo '{QUESTION}' | /bin/busybox nc -w 60 127.0.0.1 {port} 2>/dev/null || echo no; ")
}

/// Answers every question with this word until dropped.
fn serve(listener: oneshot::Receiver<TcpListener>, word: &'static str) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let listener = listener.await.unwrap();
        answer(&listener, word).await;
    }))
}

async fn answer(listener: &TcpListener, word: &str) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut question = [0; QUESTION.len()];
        stream.read_exact(&mut question).await.unwrap();
        assert_eq!(question, QUESTION.as_bytes());
        stream.write_all(word.as_bytes()).await.unwrap();
    }
}

/// A server on the host's own loopback; its port is the container's too.
async fn host(word: &'static str) -> (u16, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = oneshot::channel();
    sender.send(listener).unwrap();
    (port, serve(receiver, word))
}

/// What the host hears at the port on its own loopback.
fn ask(port: u16) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(QUESTION.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub(crate) async fn a_loopback_is_the_programs_alone(world: &World) {
    let (port, _host) = host("the host's\n").await;
    let script = format!("{}echo $SECRET", get(port));
    let (spec, listener) = spec(world, &script, port).await;
    let run = world.run(spec);
    let heard = async {
        let listener = listener.await.unwrap();
        assert_eq!(
            listener.local_addr().unwrap().to_string(),
            format!("127.0.0.1:{port}")
        );
        // It is there now, and the host's is still another.
        let heard = tokio::task::spawn_blocking(move || ask(port)).await;
        let served = AbortOnDropHandle::new(tokio::spawn(async move {
            answer(&listener, "its own\n").await;
        }));
        (heard.unwrap(), served)
    };
    let (outcome, (heard, _served)) = tokio::join!(run, heard);
    assert_eq!(heard, "the host's\n");
    assert_eq!(outcome.stdout(), "its own\nx\n", "{}", outcome.stderr());
}

pub(crate) async fn loopbacks_at_one_port_do_not_meet(world: &World) {
    let (port, _host) = host("the host's\n").await;
    // Each asks while the other is there.
    let script = format!("{0}sleep 1; {0}", get(port));
    let (one, of_one) = spec(world, &script, port).await;
    let (two, of_two) = spec(world, &script, port).await;
    let _servers = [serve(of_one, "one\n"), serve(of_two, "two\n")];
    let (one, two) = tokio::join!(world.run(one), world.run(two));
    assert_eq!(one.stdout(), "one\none\n");
    assert_eq!(two.stdout(), "two\ntwo\n");
}

/// As open as without it: no descriptor of ours, nor of who has made it.
pub(crate) async fn a_loopback_leaves_nothing_open(world: &World) {
    let script = "/bin/busybox ls /proc/1/fd; /bin/busybox readlink /proc/1/fd/0; env | grep -c .";
    let (with, _listener) = spec(world, script, 13_100).await;
    let mut without = with.clone();
    without.name = world.name();
    without.loopback = None;
    let with = world.run(with).await.stdout();
    assert!(with.starts_with("0\n1\n2\n/dev/null\n"), "{with}");
    assert_eq!(with, world.run(without).await.stdout());
}

/// The program says something at once; nothing is heard while the listener is on its way.
pub(crate) async fn a_loopback_is_there_before_the_program(world: &World) {
    let (spec, mut listener) = spec(world, "echo begun", 13_100).await;
    let (logs, mut reader) = log_channel();
    let run = world.engine.run(spec, logs, CancellationToken::new());
    let first = async {
        reader.recv().await.unwrap();
        listener.try_recv().unwrap()
    };
    let (exit, _listener) = tokio::join!(run, first);
    assert_eq!(exit.unwrap().code, 0);
}

pub(crate) async fn a_loopback_is_there_besides_a_network(world: &World) {
    let (port, _host) = host("the host's\n").await;
    let (mut spec, listener) = spec(world, &get(port), port).await;
    spec.network = Network::Outbound;
    let _server = serve(listener, "its own\n");
    assert_eq!(world.run(spec).await.stdout(), "its own\n");
}

pub(crate) async fn a_loopback_that_nobody_waits_for_does_not_start(world: &World) {
    let (mut spec, listener) = spec(world, "echo begun", 13_100).await;
    let (again, mut used) = (spec.clone(), listener);
    world.run(again).await;
    used.try_recv().unwrap();
    // What has been handed over is not handed over twice.
    spec.name = world.name();
    let (name, (logs, mut reader)) = (spec.name.clone(), log_channel());
    let ran = world.engine.run(spec, logs, CancellationToken::new()).await;
    let error = ran.unwrap_err();
    assert!(matches!(error, Error::CannotStart { .. }), "{error:?}");
    assert!(error.to_string().contains("nobody waits"), "{error}");
    assert_eq!(reader.recv().await, None);
    assert!(!world.exists(&name).await);
}

pub(crate) async fn a_run_that_ends_does_not_wait_for_its_loopback(world: &World) {
    let (mut late, listener) = spec(world, "sleep 60", 13_100).await;
    late.deadline = Duration::ZERO;
    let exit = world.run(late).await.exit;
    assert_eq!(exit.reason, Reason::Deadline);
    drop(listener);
    let (cancelled, listener) = spec(world, "sleep 60", 13_100).await;
    let (token, (logs, _reader)) = (CancellationToken::new(), log_channel());
    token.cancel();
    let exit = world.engine.run(cancelled, logs, token).await.unwrap();
    assert_eq!(exit.reason, Reason::Cancelled);
    // Whether it had come that far or not, the caller is not left waiting.
    drop(listener.await);
}

pub(crate) async fn what_cannot_start_with_a_loopback_is_named(world: &World) {
    let (mut spec, _listener) = spec(world, "", 13_100).await;
    let mut image = world.busybox();
    image.entrypoint = vec!["no-such-program".into()];
    spec.image = world.import(&image).await;
    let (logs, mut reader) = log_channel();
    let ran = world.engine.run(spec, logs, CancellationToken::new()).await;
    let error = ran.unwrap_err();
    assert!(matches!(error, Error::CannotStart { .. }), "{error:?}");
    assert!(error.to_string().contains("no-such-program"), "{error}");
    assert_eq!(reader.recv().await, None);
}

pub(crate) async fn unsound_loopbacks_are_refused(world: &World) {
    let (port_zero, _listener) = spec(world, "true", 0).await;
    let (mut without_secret, _listener) = spec(world, "true", 13_100).await;
    without_secret.secrets.clear();
    for refused in [port_zero, without_secret] {
        let (logs, _reader) = log_channel();
        let ran = world
            .engine
            .run(refused, logs, CancellationToken::new())
            .await;
        let error = ran.unwrap_err();
        assert!(
            matches!(
                error,
                Error::BadSpec {
                    field: "loopback",
                    ..
                }
            ),
            "{error:?}"
        );
    }
}
