//! What worker and enclave say to each other. The worker starts the enclave's agent as a child
//! process and writes one [`Job`] to its standard input, which stays open as the line between
//! them: when it closes, for whatever reason, the agent ends. The agent writes [`Frame`]s to its
//! standard output, one a line. Neither holds a secret.

use std::path::PathBuf;

use protocol::{Address, B256, Bytes, Cause, TaskId, message::Stream};
use serde::{Deserialize, Serialize};

pub use protocol::stage::Stage;

use crate::{Failure, inputs::Policy};

/// The first argument by which a program becomes an enclave's agent.
pub const SUBCOMMAND: &str = "__enclave";
/// Bytes of a job in JSON: a deal's parameters are at most a transaction's worth.
pub const JOB_BYTES_MAX: u64 = 4 << 20;
/// Bytes of one frame in JSON: the end of an app's output, or callback data, with room for quotes.
pub const FRAME_BYTES_MAX: usize = 16 << 20;
/// How an agent that was told to end may take to remove its container, seconds.
pub const END_WAIT_S: u64 = 10;

/// How an enclave proves what it is: the section `[attestation]` of a worker's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Attestation {
    /// The seed file of a simulated platform; without it the kernel's interface is asked for
    /// quotes, which takes a machine with Intel TDX.
    pub simulator: Option<PathBuf>,
    /// The only secret manager whose word is taken: its public key. Any, without it.
    pub sms_id: Option<B256>,
    /// Where the kernel's interface for quotes is; by default its usual place.
    pub tsm: Option<PathBuf>,
}

/// An engine for the agent: the worker's own, with the images that the worker pulled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineJob {
    /// Never `auto`: it is known by now.
    pub choice: engine::Choice,
    /// As in [`engine::Config`].
    pub docker_host: Option<String>,
    /// As in [`engine::Config`].
    pub runtime_dir: Option<PathBuf>,
    /// As in [`engine::Config`].
    pub root_dir: PathBuf,
    /// As in [`engine::Config`], as text.
    pub helper: Vec<String>,
}

impl EngineJob {
    /// The engine called `name`, as `config` has it.
    pub fn of(config: &engine::Config, name: &str) -> Self {
        let text = |word: &std::ffi::OsString| word.to_string_lossy().into_owned();
        Self {
            choice: match name {
                "builtin" => engine::Choice::Builtin,
                _ => engine::Choice::Docker,
            },
            docker_host: config.docker_host.clone(),
            runtime_dir: config.runtime_dir.clone(),
            root_dir: config.root_dir.clone(),
            helper: config.helper.iter().map(text).collect(),
        }
    }

    /// For [`engine::detect`]. Images are the worker's to look after.
    pub fn config(&self) -> engine::Config {
        let mut config = engine::Config::new(self.choice, self.root_dir.clone());
        config.docker_host = self.docker_host.clone();
        config.runtime_dir = self.runtime_dir.clone();
        config.helper = self.helper.iter().map(Into::into).collect();
        config.is_guest = true;
        config
    }
}

/// What the app may reach: [`engine::Network`] as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Nothing.
    Nothing,
    /// Everything that is not private.
    World,
    /// These hosts.
    Hosts(Vec<String>),
}

impl From<engine::Network> for Reach {
    fn from(network: engine::Network) -> Self {
        match network {
            engine::Network::None => Self::Nothing,
            engine::Network::Outbound => Self::World,
            engine::Network::Allowlist(hosts) => Self::Hosts(hosts),
        }
    }
}

impl From<Reach> for engine::Network {
    fn from(reach: Reach) -> Self {
        match reach {
            Reach::Nothing => Self::None,
            Reach::World => Self::Outbound,
            Reach::Hosts(hosts) => Self::Allowlist(hosts),
        }
    }
}

/// The container to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The container's name.
    pub container: String,
    /// Where the image is.
    pub image: String,
    /// What it has to be.
    pub checksum: B256,
    /// Whether it may be pinned by its id.
    pub is_local: bool,
    /// The requester's arguments.
    pub args: Vec<String>,
    /// What it may use.
    pub limits: engine::Limits,
    /// Seconds it may run.
    pub seconds: u64,
    /// What it may reach.
    pub reach: Reach,
    /// Whether it gets the machine's graphics processors.
    pub gpus: bool,
}

