//! The line between us and a helper, which is its standard input.
//!
//! Down the line come the variables of a program, and its end; up the line comes the listener in
//! the container's network, which only the helper can make. So it is a pair of sockets.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// A descriptor does not travel without a byte.
const COMPANION: &[u8; 1] = b"\n";

/// Our end, and the helper's.
pub(super) fn pair() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs.into()))
}

/// Sends a listener up the line.
pub(super) fn send(line: impl AsFd, listener: &TcpListener) -> io::Result<()> {
    let listener = [listener.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&listener));
    let bytes = [IoSlice::new(COMPANION)];
    sendmsg(line, &bytes, &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Waits for a listener; none when the helper ends before it sends one.
pub(super) async fn receive(line: &UnixStream) -> io::Result<Option<TcpListener>> {
    line.async_io(Interest::READABLE, || take(line)).await
}

fn take(line: &UnixStream) -> io::Result<Option<TcpListener>> {
    let mut companion = [0; COMPANION.len()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [IoSliceMut::new(&mut companion)];
    recvmsg(line, &mut bytes, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let found = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok(found.map(TcpListener::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_comes_up_the_line() {
        let (ours, theirs) = pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sent = async { send(theirs, &listener).unwrap() };
        let (found, ()) = tokio::join!(receive(&ours), sent);
        let found = found.unwrap().unwrap();
        assert_eq!(found.local_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn the_end_of_a_helper_is_the_end_of_waiting() {
        let (ours, theirs) = pair().unwrap();
        let ended = async { drop(theirs) };
        let (found, ()) = tokio::join!(receive(&ours), ended);
        assert!(found.unwrap().is_none());
    }
}
