//! Following a task to its end: what to show, and when it is over.
//!
//! Chain and pool both tell; whichever says first that it is over is believed. [`Tracker`] holds
//! the rules and is pure; [`follow`] listens.

pub mod follow;
mod tracker;

use std::fmt;

use protocol::{Address, Cause, message::Stream};

pub use tracker::Tracker;

/// How far a task has come, in the order things happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The deal is on chain, the pool has not begun.
    Matched,
    /// The task is on chain.
    Initialized,
    /// The image is coming down; percent when known.
    Pulling(Option<u8>),
    /// Input files are coming down.
    Fetching,
    /// The app runs; percent when it tells.
    Running(Option<u8>),
    /// The result goes to the store.
    Uploading,
    /// The worker tells the chain.
    Contributing,
    /// Enough workers agree and prove it.
    Revealing,
    /// The result is on chain and paid.
    Finalized,
}

impl Stage {
    /// Percent aside: whether both are the same line for people.
    pub fn is_same_step(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Matched => f.write_str("matched"),
            Self::Initialized => f.write_str("initialized"),
            Self::Pulling(None) => f.write_str("pulling"),
            Self::Pulling(Some(percent)) => write!(f, "pulling {percent} %"),
            Self::Fetching => f.write_str("fetching inputs"),
            Self::Running(None) => f.write_str("running"),
            Self::Running(Some(percent)) => write!(f, "running {percent} %"),
            Self::Uploading => f.write_str("uploading"),
            Self::Contributing => f.write_str("contributing"),
            Self::Revealing => f.write_str("revealing"),
            Self::Finalized => f.write_str("finalized"),
        }
    }
}

/// Something to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// A new stage, or a new percentage.
    Stage(Stage),
    /// One worker gave up; another may take over.
    ReplicateFailed {
        /// Who.
        worker: Option<Address>,
        /// Why.
        failure: Failure,
    },
    /// The app wrote something.
    Output {
        /// Where to.
        stream: Stream,
        /// What; not necessarily whole lines.
        text: String,
    },
    /// Output that came and went while nobody listened.
    Missing {
        /// Where to.
        stream: Stream,
        /// How much, bytes.
        bytes: u64,
    },
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The official code, with its sentence and hint.
    pub cause: Cause,
    /// What exactly went wrong.
    pub message: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cause.code(), self.cause.sentence())?;
        match self
            .message
            .as_deref()
            .filter(|message| !message.is_empty())
        {
            Some(message) => write!(f, " ({message})"),
            None => Ok(()),
        }
    }
}

/// How a watch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The result is on chain.
    Completed,
    /// There will be none; why, when the pool told.
    Failed(Option<Failure>),
    /// The final deadline passed without a result: it can be claimed.
    TimedOut(Option<Failure>),
}
