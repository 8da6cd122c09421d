//! A network that can be cut: each process in a network namespace of its own, all joined by one
//! bridge.
//!
//! The bridge lies in a namespace too, where no firewall of the host has rules for it. All names
//! begin with the number of the wire, which a locked file keeps for one process: what a test that
//! was killed has left is removed by the next one that takes the number.

use std::{
    fs::{self, File},
    net::Ipv4Addr,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use iexec_tests::tools;

/// Wires at the same time on one machine.
const WIRES_MAX: u8 = 64;
/// Where `ip` keeps namespaces by name.
const NAMESPACES: &str = "/var/run/netns";
/// The host is the first on each wire.
const HOST: u8 = 1;

/// Removed when dropped.
#[derive(Debug)]
pub(crate) struct Wire {
    number: u8,
    state: Mutex<State>,
    _lock: File,
}

#[derive(Debug, Default)]
struct State {
    seats: Vec<String>,
    cuts: Vec<JoinHandle<Result<()>>>,
}

impl Wire {
    /// Fails where this process may not make namespaces.
    pub(crate) fn new() -> Result<Self> {
        tools::root()?;
        tools::apt_install(&[("iproute2", "ip"), ("util-linux", "nsenter")])?;
        let (number, lock) = free_number()?;
        let wire = Self {
            number,
            state: Mutex::default(),
            _lock: lock,
        };
        wire.remove();
        let (bridge, host) = (wire.namespace("wire"), wire.host_link());
        ip(&format!("netns add {bridge}"))?;
        ip(&format!("-n {bridge} link add wire type bridge"))?;
        ip(&format!("-n {bridge} link set wire up"))?;
        ip(&format!(
            "link add {host} type veth peer name host netns {bridge}"
        ))?;
        ip(&format!("-n {bridge} link set host master wire up"))?;
        ip(&format!("addr add {}/24 dev {host}", wire.address(HOST)))?;
        ip(&format!("link set {host} up"))?;
        Ok(wire)
    }

    /// Where this process is on the wire.
    pub(crate) fn host(&self) -> Ipv4Addr {
        self.address(HOST)
    }

    /// The address of a seat, which is made when it is first asked for.
    pub(crate) fn seat(&self, name: &str) -> Result<Ipv4Addr> {
        let mut state = self.state();
        let known = state.seats.iter().position(|seat| seat == name);
        let index = known.unwrap_or(state.seats.len());
        let address = self.address(u8::try_from(index)? + HOST + 1);
        if known.is_none() {
            self.join(name, index, address)
                .with_context(|| format!("a seat for {name}"))?;
            state.seats.push(name.to_owned());
        }
        Ok(address)
    }

    fn join(&self, name: &str, index: usize, address: Ipv4Addr) -> Result<()> {
        let (own, bridge) = (self.namespace(name), self.namespace("wire"));
        ip(&format!("netns add {own}"))?;
        ip(&format!(
            "-n {own} link add eth0 type veth peer name p{index} netns {bridge}"
        ))?;
        ip(&format!("-n {bridge} link set p{index} master wire up"))?;
        ip(&format!("-n {own} addr add {address}/24 dev eth0"))?;
        ip(&format!("-n {own} link set eth0 up"))?;
        ip(&format!("-n {own} link set lo up"))
    }

    /// What starts `program` on a seat.
    pub(crate) fn command(&self, name: &str, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        let file = format!("{NAMESPACES}/{}", self.namespace(name));
        command.arg(format!("--net={file}")).arg(program);
        command
    }

    /// Nothing reaches this seat, and it reaches nothing, for a while.
    pub(crate) fn cut(&self, name: &str, time: Duration) -> Result<()> {
        let mut state = self.state();
        let seat = state.seats.iter().position(|seat| seat == name);
        let seat = seat.with_context(|| format!("nobody is called {name}"))?;
        let link = format!("-n {} link set p{seat}", self.namespace("wire"));
        ip(&format!("{link} down"))?;
        state.cuts.push(thread::spawn(move || {
            thread::sleep(time);
            ip(&format!("{link} up"))
        }));
        Ok(())
    }

    /// Returns when nothing is cut any more.
    pub(crate) fn healed(&self) -> Result<()> {
        for cut in std::mem::take(&mut self.state().cuts) {
            cut.join()
                .map_err(|_| anyhow::anyhow!("a cut panicked"))??;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn namespace(&self, name: &str) -> String {
        format!("iexec{}-{name}", self.number)
    }

    /// Not `iex…`: that is how links to containers begin, and the host is closed to those.
    fn host_link(&self) -> String {
        format!("wire{}", self.number)
    }

    /// Private addresses that are rarely used: a machine with a route to them loses it meanwhile.
    fn address(&self, seat: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, seat)
    }

    /// Whoever made it. With the bridge go all the links to it.
    fn remove(&self) {
        let prefix = self.namespace("");
        for entry in fs::read_dir(NAMESPACES).into_iter().flatten().flatten() {
            if let Some(name) = entry.file_name().to_str()
                && name.starts_with(&prefix)
            {
                let _ = ip(&format!("netns del {name}"));
            }
        }
        // It may linger for a moment after the namespace of its peer.
        let _ = ip(&format!("link del {}", self.host_link()));
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = self.healed();
        self.remove();
    }
}

/// A number that no living process has.
fn free_number() -> Result<(u8, File)> {
    for number in 0..WIRES_MAX {
        let path = std::env::temp_dir().join(format!("iexec-wire-{number}.lock"));
        let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        if file.try_lock().is_ok() {
            return Ok((number, file));
        }
    }
    bail!("there are {WIRES_MAX} wires already")
}

fn ip(words: &str) -> Result<()> {
    let output = Command::new("ip").args(words.split(' ')).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {words}: {}", said.trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read as _,
        net::{SocketAddr, TcpListener, TcpStream},
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Asks from the seat whether it reaches the host.
    fn calls(wire: &Wire, seat: &str, port: u16) -> Command {
        let script = format!("exec 3<>/dev/tcp/{}/{port} && echo hello >&3", wire.host());
        let mut command = wire.command(seat, "bash");
        command.args(["-c", &script]);
        command
    }

    #[test]
    fn a_seat_is_reached_unless_it_is_cut_and_nothing_is_left() {
        iexec_tests::tools::need!(Wire::new());
        let wire = Wire::new().unwrap();
        let seat = wire.seat("one").unwrap();
        assert_eq!(wire.seat("one").unwrap(), seat);
        assert_ne!(wire.seat("two").unwrap(), seat);
        let listener = TcpListener::bind((wire.host(), 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(calls(&wire, "one", port).status().unwrap().success());
        let mut said = String::new();
        let (mut from, address) = listener.accept().unwrap();
        from.read_to_string(&mut said).unwrap();
        assert_eq!((said.as_str(), address.ip()), ("hello\n", seat.into()));

        // It waits until the cut is over.
        wire.cut("one", Duration::from_millis(300)).unwrap();
        let soon = Duration::from_millis(100);
        let nobody = SocketAddr::from((seat, 1));
        assert!(TcpStream::connect_timeout(&nobody, soon).is_err());
        wire.healed().unwrap();
        let mut command = calls(&wire, "one", port);
        let start = std::time::Instant::now();
        while !command.status().unwrap().success() {
            assert!(start.elapsed() < PATIENCE, "it stays cut");
        }
        let prefix = wire.namespace("");
        drop(wire);
        let left = fs::read_dir(NAMESPACES).unwrap().flatten();
        let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
        assert_eq!(left.count(), 0);
    }
}
