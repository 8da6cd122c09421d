//! What a container with a network may reach: the rules both engines share.
//!
//! Names of interfaces carry the rules: every bridge and pair of ours begins with the same three
//! letters, so rules made once hold for every container to come. A container's own addresses,
//! which it could change, play no part.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use crate::{Error, Network, RunSpec};

/// Interfaces of the host that lead to our containers begin so.
const OURS: &str = "iex+";
/// The bridge of the daemon's containers.
pub(crate) const BRIDGE: &str = "iexd0";
/// The bridge of Podman's containers: both daemons may be on one machine.
pub(crate) const PODMAN_BRIDGE: &str = "iexp0";
/// Begins the name of a bridge with an allowlist.
pub(crate) const LISTED: &str = "iexa";
/// Begins the name of the host's end of a built-in container's pair of interfaces.
pub(crate) const PAIR: &str = "iexv";
/// Where built-in containers have their addresses: reserved for measurements between networks
/// (RFC 2544), so no network that a container could want to reach is hidden by it.
pub(crate) const ADDRESSES: &str = "198.18.0.0/15";

/// Not the world: other machines of the host's networks, clouds' metadata (169.254.169.254),
/// other containers, groups, and what is reserved (RFC 6890).
pub(crate) const BLOCKED: [&str; 10] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    ADDRESSES,
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// Hosts of an allowlist: it is written by hand.
pub(crate) const HOSTS_MAX: usize = 32;
/// Addresses of all its hosts together: each is a rule.
const ADDRESSES_MAX: usize = 128;
/// A name that is not resolved by then will not be.
const RESOLVE_TIMEOUT_S: u64 = 5;
/// Name servers for a machine whose own are out of a container's reach.
const PUBLIC_RESOLVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(1, 1, 1, 1), Ipv4Addr::new(8, 8, 8, 8)];

/// The addresses of an allowlist, by name. None when the network is not one of an allowlist.
///
/// # Errors
/// [`Error::CannotStart`] when a name has no address: better than an app that fails halfway.
pub(crate) async fn resolve(spec: &RunSpec) -> Result<Option<Vec<(String, Ipv4Addr)>>, Error> {
    let Network::Allowlist(hosts) = &spec.network else {
        return Ok(None);
    };
    let mut found = BTreeSet::new();
    for host in hosts {
        let before = found.len();
        let asked = tokio::net::lookup_host((host.as_str(), 0));
        let answer = tokio::time::timeout(Duration::from_secs(RESOLVE_TIMEOUT_S), asked).await;
        for address in answer.into_iter().flatten().flatten() {
            if let std::net::IpAddr::V4(address) = address.ip()
                && is_outside(address)
            {
                found.insert((host.clone(), address));
            }
        }
        if found.len() == before || found.len() > ADDRESSES_MAX {
            return Err(Error::CannotStart {
                name: spec.name.clone(),
                reason: format!("`{host}` of the allowlist has no address, or too many"),
            });
        }
    }
    Ok(Some(found.into_iter().collect()))
}

/// Whether an address is in none of the blocked ranges: whoever owns a listed name could let it
/// point into our networks.
fn is_outside(address: Ipv4Addr) -> bool {
    let inside = |range: &str| {
        let (first, bits) = range.split_once('/')?;
        let (first, bits) = (first.parse::<Ipv4Addr>().ok()?, bits.parse::<u32>().ok()?);
        let mask = u32::MAX << (32 - bits);
        Some(u32::from(first) & mask == u32::from(address) & mask)
    };
    !BLOCKED.iter().any(|range| inside(range) == Some(true))
}

/// Whether a name server is another machine, which may well be one of our networks.
fn is_reachable(address: Ipv4Addr) -> bool {
    !address.is_loopback()
        && !address.is_link_local()
        && !address.is_unspecified()
        && !address.is_multicast()
        && !address.is_broadcast()
}

/// A host name or address, as it may stand in an allowlist.
pub(crate) fn is_host(host: &str) -> bool {
    (1..=253).contains(&host.len())
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        && !host.starts_with('-')
}

/// The name servers of this machine that a container could ask.
pub(crate) fn resolvers() -> Vec<Ipv4Addr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = text.lines().filter_map(|line| {
        let server = line.strip_prefix("nameserver")?;
        server.trim().parse::<Ipv4Addr>().ok()
    });
    let found: Vec<_> = servers.filter(|server| is_reachable(*server)).collect();
    match found.is_empty() {
        true => PUBLIC_RESOLVERS.to_vec(),
        false => found,
    }
}

