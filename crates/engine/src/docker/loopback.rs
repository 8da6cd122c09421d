//! The loopback of a container of the daemon's, entered from the host.
//!
//! A socket stays in the network in which it was made, so a thread that goes there for a moment is
//! enough; it is one of its own, because it does not come back.

use std::io;
use std::net::TcpListener;

use tokio::sync::oneshot;

use crate::Loopback;

/// Listens in the network of this process, which must be of the container with this id, and gives
/// the listener to the caller.
pub(super) async fn serve(loopback: &Loopback, pid: i64, container: &str) -> io::Result<()> {
    let (port, container) = (loopback.port(), container.to_owned());
    let (sender, receiver) = oneshot::channel();
    let work = move || drop(sender.send(listen(port, pid, &container)));
    std::thread::Builder::new()
        .name("loopback".to_owned())
        .spawn(work)?;
    let listener = receiver.await.map_err(io::Error::other)?;
    loopback.hand_over(listener.map_err(explained)?)
}

fn explained(error: io::Error) -> io::Error {
    let remedy = "serving there takes root and a daemon on this machine";
    io::Error::other(format!("{remedy}: {error}"))
}

/// Leaves the thread in the container's network.
#[cfg(target_os = "linux")]
fn listen(port: u16, pid: i64, container: &str) -> io::Result<TcpListener> {
    use std::os::fd::AsFd;

    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

    let network = network(pid, container)?;
    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
    crate::loopback::bind(port)
}

#[cfg(not(target_os = "linux"))]
fn listen(_port: u16, _pid: i64, _container: &str) -> io::Result<TcpListener> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The network of the process with this number here, where that is the container's: the daemon may
/// be on another machine, or count differently. The folder is that of one process, whoever has
/// its number later.
#[cfg(target_os = "linux")]
fn network(pid: i64, container: &str) -> io::Result<std::os::fd::OwnedFd> {
    use std::fs::File;
    use std::io::Read;

    use rustix::fs::{CWD, Mode, OFlags, openat};

    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let process = openat(CWD, format!("/proc/{pid}"), flags, Mode::empty())?;
    let file = |name: &str| openat(&process, name, flags, Mode::empty());
    let mut groups = String::new();
    File::from(file("cgroup")?).read_to_string(&mut groups)?;
    match crate::usage::is_of(&groups, container) {
        true => Ok(file("ns/net")?),
        false => Err(io::Error::other(format!(
            "process {pid} is not the container's"
        ))),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The network of a process that is not the container's may be the host's.
    #[tokio::test]
    async fn a_process_that_is_not_the_containers_is_not_entered() {
        let own = i64::from(std::process::id());
        for container in ["", "0123456789abcdef"] {
            let (loopback, receiver) = Loopback::new(1);
            let error = serve(&loopback, own, container).await.unwrap_err();
            assert!(error.to_string().contains("not the container's"), "{error}");
            drop(loopback);
            assert!(receiver.await.is_err());
        }
    }

    #[tokio::test]
    async fn a_process_that_is_not_here_is_not_entered() {
        let (loopback, _receiver) = Loopback::new(1);
        let error = serve(&loopback, i64::MAX, "x").await.unwrap_err();
        assert!(
            error.to_string().contains("a daemon on this machine"),
            "{error}"
        );
    }
}
