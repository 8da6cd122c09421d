//! What pool and worker say to each other over the worker's WebSocket: JSON text frames.
//!
//! The worker dials in and both sides follow these rules, so that no single lost message strands
//! a task (`design.md` decision 6):
//! - every [`Order`] carries a number; the pool resends it after a reconnection until it is
//!   acknowledged, and the worker treats an order it already follows as a question for the status;
//! - every [`Report`] carries a number; the worker resends it until it is acknowledged;
//! - progress is best effort. [`ToPool::Log`] says where in the output its piece belongs: after a
//!   reconnection the worker goes on where the pool is ([`Heard`]), and the end of the output comes
//!   with the last report again.

use alloy_primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

use crate::{Cause, DealId, TaskId, output::Mark, status::ReplicateStatus};

/// Path of the worker's WebSocket on the pool's API.
pub const CONNECT_PATH: &str = "/workers/connect";
/// Version of this vocabulary: a pool refuses a worker that speaks another one.
pub const VERSION: u32 = 2;
/// Bytes of one frame: logs are the largest, 2 × [`LOG_CHARS_MAX`] plus JSON escapes.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Characters kept of each output stream, its end (spec/pool-worker.md §1.8).
pub const LOG_CHARS_MAX: usize = 100_000;

/// The pool owner's permission for one worker to contribute to one task. Official JSON
/// (spec/pool-worker.md §1.10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    /// The task.
    pub chain_task_id: TaskId,
    /// Its deal.
    #[serde(default)]
    pub deal_id: DealId,
    /// Its index in the request order.
    #[serde(default)]
    pub task_index: u64,
    /// The worker that may contribute.
    pub worker_wallet: Address,
    /// The enclave's key, or zero for standard tasks.
    pub enclave_challenge: Address,
    /// EIP-191 signature by the workerpool's owner over [`crate::digest::authorization`].
    pub signature: SignatureValue,
}

/// The official wrapping of a signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureValue {
    /// 65 bytes.
    pub value: Bytes,
}

/// How the result gets on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Flow {
    /// One transaction: trust 1 (`design.md` §3).
    ContributeAndFinalize,
    /// Contribute, wait for consensus, reveal, upload when asked.
    ContributeAndReveal,
}

/// What the pool wants a worker to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "do")]
pub enum Order {
    /// Run the task of the authorization.
    Run {
        /// Permission to contribute; names task, deal and index.
        authorization: Authorization,
        /// How the result gets on chain.
        flow: Flow,
    },
    /// Reveal the contribution: consensus is reached.
    Reveal {
        /// The task.
        task: TaskId,
    },
    /// Upload the result.
    Upload {
        /// The task.
        task: TaskId,
    },
    /// Forget the task: it is done.
    Complete {
        /// The task.
        task: TaskId,
    },
    /// Stop and forget the task.
    Abort {
        /// The task.
        task: TaskId,
        /// Why.
        cause: Cause,
    },
}

impl Order {
    /// The task the order is about.
    pub fn task(&self) -> TaskId {
        match self {
            Self::Run { authorization, .. } => authorization.chain_task_id,
            Self::Reveal { task }
            | Self::Upload { task }
            | Self::Complete { task }
            | Self::Abort { task, .. } => *task,
        }
    }
}

/// The app's output, its last [`LOG_CHARS_MAX`] characters each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Where both begin: what was before is not kept.
    #[serde(default)]
    pub from: Mark,
}

/// One step of a replicate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The task.
    pub task: TaskId,
    /// The step reached.
    pub status: ReplicateStatus,
    /// Why, when the step is a failure (or a download error that is contributed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Free text for people: what exactly went wrong. Never a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The app's exit code, once it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// The app's output, once it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<Logs>,
    /// The result link as it goes on chain, once uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_link: Option<String>,
    /// What the deal's callback gets, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_data: Option<Bytes>,
}

impl Report {
    /// A bare step.
    pub fn new(task: TaskId, status: ReplicateStatus) -> Self {
        Self {
            task,
            status,
            cause: None,
            message: None,
            exit_code: None,
            logs: None,
            result_link: None,
            callback_data: None,
        }
    }
}

/// Which output a piece of log belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// In the order in which they are told.
    pub const BOTH: [Self; 2] = [Self::Stdout, Self::Stderr];
}

/// What a [`ToPool::Progress`] is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The image is coming down.
    #[default]
    Image,
    /// The app says how far it is (see [`crate::computed::PROGRESS`]).
    App,
}

/// How far the pool knows the output of a task that the worker is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heard {
    /// The task.
    pub task: TaskId,
    /// Up to where.
    pub mark: Mark,
}

