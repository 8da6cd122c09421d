//! The three stages of a confidential task, each of which gets its own secrets only.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A stage, with the official spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Fetches and decrypts the inputs.
    PreCompute,
    /// The app itself.
    App,
    /// Encrypts, uploads and signs the result.
    PostCompute,
}

impl Stage {
    /// In the order in which they run.
    pub const ALL: [Self; 3] = [Self::PreCompute, Self::App, Self::PostCompute];

    /// As the wire and a session's services say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreCompute => "pre-compute",
            Self::App => "app",
            Self::PostCompute => "post-compute",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text is no stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no stage of a task has this name")]
pub struct NoStage;

impl FromStr for Stage {
    type Err = NoStage;

    fn from_str(text: &str) -> Result<Self, NoStage> {
        let mut all = Self::ALL.into_iter();
        all.find(|stage| stage.name() == text).ok_or(NoStage)
    }
}
