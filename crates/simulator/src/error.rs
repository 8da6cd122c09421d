//! What can go wrong with the seed.

use std::{io, path::PathBuf};

/// Why there is no simulated platform.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The seed cannot be read or written.
    #[error("failed to {what} `{path}`")]
    Disk {
        /// What was being done, an infinitive.
        what: &'static str,
        /// The seed file.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// The file is there but holds no seed.
    #[error("`{path}` is not a seed of 32 bytes")]
    BadSeed {
        /// The seed file.
        path: PathBuf,
    },
    /// Others than its owner can read it.
    #[error("`{path}` can be read by others; it must be its owner's only")]
    Exposed {
        /// The seed file.
        path: PathBuf,
    },
}

impl Error {
    pub(crate) fn disk(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk { what, path, source }
    }
}
