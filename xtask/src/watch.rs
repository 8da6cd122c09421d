//! Runs a step that may hang. A test program that says nothing for too long is ended, so that the
//! others still run, and so that whoever reads the output learns which one it was.

use std::fs;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    mpsc::{Receiver, RecvTimeoutError, Sender, channel},
};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::failures::Failures;

/// The longest test is silent for ten minutes on a busy machine with two cores.
const SILENCE_MAX: Duration = Duration::from_secs(20 * 60);
/// Between two looks at the clock: nobody minds a few seconds more in twenty minutes.
const LOOK: Duration = Duration::from_secs(5);
/// How long the rest of the output may take: programs that outlive the step keep its pipes open.
const REST: Duration = Duration::from_secs(5);

/// Runs `command` to its end and passes on what it says, and says again which tests failed.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<ExitStatus> {
    let (status, failures) = run_within(SILENCE_MAX, command)?;
    if !status.success() {
        crate::ci::say(&failures);
    }
    Ok(status)
}

/// Also returns what it said of tests that failed.
fn run_within(silence: Duration, command: &mut Command) -> anyhow::Result<(ExitStatus, String)> {
    if io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let heard = Arc::new(Mutex::new(Heard::new()));
    let (end, ended) = channel();
    let out = child.stdout.take().context("no stdout")?;
    let err = child.stderr.take().context("no stderr")?;
    relay(out, io::stdout(), &heard, end.clone());
    relay(err, io::stderr(), &heard, end);
    watch(&mut child, silence, &heard, &ended)?;
    let status = child.wait()?;
    let failures = lock(&heard).failures.to_string();
    Ok((status, failures))
}

/// What was said so far.
#[derive(Debug)]
struct Heard {
    last: Instant,
    failures: Failures,
}

impl Heard {
    fn new() -> Self {
        Self {
            last: Instant::now(),
            failures: Failures::default(),
        }
    }

    fn line(&mut self, line: &[u8]) {
        self.last = Instant::now();
        let line = String::from_utf8_lossy(line);
        self.failures.hear(line.trim_end_matches(['\r', '\n']));
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Copies line by line and takes note; `end` is dropped at the end.
fn relay(
    from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    heard: &Arc<Mutex<Heard>>,
    end: Sender<()>,
) {
    let heard = heard.clone();
    thread::spawn(move || {
        let _end = end;
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            lock(&heard).line(&line);
            let _ = to.write_all(&line).and_then(|()| to.flush());
            line.clear();
        }
    });
}

fn watch(
    child: &mut Child,
    silence: Duration,
    heard: &Mutex<Heard>,
    ended: &Receiver<()>,
) -> anyhow::Result<()> {
    while ended.recv_timeout(LOOK.min(silence)) == Err(RecvTimeoutError::Timeout) {
        if child.try_wait()?.is_some() {
            let _ = ended.recv_timeout(REST);
            break;
        }
        let mut heard = lock(heard);
        if heard.last.elapsed() > silence {
            heard.last = Instant::now();
            drop(heard);
            interrupt(child);
        }
    }
    Ok(())
}

/// Says what runs, and ends the programs that `child` waits for, or `child` when there are none.
fn interrupt(child: &mut Child) {
    let minutes = SILENCE_MAX.as_secs() / 60;
    crate::ci::say(&format!(
        "== nothing said for {minutes} minutes; this runs:"
    ));
    let _ = Command::new("ps")
        .args(["-eo", "pid,ppid,etime,args:150"])
        .status();
    let waited_for = children(child.id());
    if waited_for.is_empty() {
        let _ = child.kill();
    }
    for process in waited_for {
        crate::ci::say(&format!("== ending {process}"));
        let _ = Command::new("kill").args(["-9", &process]).status();
    }
}

fn children(process: u32) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{process}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_ended_and_the_rest_goes_on() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 10000; test $? = 137"]);
        let (status, _) = run_within(Duration::from_millis(100), &mut command).unwrap();
        assert!(status.success(), "{status}");
    }

    /// Without a process: its output would be taken for a failure of this very test.
    #[test]
    fn failures_are_remembered() {
        let mut heard = Heard::new();
        for line in ["---- a stdout ----\r\n", "bad\n"] {
            heard.line(line.as_bytes());
        }
        assert_eq!(heard.failures.to_string(), "== failed: a\n   bad\n");
    }

    #[test]
    fn what_waits_for_nothing_is_ended_itself() {
        let mut command = Command::new("sleep");
        let (status, _) = run_within(Duration::from_millis(100), command.arg("10000")).unwrap();
        assert!(!status.success());
    }
}
