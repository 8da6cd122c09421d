//! Starting the enclave's agent and listening to it, until it has ended and nothing of it is left.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::fs::{FsWord, statfs};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::agent::{Attestation, END_WAIT_S, FRAME_BYTES_MAX, Frame, Job, SUBCOMMAND};

/// Memory as a file system, on every distribution.
const MEMORY: &str = "/dev/shm";
/// How the kernel calls it.
const TMPFS_MAGIC: FsWord = 0x0102_1994;
/// Given to the agent of this process's environment; a password may be in the rest.
const KEPT_VARIABLES: [&str; 1] = ["PATH"];

/// What a worker needs to run confidential tasks.
#[derive(Clone, Debug)]
pub struct Enclave {
    /// How its agents prove what they are.
    pub attestation: Attestation,
    /// The command that becomes an agent.
    pub program: Vec<OsString>,
    /// The worker's own engine, which the agents use as well.
    pub engine: engine::Config,
}

impl Enclave {
    /// Agents of this very program: `<program> __enclave`.
    pub fn new(attestation: Attestation, engine: engine::Config) -> Self {
        // Names the running program even after its file was replaced.
        let program = vec!["/proc/self/exe".into(), SUBCOMMAND.into()];
        Self {
            attestation,
            program,
            engine,
        }
    }

    fn spawn(&self) -> io::Result<(Child, ChildStdin, ChildStdout)> {
        let (program, args) = self.program.split_first().ok_or(io::ErrorKind::NotFound)?;
        let kept = KEPT_VARIABLES.into_iter();
        let kept = kept.filter_map(|name| Some((name, std::env::var_os(name)?)));
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .envs(kept)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
        Ok((
            child,
            stdin.ok_or_else(missing)?,
            stdout.ok_or_else(missing)?,
        ))
    }

    /// Has an agent do `job`, and passes on what it says. Returns when the agent has ended: by
    /// itself, or because of `cancel` or the deadline.
    ///
    /// # Errors
    /// The system's, when it cannot be started or does not listen.
    pub(crate) async fn run(
        &self,
        job: &Job,
        deadline: Instant,
        cancel: &CancellationToken,
        heard: impl FnMut(Frame),
    ) -> io::Result<Ended> {
        let (mut child, mut stdin, stdout) = self.spawn()?;
        let mut line = serde_json::to_vec(job)?;
        line.push(b'\n');
        stdin.write_all(&line).await?;
        let mut listening = std::pin::pin!(listen(stdout, heard));
        let ended = tokio::select! {
            () = &mut listening => Ended::ByItself,
            () = cancel.cancelled() => Ended::Cancelled,
            () = tokio::time::sleep_until(deadline) => Ended::Late,
        };
        drop(stdin);
        let wait = Duration::from_secs(END_WAIT_S);
        if ended != Ended::ByItself {
            let _ = timeout(wait, &mut listening).await;
        }
        if timeout(wait, child.wait()).await.is_err() {
            child.kill().await?;
        }
        Ok(ended)
    }
}

/// Why an agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was done, or died.
    ByItself,
    /// The caller's token.
    Cancelled,
    /// The deadline was over.
    Late,
}

/// Until the agent closes its output, or says what nobody understands.
async fn listen(stdout: ChildStdout, mut heard: impl FnMut(Frame)) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut stdout).take(FRAME_BYTES_MAX as u64);
        match bounded.read_until(b'\n', &mut line).await {
            Ok(_) if line.ends_with(b"\n") => {}
            Ok(_) => return,
            Err(error) => return tracing::warn!(%error, "an enclave is not heard any more"),
        }
        match serde_json::from_slice(&line) {
            Ok(frame) => heard(frame),
            Err(error) => return tracing::warn!(%error, "an enclave speaks another language"),
        }
    }
}

