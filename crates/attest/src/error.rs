//! What can go wrong, and why evidence is refused.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A step of ours failed; nothing was released.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The challenge was not signed by the secret manager that it names.
    #[error("the challenge is not signed by the secret manager that it names")]
    Signature,
    /// The secret manager is not the one that was pinned.
    #[error("the secret manager is {found}, and {pinned} was expected")]
    Stranger {
        /// Who signed, hexadecimal.
        found: String,
        /// Who was to sign, hexadecimal.
        pinned: String,
    },
    /// The recipient's key is none.
    #[error("an answer cannot be sealed to this key")]
    Seal,
    /// An answer was sealed to another key or for another purpose, or changed on its way.
    #[error("an answer cannot be opened with this key")]
    Open,
    /// What the platform's maker publishes cannot be used now.
    #[error("the collateral {0}")]
    Collateral(String),
    /// The platform gave no quote, or refused to measure.
    #[error("the platform failed: {0}")]
    Platform(String),
}

/// Why evidence is refused, as the wire says it (spec/secrets-tee.md §5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// The nonce is unknown, used, expired, or of another session or stage.
    Nonce,
    /// The quote is no quote, or has bytes that nothing accounts for.
    QuoteFormat,
    /// A certificate, signature, or revocation list on the way to the root does not hold.
    Chain,
    /// The platform is too old, or has a property that the policy forbids.
    TcbStatus,
    /// Its host can look into the enclave or move it: debug, profiling, migration.
    Debug,
    /// What runs there is not on the list of what may.
    Measurement,
    /// The event log is not what was measured, or does not end with the launch of this task.
    EventLog,
    /// The quote was made for something else.
    ReportData,
    /// Another platform has begun to redeem this session.
    PlatformChanged,
    /// The task is not in a state in which its secrets are released.
    TaskState,
}

impl Reason {
    /// As the wire says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nonce => "NONCE",
            Self::QuoteFormat => "QUOTE_FORMAT",
            Self::Chain => "CHAIN",
            Self::TcbStatus => "TCB_STATUS",
            Self::Debug => "DEBUG",
            Self::Measurement => "MEASUREMENT",
            Self::EventLog => "EVENT_LOG",
            Self::ReportData => "REPORT_DATA",
            Self::PlatformChanged => "PLATFORM_CHANGED",
            Self::TaskState => "TASK_STATE",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Evidence that is refused. The reason goes to whoever sent it; the detail is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Rejected {
    /// What the wire says.
    pub reason: Reason,
    /// What the log says; never a secret.
    pub detail: String,
}

impl Rejected {
    /// A refusal.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { reason, detail }
    }
}
