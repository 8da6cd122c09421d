//! The agent as a program: its job comes by standard input, its words go by standard output.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use worker::{
    Failure,
    agent::{END_WAIT_S, Frame, JOB_BYTES_MAX, Job, Stage},
};

use crate::{
    agent::{Agent, Voice},
    redeem::Session,
};

/// Exit code of an agent that could not begin.
const CANNOT_BEGIN: i32 = 2;
/// Exit code of one that did not end in time after its worker had gone.
const LEFT_BEHIND: i32 = 3;

/// The whole program of the agent; returns the exit code of the process.
///
/// To be called before anything else: it makes its own runtime, and a thread that watches standard
/// input, whose end is the end of the worker or of its interest.
#[must_use]
pub fn main() -> i32 {
    match begin() {
        Ok(()) => 0,
        Err(error) => {
            // Nobody listens yet but who started us.
            let _ = writeln!(io::stderr(), "enclave: {error}");
            CANNOT_BEGIN
        }
    }
}

fn begin() -> io::Result<()> {
    // Before anything secret is in memory.
    engine::harden()?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut input = BufReader::new(io::stdin());
    let mut line = Vec::new();
    input
        .by_ref()
        .take(JOB_BYTES_MAX)
        .read_until(b'\n', &mut line)?;
    let job: Job = serde_json::from_slice(&line)?;
    let cancel = CancellationToken::new();
    let watched = cancel.clone();
    std::thread::spawn(move || watch(input, &watched));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(job, cancel));
    Ok(())
}

/// Waits for the end of the input, then for ours, but not for ever.
fn watch(mut input: impl Read, cancel: &CancellationToken) {
    let _ = io::copy(&mut input, &mut io::sink());
    cancel.cancel();
    std::thread::sleep(Duration::from_secs(END_WAIT_S));
    std::process::exit(LEFT_BEHIND);
}

async fn run(job: Job, cancel: CancellationToken) {
    let voice = Output(Mutex::new(io::stdout()));
    let engine = engine::detect(&job.engine.config()).await;
    let engine = engine.map_err(|error| Failure::of_engine(&error));
    let place = job.clone();
    let Some(session) = unless_cancelled(&cancel, move || Session::of(&place)).await else {
        return;
    };
    match (engine, session) {
        (Ok(engine), Ok(session)) => {
            let agent = Agent {
                job,
                stages: &session,
                engine,
                voice: &voice,
                cancel,
            };
            agent.run().await;
        }
        (Err(failure), _) | (_, Err(failure)) => voice.say(Frame::Failed {
            stage: Stage::App,
            reasons: vec![failure.into()],
        }),
    }
}

/// What blocks until other agents are done, on a thread that does not keep this process: an agent
/// that waits for its turn ends as soon as nobody wants it any more.
async fn unless_cancelled<T: Send + 'static>(
    cancel: &CancellationToken,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, waited) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || done.send(work()));
    cancel.run_until_cancelled(waited).await?.ok()
}

/// Standard output. Whoever does not listen any more has closed our input as well.
struct Output(Mutex<io::Stdout>);

impl Voice for Output {
    fn say(&self, frame: Frame) {
        let Ok(line) = frame.to_line() else { return };
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_its_turn_ends_when_it_is_cancelled() {
        let cancel = CancellationToken::new();
        assert_eq!(unless_cancelled(&cancel, || 7).await, Some(7));
        let (turn, wait) = std::sync::mpsc::channel::<()>();
        cancel.cancel();
        assert_eq!(unless_cancelled(&cancel, move || wait.recv()).await, None);
        drop(turn);
    }
}
