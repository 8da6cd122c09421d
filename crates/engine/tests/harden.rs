//! What others cannot do to a process that has closed itself.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may fail so")]

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Tells this test binary which part to play.
const PART: &str = "ENGINE_HARDEN_PART";
/// Somebody who is not root.
const NOBODY: u32 = 65_534;
/// What a victim has in its memory.
const TREASURE: &[u8] = b"the victim's treasure";
/// From here on not even a parent may trace its child.
const YAMA_ADMIN_ONLY: &str = "2";

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Whether this test goes on here, as somebody who is not root; else it has done so elsewhere.
fn is_nobody(test: &str) -> bool {
    if !is_root() {
        return true;
    }
    let dir = tempfile::tempdir().unwrap();
    chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    // By a descriptor, because the binary may be in a folder that is closed to others.
    let binary = File::open(std::env::current_exe().unwrap()).unwrap();
    let ids = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
    let ended = Command::new("setpriv")
        .args(ids)
        .args(["--clear-groups", "--bounding-set=-all", "/proc/self/fd/0"])
        .args(["--exact", test, "--nocapture"])
        .env("TMPDIR", dir.path())
        .current_dir(dir.path())
        .stdin(Stdio::from(binary))
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (said(&ended.stdout), said(&ended.stderr));
    assert!(ended.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("1 passed"), "{stdout}\n{stderr}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "left behind");
    false
}

/// This binary once more, playing a part up to where it is ready.
struct Player {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// What it said of itself.
    said: String,
}

impl Player {
    fn begin(part: &str) -> Self {
        let mut process = play_as(part)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut said = String::new();
        // The harness has its own words before it, on the same line.
        while !said.contains("ready ") {
            said.clear();
            assert!(stdout.read_line(&mut said).unwrap() > 0, "{part} failed");
        }
        let (_, said) = said.trim().split_once("ready ").unwrap();
        Self {
            stdin: process.stdin.take().unwrap(),
            said: said.to_owned(),
            stdout,
            process,
        }
    }

    fn file(&self, name: &str) -> io::Result<File> {
        File::open(format!("/proc/{}/{name}", self.process.id()))
    }

    fn go_on(&mut self) -> std::process::ExitStatus {
        self.stdin.write_all(b"\n").unwrap();
        self.process.wait().unwrap()
    }
}

fn play_as(part: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command
        .args(["--exact", "play", "--nocapture"])
        .env(PART, part);
    command
}

/// Plays a part when started for one; else there is nothing to test here.
#[test]
fn play() {
    match std::env::var(PART).as_deref() {
        Ok("open") => be_victim(),
        Ok("closed") => {
            let hardened = engine::harden().unwrap();
            assert_eq!(hardened.is_locked, locked_kb() > 0);
            be_victim();
        }
        Ok("parent") => be_parent(),
        Ok("closed-parent") => {
            engine::harden().unwrap();
            be_parent();
        }
        Ok("child") => ready("child", for_ever),
        _ => {}
    }
}

fn ready(said: &str, then: impl FnOnce()) {
    let mut stdout = io::stdout();
    writeln!(stdout, "ready {said}").unwrap();
    stdout.flush().unwrap();
    then();
}

fn wait() {
    io::stdin().read_exact(&mut [0]).unwrap();
}

fn for_ever() {
    loop {
        std::thread::park();
    }
}

fn be_victim() {
    let treasure = TREASURE.to_vec();
    ready(&format!("{}", treasure.as_ptr().addr()), wait);
    assert_eq!(treasure, TREASURE);
    std::process::abort();
}

/// Lives on, for the child to live; the child has its standard output too.
fn be_parent() {
    let mut child = play_as("child");
    engine::tether(&mut child);
    let mut child = child.stdin(Stdio::null()).spawn().unwrap();
    child.wait().unwrap();
}

/// How much of this process's memory is locked.
fn locked_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:"));
    let number = line.unwrap().trim().split(' ').next();
    number.unwrap().parse().unwrap()
}

fn treasure(victim: &Player) -> io::Result<Vec<u8>> {
    let mut found = vec![0; TREASURE.len()];
    let address = victim.said.parse().unwrap();
    victim.file("mem")?.read_exact_at(&mut found, address)?;
    Ok(found)
}

fn environment(victim: &Player) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    victim.file("environ")?.read_to_end(&mut text)?;
    Ok(text)
}

#[expect(unsafe_code, reason = "no library traces a process")]
fn trace(victim: &Player) -> io::Result<()> {
    let pid = victim.process.id().cast_signed();
    // SAFETY: no pointer is read; it is let go at once.
    unsafe {
        if libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) == -1 {
            return Err(io::Error::last_os_error());
        }
        libc::kill(pid, libc::SIGSTOP);
        libc::waitpid(pid, &mut 0, libc::__WALL);
        libc::ptrace(libc::PTRACE_DETACH, pid, 0, 0);
        libc::kill(pid, libc::SIGCONT);
    }
    Ok(())
}

#[test]
fn nobody_reads_or_traces_a_closed_process() {
    if !is_nobody("nobody_reads_or_traces_a_closed_process") {
        return;
    }
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    if scope.trim() < YAMA_ADMIN_ONLY {
        // What is refused below is possible otherwise.
        let mut victim = Player::begin("open");
        assert_eq!(treasure(&victim).unwrap(), TREASURE);
        assert!(!environment(&victim).unwrap().is_empty());
        trace(&victim).unwrap();
        victim.go_on();
    }
    let mut victim = Player::begin("closed");
    let refused = [
        treasure(&victim).map(drop),
        environment(&victim).map(drop),
        trace(&victim),
        fs::read_dir(format!("/proc/{}/fd", victim.process.id())).map(drop),
        fs::read_link(format!("/proc/{}/exe", victim.process.id())).map(drop),
    ];
    for (index, refused) in refused.into_iter().enumerate() {
        let kind = refused.unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::PermissionDenied, "way {index}");
    }
    victim.go_on();
}

/// The limit is lifted before, and the folder is one where cores may be written.
#[test]
fn a_closed_process_leaves_no_core() {
    if !is_nobody("a_closed_process_leaves_no_core") {
        return;
    }
    let script = "ulimit -c $(ulimit -Hc); exec /proc/$PPID/exe --exact play --nocapture";
    let mut process = Command::new("sh")
        .args(["-c", script])
        .env(PART, "closed")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(b"\n").unwrap();
    let status = process.wait().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGABRT), "{status:?}");
    assert!(!status.core_dumped());
    assert_eq!(fs::read_dir(".").unwrap().count(), 0);
}

/// As whoever runs the tests: root's pages are locked, where it is a root that may.
#[test]
fn what_is_said_of_locked_pages_is_true() {
    let mut victim = Player::begin("closed");
    assert_eq!(victim.go_on().signal(), Some(libc::SIGABRT));
}

#[test]
fn a_tethered_child_ends_with_its_parent() {
    let mut parent = Player::begin("parent");
    assert_eq!(parent.said, "child");
    parent.process.kill().unwrap();
    parent.process.wait().unwrap();
    // Both had it: it ends with the last of them.
    parent.stdout.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_program_of_ours_still_works_when_closed() {
    // It starts itself once more, as the built-in engine does.
    if !is_nobody("a_program_of_ours_still_works_when_closed") {
        return;
    }
    let mut parent = Player::begin("closed-parent");
    parent.process.kill().unwrap();
    parent.process.wait().unwrap();
}