/// Programs that make links and rules, in Debian's packages `iproute2` and `iptables`.
const PROGRAMS: [&str; 3] = ["ip", "iptables", "iptables-restore"];

/// The first of [`PROGRAMS`] that this machine does not have. Asked anew each time: it may be
/// installed meanwhile.
pub(crate) fn missing_program() -> Option<&'static str> {
    missing_in(&std::env::var_os("PATH").unwrap_or_default())
}

fn missing_in(path: &OsStr) -> Option<&'static str> {
    let folders: Vec<_> = std::env::split_paths(path).collect();
    let is_missing = |name: &&str| !folders.iter().any(|dir| dir.join(name).is_file());
    PROGRAMS.into_iter().find(is_missing)
}

/// Makes the rules, once in the life of this process. Blocks.
///
/// # Errors
/// When there is no `iptables`, or it may not be used.
pub(crate) fn protect() -> io::Result<()> {
    static DONE: Mutex<bool> = Mutex::new(false);
    let mut done = DONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if !*done {
        feed(&rules(&resolvers()))?;
        jumps(first())?;
        *done = true;
    }
    Ok(())
}

/// The same for Podman, whose own rules come before ours in `filter`; nothing can be refused where
/// ours have to be, only dropped. Its name server listens on the host. Blocks.
///
/// # Errors
/// As `protect`.
pub(crate) fn protect_podman() -> io::Result<()> {
    protect()?;
    feed(&podman_rules(&resolvers()))?;
    let blocked = format!("-i {PODMAN_BRIDGE} -j IEXEC-PRIVATE");
    jump("mangle", "FORWARD", &blocked)?;
    let asks = format!("-i {PODMAN_BRIDGE} -p udp --dport 53 -j ACCEPT");
    jump("filter", "INPUT", &asks)
}

fn podman_rules(resolvers: &[Ipv4Addr]) -> String {
    let mut text = String::from("*mangle\n:IEXEC-PRIVATE - [0:0]\n");
    text += &exceptions(resolvers);
    for range in BLOCKED {
        text += &format!("-A IEXEC-PRIVATE -d {range} -j DROP\n");
    }
    text + "COMMIT\n"
}

/// Docker's own rules come first in `FORWARD` after each of its starts, and leave this chain to us.
fn first() -> &'static str {
    match iptables(&["-n", "-L", "DOCKER-USER"]) {
        Ok(()) => "DOCKER-USER",
        Err(_) => "FORWARD",
    }
}

/// A chain that is named here is emptied and filled in one step.
fn rules(resolvers: &[Ipv4Addr]) -> String {
    let mut text = String::from("*filter\n:IEXEC-PRIVATE - [0:0]\n");
    text += &exceptions(resolvers);
    for range in BLOCKED {
        text += &format!("-A IEXEC-PRIVATE -d {range} -j REJECT\n");
    }
    text += ":IEXEC-PAIR - [0:0]\n-A IEXEC-PAIR -j IEXEC-PRIVATE\n-A IEXEC-PAIR -j ACCEPT\n";
    text + "COMMIT\n"
}

/// Name servers may well be in a network that is blocked.
fn exceptions(resolvers: &[Ipv4Addr]) -> String {
    let each = resolvers.iter().flat_map(|r| [(r, "udp"), (r, "tcp")]);
    each.map(|(resolver, protocol)| {
        format!("-A IEXEC-PRIVATE -d {resolver} -p {protocol} --dport 53 -j RETURN\n")
    })
    .collect()
}

fn jumps(first: &str) -> io::Result<()> {
    let (bridge, pair, listed) = (BRIDGE, format!("{PAIR}+"), format!("{LISTED}+"));
    let answers = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT";
    // Nothing of the host itself, whatever address it is called by.
    jump("filter", "INPUT", &format!("-i {OURS} -j REJECT"))?;
    jump("filter", first, &format!("-o {pair} -j REJECT"))?;
    jump("filter", first, &format!("-o {pair} {answers}"))?;
    jump("filter", first, &format!("-i {pair} -j IEXEC-PAIR"))?;
    jump("filter", first, &format!("-i {bridge} -j IEXEC-PRIVATE"))?;
    // Rules of single containers are put before it.
    let last = format!("-i {listed} -j REJECT");
    jump("filter", first, &last)?;
    jump(
        "nat",
        "POSTROUTING",
        &format!("-s {ADDRESSES} -j MASQUERADE"),
    )
}

