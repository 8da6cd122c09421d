//! A server of the caller's, inside of a container's own network.
//!
//! What a program may ask us must not be open to the rest of the machine, nor need a network. So
//! the caller serves where only that program is: on its loopback.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::Error;

/// A port of `127.0.0.1` in one container's own network, at which the caller of
/// [`Engine::run`](crate::Engine::run) serves.
///
/// The program reaches it with any [`Network`](crate::Network), [`None`](crate::Network::None) too;
/// the host and other containers do not, whatever listens at that port elsewhere. It is bound
/// before the program starts, so the first connection waits for the server at worst.
///
/// For one run: clones are the same, and a second run with one of them does not start.
#[derive(Debug, Clone)]
pub struct Loopback {
    port: u16,
    caller: Arc<Mutex<Option<oneshot::Sender<TcpListener>>>>,
}

impl Loopback {
    /// The port, and where its listener arrives once the container is there. Nothing arrives when
    /// there is never one: the receiver fails when the run is over and no clone is left.
    #[must_use]
    pub fn new(port: u16) -> (Self, oneshot::Receiver<TcpListener>) {
        let (sender, receiver) = oneshot::channel();
        let caller = Arc::new(Mutex::new(Some(sender)));
        (Self { port, caller }, receiver)
    }

    /// Where the program finds the server.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Why no engine could offer it. A program without secrets waits for nothing, so it could ask
    /// before anybody listens.
    pub(crate) fn check(&self, has_secrets: bool) -> Result<(), &'static str> {
        match (self.port, has_secrets) {
            (0, _) => Err("0 is no port"),
            (_, false) => Err("needs a secret, for which the program waits"),
            (_, true) => Ok(()),
        }
    }

    /// Gives the caller its listener.
    ///
    /// # Errors
    /// When nobody would ever serve there.
    pub(crate) fn hand_over(&self, listener: std::net::TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let mut caller = self.caller.lock().unwrap_or_else(PoisonError::into_inner);
        match caller
            .take()
            .is_some_and(|caller| caller.send(listener).is_ok())
        {
            true => Ok(()),
            false => Err(io::Error::other("nobody waits for its listener")),
        }
    }

    /// What a run is told that cannot have it.
    pub(crate) fn refusal(&self, container: &str, error: &io::Error) -> Error {
        Error::CannotStart {
            name: container.to_owned(),
            reason: format!("port {} of its loopback: {error}", self.port),
        }
    }
}

/// Two are equal when they are the same.
impl PartialEq for Loopback {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.caller, &other.caller)
    }
}

/// Listens in the network that the calling thread is in.
#[cfg(target_os = "linux")]
pub(crate) fn bind(port: u16) -> io::Result<std::net::TcpListener> {
    std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free() -> std::net::TcpListener {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap()
    }

    #[tokio::test]
    async fn a_listener_is_handed_over_once() {
        let (loopback, receiver) = Loopback::new(1);
        loopback.clone().hand_over(free()).unwrap();
        let address = receiver.await.unwrap().local_addr().unwrap();
        assert!(address.ip().is_loopback());
        let error = loopback.hand_over(free()).unwrap_err();
        assert!(error.to_string().contains("nobody waits"), "{error}");
    }

    #[tokio::test]
    async fn nobody_serves_for_a_caller_that_is_gone() {
        let (loopback, receiver) = Loopback::new(1);
        drop(receiver);
        assert!(loopback.hand_over(free()).is_err());
    }

    #[tokio::test]
    async fn a_run_that_never_begins_is_noticed() {
        let (loopback, receiver) = Loopback::new(1);
        drop(loopback);
        assert!(receiver.await.is_err());
    }

    #[test]
    fn only_clones_are_equal() {
        let (one, _receiver) = Loopback::new(1);
        let (other, _receiver) = Loopback::new(1);
        assert!(one == one.clone() && one != other);
    }
}