/// Where what is in clear may be: in memory if there is a file system for that.
pub(crate) fn private_folder(name: &str, otherwise: &Path) -> PathBuf {
    match is_memory(Path::new(MEMORY)) {
        true => Path::new(MEMORY).join(name),
        false => otherwise.join("private"),
    }
}

fn is_memory(folder: &Path) -> bool {
    statfs(folder).is_ok_and(|found| found.f_type == TMPFS_MAGIC)
}

/// Removes what agents of an earlier process left in memory: the folders named `prefix…`.
pub(crate) fn sweep_memory(prefix: &str) {
    let entries = std::fs::read_dir(MEMORY).into_iter().flatten().flatten();
    for entry in entries {
        let is_ours = entry.file_name().to_string_lossy().starts_with(prefix);
        if is_ours && let Err(error) = engine::remove_tree(&entry.path()) {
            tracing::warn!(folder = %entry.path().display(), %error, "not removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Address, B256, TaskId};

    use super::*;
    use crate::{
        agent::{App, EngineJob, Reach},
        inputs::Policy,
    };

    fn enclave(script: &str) -> Enclave {
        let config = engine::Config::new(engine::Choice::Builtin, "/nowhere".into());
        let program = ["sh", "-c", script].map(OsString::from).to_vec();
        Enclave {
            program,
            ..Enclave::new(Attestation::default(), config)
        }
    }

    fn job() -> Job {
        let config = engine::Config::new(engine::Choice::Builtin, "/nowhere".into());
        Job {
            task: TaskId::repeat(1),
            worker: Address::ZERO,
            challenge: Address::ZERO,
            session: "s".into(),
            url: "http://x/s".into(),
            attestation: Attestation::default(),
            has_inputs: false,
            policy: Policy::default(),
            inputs_s: 1,
            app: App {
                container: "c".into(),
                image: "i".into(),
                checksum: B256::ZERO,
                is_local: false,
                args: Vec::new(),
                limits: engine::Limits::default(),
                seconds: 1,
                reach: Reach::Nothing,
                gpus: false,
            },
            engine: EngineJob::of(&config, "builtin"),
            private: "/nowhere".into(),
            scratch: "/nowhere".into(),
            archive: "/nowhere".into(),
        }
    }

    async fn run(script: &str, seconds: u64) -> (Ended, Vec<Frame>) {
        let mut frames = Vec::new();
        let cancel = CancellationToken::new();
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let heard = |frame| frames.push(frame);
        let enclave = enclave(script);
        let ended = enclave.run(&job(), deadline, &cancel, heard).await.unwrap();
        (ended, frames)
    }

    #[tokio::test]
    async fn it_gets_its_job_and_is_heard() {
        let script = r#"read job; case "$job" in *'"task"'*) ;; *) exit 1;; esac
                        echo '{"type":"progress","percent":7}'"#;
        let (ended, frames) = run(script, 60).await;
        assert_eq!(ended, Ended::ByItself);
        assert_eq!(frames, [Frame::Progress { percent: 7 }]);
    }

    #[tokio::test]
    async fn the_deadline_closes_its_input_and_its_last_words_are_heard() {
        let script = r#"cat > /dev/null; echo '{"type":"progress","percent":8}'"#;
        let (ended, frames) = run(script, 0).await;
        assert_eq!(ended, Ended::Late);
        assert_eq!(frames, [Frame::Progress { percent: 8 }]);
    }

    #[tokio::test]
    async fn nonsense_ends_the_conversation() {
        let (ended, frames) = run("read job; echo hello", 60).await;
        assert_eq!((ended, frames), (Ended::ByItself, Vec::new()));
    }

    #[tokio::test]
    async fn it_sees_nothing_of_our_environment() {
        let script = r#"read job; test -z "$CARGO_MANIFEST_DIR" && 
                        echo '{"type":"progress","percent":9}'"#;
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let (_, frames) = run(script, 60).await;
        assert_eq!(frames, [Frame::Progress { percent: 9 }]);
    }
}