/// Puts a rule at the beginning of a chain, unless it is there.
fn jump(table: &str, chain: &str, rule: &str) -> io::Result<()> {
    let with = |action| {
        let rule = rule.split(' ');
        let args: Vec<_> = ["-t", table, action, chain]
            .into_iter()
            .chain(rule)
            .collect();
        iptables(&args)
    };
    with("-C").or_else(|_| with("-I"))
}

/// Lets a bridge reach these addresses and nothing else. Blocks.
pub(crate) fn allow(bridge: &str, addresses: &[Ipv4Addr]) -> io::Result<()> {
    let mut text = format!("*filter\n:{bridge} - [0:0]\n");
    for address in addresses {
        text += &format!("-A {bridge} -d {address} -j ACCEPT\n");
    }
    feed(&format!("{text}-A {bridge} -j REJECT\nCOMMIT\n"))?;
    jump("filter", first(), &format!("-i {bridge} -j {bridge}"))
}

/// Undoes `allow`, as far as there is something to undo. Blocks.
pub(crate) fn disallow(bridge: &str) {
    let Ok(listing) = Command::new("iptables").args(["-w", "-S"]).output() else {
        return;
    };
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    for rule in listing.lines().filter(|line| has_word(line, bridge)) {
        if let Some(rule) = rule.strip_prefix("-A ") {
            let args: Vec<_> = ["-D"].into_iter().chain(rule.split(' ')).collect();
            let _ = iptables(&args);
        }
    }
    let _ = iptables(&["-X", bridge]);
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(' ').any(|part| part == word)
}

fn iptables(args: &[&str]) -> io::Result<()> {
    let done = Command::new("iptables").arg("-w").args(args).output()?;
    said(&done)
}

fn feed(text: &str) -> io::Result<()> {
    run_with("iptables-restore", &["-w", "--noflush"], text)
}

/// Runs a program of the system with this input.
pub(crate) fn run_with(program: &str, args: &[&str], text: &str) -> io::Result<()> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes())?;
    }
    said(&child.wait_with_output()?)
}

fn said(done: &std::process::Output) -> io::Result<()> {
    match done.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(
            String::from_utf8_lossy(&done.stderr).trim().to_owned(),
        )),
    }
}

/// Lets the kernel pass packets on between interfaces.
pub(crate) fn forward() -> io::Result<()> {
    let switch = Path::new("/proc/sys/net/ipv4/ip_forward");
    match std::fs::read_to_string(switch)?.trim() {
        "1" => Ok(()),
        _ => std::fs::write(switch, "1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = std::env::join_paths([first.path(), second.path()]).unwrap();
        assert_eq!(missing_in(&path), Some("ip"));
        for (dir, name) in [(&first, "iptables"), (&second, "iptables-restore")] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        std::fs::create_dir(first.path().join("ip")).unwrap();
        assert_eq!(missing_in(&path), Some("ip"));
        std::fs::write(second.path().join("ip"), "").unwrap();
        assert_eq!(missing_in(&path), None);
    }

    #[test]
    fn here_is_never_reachable() {
        for text in ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1"] {
            assert!(!is_reachable(text.parse().unwrap()), "{text}");
        }
        for text in [
            "10.1.2.3",
            "172.31.0.1",
            "169.254.169.254",
            "198.19.0.1",
            "255.0.0.1",
        ] {
            assert!(!is_outside(text.parse().unwrap()), "{text}");
        }
        assert!(is_outside("203.0.113.7".parse().unwrap()));
        assert!(is_outside("172.32.0.1".parse().unwrap()));
        assert!(resolvers().into_iter().all(is_reachable));
    }

    #[test]
    fn hosts_are_words() {
        assert!(is_host("api.example.com") && is_host("203.0.113.7"));
        for text in ["", "a b", "-j", "a/b", "a:1", &"x".repeat(300)] {
            assert!(!is_host(text), "{text}");
        }
    }

    #[test]
    fn name_servers_are_reached_before_ranges_are_refused() {
        let text = rules(&["10.0.0.2".parse().unwrap()]);
        let place = |part: &str| text.find(part).unwrap();
        assert!(place("10.0.0.2 -p udp --dport 53 -j RETURN") < place("10.0.0.0/8 -j REJECT"));
        assert!(text.ends_with("COMMIT\n"));
    }
}