/// From the pool to a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum ToWorker {
    /// First frame: sign this (see [`crate::challenge::worker_login`]).
    Challenge {
        /// Random text.
        challenge: String,
        /// The pool's workerpool: a worker configured for another one hangs up.
        workerpool: Address,
        /// The chain.
        chain_id: u64,
        /// [`VERSION`].
        version: u32,
    },
    /// The login is good.
    Welcome {
        /// The result store's origin, e.g. `http://127.0.0.1:8545`.
        result_proxy: String,
        /// The secret manager's origin; none: the pool serves no confidential tasks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sms: Option<String>,
        /// Where to go on with the output of running apps; others begin at the beginning.
        #[serde(default)]
        heard: Vec<Heard>,
    },
    /// The login is not good; the pool hangs up.
    Refused {
        /// Why.
        reason: String,
    },
    /// Something to do.
    Order {
        /// Number to acknowledge.
        id: u64,
        /// What.
        order: Order,
    },
    /// The report with this number is stored: forget it.
    Acknowledge {
        /// Its number.
        seq: u64,
    },
}

/// A task the worker is busy with, told at login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busy {
    /// The task.
    pub task: TaskId,
    /// The last step.
    pub status: ReplicateStatus,
}

/// What a worker's machine is like, for the pool's choice. Only what it is asked to be believed
/// on: a worker that promises too much fails its tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Profile {
    /// It has a GPU for tasks that ask for one.
    pub gpu: bool,
    /// It can attest an enclave, so it takes confidential tasks.
    pub tee: bool,
    /// Seconds of the longest category it takes; 0 is any.
    pub seconds_max: u64,
    /// Whose machine it is: two workers of one owner do not vouch for each other. A worker that
    /// names nobody stands for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Address>,
    /// Checksums of images that it has: it gets their tasks first. At most [`IMAGES_MAX`] count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<B256>,
}

/// Images believed of one worker.
pub const IMAGES_MAX: usize = 256;

/// From a worker to the pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum ToPool {
    /// The answer to the challenge.
    Login {
        /// Who.
        address: Address,
        /// Over [`crate::challenge::worker_login`].
        signature: Bytes,
        /// A name for people.
        name: String,
        /// Tasks it runs at once.
        slots: u32,
        /// `docker` or `builtin`.
        engine: String,
        /// What its machine is like.
        #[serde(default)]
        profile: Profile,
        /// What it is busy with since before this connection.
        busy: Vec<Busy>,
    },
    /// It runs another number of tasks at once for this pool from here on: other pools have taken
    /// some of its slots, or given them back. A pool that does not know this goes by the login.
    Slots {
        /// How many, those that are busy with this pool's tasks included.
        slots: u32,
    },
    /// The order with this number is understood.
    Acknowledge {
        /// Its number.
        id: u64,
    },
    /// A step was reached.
    Report {
        /// Number to acknowledge.
        seq: u64,
        /// Which.
        report: Report,
    },
    /// Something long comes along. Best effort.
    Progress {
        /// The task.
        task: TaskId,
        /// What.
        #[serde(default)]
        phase: Phase,
        /// 0 to 100.
        percent: u8,
    },
    /// The app wrote something.
    Log {
        /// The task.
        task: TaskId,
        /// Which run of it on this worker.
        run: u64,
        /// Where to.
        stream: Stream,
        /// How many bytes of that stream come before it.
        offset: u64,
        /// What; not necessarily whole lines.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn authorizations_have_the_official_json() {
        let authorization = Authorization {
            chain_task_id: TaskId::repeat(1),
            deal_id: DealId::repeat(2),
            task_index: 3,
            worker_wallet: Address::repeat_byte(4),
            enclave_challenge: Address::ZERO,
            signature: SignatureValue {
                value: Bytes::from_static(&[5]),
            },
        };
        let value = serde_json::to_value(&authorization).unwrap();
        let keys: Vec<_> = value
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let official = [
            "chainTaskId",
            "dealId",
            "taskIndex",
            "workerWallet",
            "enclaveChallenge",
            "signature",
        ];
        assert_eq!(keys, official);
        assert_eq!(value["signature"], json!({ "value": "0x05" }));
    }

    #[test]
    fn frames_round_trip() {
        let order = Order::Abort {
            task: TaskId::repeat(1),
            cause: Cause::ContributionTimeout,
        };
        let frame = ToWorker::Order { id: 7, order };
        let text = serde_json::to_string(&frame).unwrap();
        assert!(text.contains(r#""do":"abort""#), "{text}");
        assert_eq!(serde_json::from_str::<ToWorker>(&text).unwrap(), frame);
        let report = Report::new(TaskId::repeat(2), ReplicateStatus::Computed);
        let frame = ToPool::Report { seq: 1, report };
        let text = serde_json::to_string(&frame).unwrap();
        assert_eq!(serde_json::from_str::<ToPool>(&text).unwrap(), frame);
    }
}