/// One task for an enclave. Everything in it is public.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Which task.
    pub task: TaskId,
    /// Whose replicate.
    pub worker: Address,
    /// The address of the enclave's key, which pool and worker have signed for.
    pub challenge: Address,
    /// The session's name at the secret manager.
    pub session: String,
    /// Where the session's stages are asked for.
    pub url: String,
    /// How to prove what we are.
    pub attestation: Attestation,
    /// Whether there is anything to fetch before the app.
    pub has_inputs: bool,
    /// Where inputs may come from.
    pub policy: Policy,
    /// Seconds to fetch them.
    pub inputs_s: u64,
    /// The app.
    pub app: App,
    /// The runs of which engine.
    pub engine: EngineJob,
    /// A folder for what is in clear; made by the agent and removed by it.
    pub private: PathBuf,
    /// For encrypted files on their way.
    pub scratch: PathBuf,
    /// Where the archive goes, encrypted if that was asked for.
    pub archive: PathBuf,
}

/// Why a stage failed, for the protocol and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The official code.
    pub cause: Cause,
    /// Never a secret.
    pub message: String,
}

impl From<Failure> for Reason {
    fn from(Failure { cause, message }: Failure) -> Self {
        Self { cause, message }
    }
}

impl From<Reason> for Failure {
    fn from(Reason { cause, message }: Reason) -> Self {
        Self { cause, message }
    }
}

/// What the agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Frame {
    /// A stage begins.
    Began {
        /// Which.
        stage: Stage,
    },
    /// The app wrote something, or the agent has something to say about it.
    Output {
        /// Where.
        stream: Stream,
        /// What.
        text: String,
    },
    /// The app says how far it is.
    Progress {
        /// In percent.
        percent: u8,
    },
    /// The app has ended.
    Ran {
        /// Its exit code; none when it could not be started.
        exit_code: Option<i64>,
        /// Why that is a failure, if it is one.
        failure: Option<Reason>,
    },
    /// A stage failed: everything that went wrong.
    Failed {
        /// Which.
        stage: Stage,
        /// At least one.
        reasons: Vec<Reason>,
    },
    /// There is a result. The last frame.
    Done {
        /// What goes on chain.
        digest: B256,
        /// For the deal's callback.
        callback_data: Bytes,
        /// The enclave's.
        signature: Bytes,
    },
}

impl Frame {
    /// One line, without its end.
    ///
    /// # Errors
    /// None that occurs: what is in a frame has a form in JSON.
    pub fn to_line(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// Several failures as one: the first cause counts, all are told.
pub fn joined(reasons: Vec<Reason>) -> Failure {
    let Some(first) = reasons.first().cloned() else {
        return Failure::plain(Cause::Unknown);
    };
    let tell = |reason: &Reason| match reason.cause == first.cause {
        true => reason.message.clone(),
        false => format!("{}: {}", reason.cause, reason.message),
    };
    let told: Vec<String> = reasons.iter().map(tell).collect();
    Failure::new(first.cause, told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_one_line_and_come_back() {
        for frame in [
            Frame::Began {
                stage: Stage::PreCompute,
            },
            Frame::Output {
                stream: Stream::Stderr,
                text: "two\nlines".into(),
            },
            Frame::Done {
                digest: B256::repeat_byte(1),
                callback_data: Bytes::new(),
                signature: Bytes::from_static(&[1, 2]),
            },
        ] {
            let line = frame.to_line().unwrap();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(serde_json::from_str::<Frame>(&line).unwrap(), frame);
        }
    }

    #[test]
    fn the_first_cause_counts_and_all_are_told() {
        let reason = |cause, message: &str| Reason {
            cause,
            message: message.to_owned(),
        };
        let failure = joined(vec![
            reason(Cause::PreInvalidDatasetChecksum, "a"),
            reason(Cause::PreInvalidDatasetChecksum, "b"),
            reason(Cause::PreInputFileDownloadFailed, "c"),
        ]);
        assert_eq!(failure.cause, Cause::PreInvalidDatasetChecksum);
        let told = "a; b; PRE_COMPUTE_INPUT_FILE_DOWNLOAD_FAILED: c";
        assert_eq!(failure.message, told);
    }

    #[test]
    fn a_section_of_the_settings_may_be_empty_but_not_misspelt() {
        let empty: Attestation = serde_json::from_str("{}").unwrap();
        assert_eq!(empty, Attestation::default());
        assert!(serde_json::from_str::<Attestation>(r#"{"simulater":"x"}"#).is_err());
    }
}
