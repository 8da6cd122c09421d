//! Whose word this service takes for what an enclave is.

use serde::{Deserialize, Serialize};

/// A store belongs to one mode for ever: what was kept for real enclaves is never given to
/// simulated ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The hardware maker's.
    #[default]
    Real,
    /// A simulator's, which everybody can be.
    Simulation,
}

impl Mode {
    /// As it stands in the store.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Simulation => "simulation",
        }
    }
}
