//! The way out of a container's own network: a pair of interfaces, one end on each side.
//!
//! The host's end has the addresses and the rules (`crate::network`); the kernel removes the
//! pair when the container's side is gone. Made with the system's `ip`, inside the helper, which
//! has one thread and may therefore change sides.

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::bundle::Link;
use crate::network::{PAIR, run_with};

const HERE: &str = "/proc/self/ns/net";
/// The container's end.
const INSIDE: &str = "eth0";
/// The first address of `network::ADDRESSES`.
const FIRST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
/// Four addresses for each pair; the kernel counts interfaces much further, and old ones are gone.
const PAIRS: u32 = 32_768;
const PAIR_ADDRESSES: u32 = 4;

/// The network this process is in now.
pub(super) fn here() -> io::Result<File> {
    File::open(HERE)
}

/// Makes the pair between the host's network and ours. Ends in ours.
pub(super) fn connect(outside: &File, link: &Link) -> io::Result<()> {
    let inside = here()?;
    enter(outside)?;
    let made = outer(&inside);
    enter(&inside)?;
    let (gateway, address) = made?;
    run_with("ip", &["-batch", "-"], &script(link, gateway, address))
}

fn enter(network: &File) -> io::Result<()> {
    let kind = Some(LinkNameSpaceType::Network);
    Ok(move_into_link_name_space(network.as_fd(), kind)?)
}

/// The host's side; returns the addresses of both ends.
fn outer(inside: &File) -> io::Result<(Ipv4Addr, Ipv4Addr)> {
    let pid = std::process::id();
    let name = format!("{PAIR}{pid}");
    let there = format!("/proc/{pid}/fd/{}", inside.as_raw_fd());
    let add = format!("link add {name} type veth peer name {INSIDE} netns {there}\n");
    run_with("ip", &["-batch", "-"], &add)?;
    // Without it the ends would find each other by IPv6, of which the rules know nothing.
    silence(&name)?;
    let (gateway, address) = addresses(index(&name)?);
    let rest = format!("addr add {gateway}/32 peer {address}/32 dev {name}\nlink set {name} up\n");
    run_with("ip", &["-batch", "-"], &rest)?;
    Ok((gateway, address))
}

/// Switches IPv6 off for an interface of the network this process is in.
fn silence(name: &str) -> io::Result<()> {
    let folder = PathBuf::from("/proc/sys/net/ipv6/conf").join(name);
    match folder.exists() {
        true => fs::write(folder.join("disable_ipv6"), "1"),
        // A kernel without IPv6.
        false if !Path::new("/proc/sys/net/ipv6").exists() => Ok(()),
        false => Err(io::ErrorKind::NotFound.into()),
    }
}

/// The kernel's number of an interface, from `17: name@…`.
fn index(name: &str) -> io::Result<u32> {
    let shown = Command::new("ip")
        .args(["-o", "link", "show", name])
        .output()?;
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let number = text
        .split(':')
        .next()
        .and_then(|text| text.trim().parse().ok());
    number.ok_or_else(|| io::Error::other(format!("no number of interface {name}")))
}

/// Both ends of the pair with this number, gateway first.
fn addresses(index: u32) -> (Ipv4Addr, Ipv4Addr) {
    let base = u32::from(FIRST) + (index % PAIRS) * PAIR_ADDRESSES;
    (Ipv4Addr::from(base + 1), Ipv4Addr::from(base + 2))
}

/// The container's side, as commands for `ip`.
fn script(link: &Link, gateway: Ipv4Addr, address: Ipv4Addr) -> String {
    let mut text = format!("addr add {address}/32 dev {INSIDE}\nlink set {INSIDE} up\n");
    let mut route = |to: &str| {
        text += &format!("route replace {to} via {gateway} dev {INSIDE} onlink\n");
    };
    match &link.only {
        None => route("default"),
        Some(only) => only
            .iter()
            .for_each(|(_, address)| route(&format!("{address}/32"))),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_have_addresses_of_their_own_within_the_range() {
        let (gateway, address) = addresses(1);
        assert_eq!(gateway, Ipv4Addr::new(198, 18, 0, 5));
        assert_eq!(address, Ipv4Addr::new(198, 18, 0, 6));
        assert_eq!(addresses(PAIRS - 1).1, Ipv4Addr::new(198, 19, 255, 254));
        assert_eq!(addresses(PAIRS).0, Ipv4Addr::new(198, 18, 0, 1));
    }

    #[test]
    fn an_allowlist_has_no_way_to_the_rest_of_the_world() {
        let host = Ipv4Addr::new(203, 0, 113, 1);
        let only = Some(vec![
            ("a.test".to_owned(), host),
            ("b.test".to_owned(), host),
        ]);
        let text = script(&Link { only }, FIRST, FIRST);
        assert!(
            text.contains("203.0.113.1/32") && !text.contains("default"),
            "{text}"
        );
        assert!(script(&Link { only: None }, FIRST, FIRST).contains("default"));
    }
}
