//! What a container may reach, with a world made for it: a machine outside of the host, which
//! has an address of the internet, one of a private network, and that of a cloud's metadata.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;

use engine::{Error, Network, log_channel};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

use crate::World;

/// The host's address on the way there; documentation addresses, which nobody has.
const HOST: &str = "203.0.113.1";
const PUBLIC: &str = "203.0.113.2";
const OTHER: &str = "203.0.113.3";
const PRIVATE: &str = "10.213.77.2";
const METADATA: &str = "169.254.169.254";
const PORT: u16 = 8080;

/// There is only one such machine.
static ONE: Mutex<()> = Mutex::const_new(());

struct Outside {
    namespace: String,
    /// Our end of the way there.
    end: String,
    _one: MutexGuard<'static, ()>,
}

impl Outside {
    async fn new() -> Self {
        let outside = Self {
            _one: ONE.lock().await,
            namespace: format!("iexec-test-{}", std::process::id()),
            end: format!("out{}", std::process::id()),
        };
        let (namespace, end) = (&outside.namespace, &outside.end);
        let inner = [
            "link set lo up".to_owned(),
            "link set there up".to_owned(),
            format!("addr add {PUBLIC}/24 dev there"),
            format!("addr add {OTHER}/24 dev there"),
            format!("addr add {PRIVATE}/32 dev lo"),
            format!("addr add {METADATA}/32 dev lo"),
        ];
        ip(&format!("netns add {namespace}"));
        ip(&format!(
            "link add {end} type veth peer name there netns {namespace}"
        ));
        for command in inner {
            ip(&format!("-n {namespace} {command}"));
        }
        ip(&format!("addr add {HOST}/24 dev {end}"));
        ip(&format!("link set {end} up"));
        ip(&format!("route add {PRIVATE}/32 via {PUBLIC}"));
        ip(&format!("route add {METADATA}/32 via {PUBLIC}"));
        let place = format!("/var/run/netns/{namespace}");
        std::thread::spawn(move || listen_in(&place))
            .join()
            .unwrap();
        outside
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        // The threads that listen there keep it alive without its name.
        ip(&format!("link del {}", self.end));
        ip(&format!("netns del {}", self.namespace));
    }
}

fn ip(command: &str) {
    let done = Command::new("ip")
        .args(command.split(' '))
        .output()
        .unwrap();
    assert!(done.status.success(), "ip {command}: {done:?}");
}

/// Listens inside before it returns.
fn listen_in(namespace: &str) {
    let namespace = std::fs::File::open(namespace).unwrap();
    move_into_link_name_space(
        std::os::fd::AsFd::as_fd(&namespace),
        Some(LinkNameSpaceType::Network),
    )
    .unwrap();
    serve(SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)));
}

/// Answers every question with one word; returns its port. Ends with the test's process.
fn serve(address: SocketAddr) -> u16 {
    let listener = TcpListener::bind(address).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"here\n");
        }
    });
    port
}

fn get(address: &str, port: u16) -> String {
    // Not `wget`: linked statically, it crashes before it connects.
    format!("echo | /bin/busybox nc -w 3 {address} {port} 2>/dev/null || echo no; ")
}

async fn said(world: &World, script: &str, network: Network) -> String {
    let mut spec = world.script(script).await;
    spec.network = network;
    let outcome = world.run(spec).await;
    outcome.stdout()
}

pub(crate) async fn outbound_reaches_the_world_and_nothing_private(world: &World) {
    let _outside = Outside::new().await;
    let script = [PUBLIC, METADATA, PRIVATE]
        .map(|address| get(address, PORT))
        .concat();
    let answers = said(world, &script, Network::Outbound).await;
    assert_eq!(answers, "here\nno\nno\n");
}

pub(crate) async fn outbound_does_not_reach_the_host(world: &World) {
    let _outside = Outside::new().await;
    let loopback = serve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let open = serve(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
    let script = format!(
        "{}{}{}set -- $(ip route show default); {}",
        get("127.0.0.1", loopback),
        get("127.0.0.1", open),
        get(HOST, open),
        get("$3", open)
    );
    let answers = said(world, &script, Network::Outbound).await;
    assert_eq!(answers, "no\nno\nno\nno\n");
}

pub(crate) async fn an_allowlist_is_all_there_is(world: &World) {
    let _outside = Outside::new().await;
    let addresses = [PUBLIC, OTHER, METADATA, PRIVATE];
    let script = addresses.map(|address| get(address, PORT)).concat();
    let listed = Network::Allowlist(vec![PUBLIC.to_owned()]);
    assert_eq!(said(world, &script, listed).await, "here\nno\nno\nno\n");
}

pub(crate) async fn a_name_without_address_does_not_start(world: &World) {
    for host in ["no-such-host.invalid", "localhost", METADATA] {
        let mut spec = world.script("true").await;
        spec.network = Network::Allowlist(vec![host.to_owned()]);
        let (logs, _reader) = log_channel();
        let run = world.engine.run(spec, logs, CancellationToken::new()).await;
        assert!(
            matches!(run, Err(Error::CannotStart { .. })),
            "{host}: {run:?}"
        );
    }
}
