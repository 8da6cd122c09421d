//! Everything that can go wrong with an image or a container.

use std::io;
use std::path::{Path, PathBuf};

use crate::Digest;

/// Why an engine could not do what it was asked. A container that ran and failed is not an
/// error but an [`Exit`](crate::Exit).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The image reference or digest has no meaning.
    #[error("`{reference}` is not an image reference: {reason}")]
    BadReference {
        /// What was given.
        reference: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// The run specification cannot be honoured.
    #[error("invalid {field} of container `{name}`: {reason}")]
    BadSpec {
        /// The container's name.
        name: String,
        /// The field of `RunSpec`.
        field: &'static str,
        /// The rule it breaks.
        reason: String,
    },
    /// No engine can be used on this machine; the reason says what to do about it.
    #[error("{reason}")]
    Unavailable {
        /// What is missing, and the remedy.
        reason: String,
    },
    /// Neither this machine nor the registry has the image.
    #[error("image `{image}` not found")]
    NotFound {
        /// The reference, with the digest asked for.
        image: String,
    },
    /// The image exists but is not the one that was pinned.
    #[error("image `{image}` has digest {found}, but {expected} is required")]
    DigestMismatch {
        /// The reference without digest.
        image: String,
        /// What the pin demands.
        expected: Digest,
        /// What is there under that name.
        found: Digest,
    },
    /// The registry did not answer; trying again later may help.
    #[error("registry of image `{image}` is unreachable: {reason}")]
    RegistryUnreachable {
        /// The reference.
        image: String,
        /// What the network said.
        reason: String,
    },
    /// The registry refuses: the image is private, or does not exist (some registries do not
    /// tell these apart).
    #[error("not authorized to pull image `{image}`: {reason}")]
    Unauthorized {
        /// The reference.
        image: String,
        /// What the registry said.
        reason: String,
    },
    /// The pull failed in another way.
    #[error("failed to pull image `{image}`: {reason}")]
    PullFailed {
        /// The reference.
        image: String,
        /// What the registry or the daemon said.
        reason: String,
    },
    /// The image is for another kind of machine, so nothing of it can run here.
    #[error("image `{image}` is made for {found}, but this machine runs {expected}")]
    PlatformMismatch {
        /// The reference, or the id where there is no name.
        image: String,
        /// Operating system and architecture of the image, or of all images to choose from.
        found: String,
        /// What this machine, or the daemon's, runs.
        expected: String,
    },
    /// The archive to import holds no usable image.
    #[error("invalid image archive: {reason}")]
    BadArchive {
        /// What is wrong with it.
        reason: String,
    },
    /// A layer or the config of an image breaks a rule of safety or of the format.
    #[error("invalid image {id}: {reason}")]
    BadImage {
        /// The image id.
        id: Digest,
        /// What is wrong with it.
        reason: String,
    },
    /// The container never ran: missing executable, unusable working directory, unknown user.
    #[error("container `{name}` cannot start: {reason}")]
    CannotStart {
        /// The container's name.
        name: String,
        /// What the runtime said.
        reason: String,
    },
    /// The runtime lost the container.
    #[error("container `{name}` failed: {reason}")]
    RuntimeFailed {
        /// The container's name.
        name: String,
        /// What is known.
        reason: String,
    },
    /// The Docker daemon failed to do something it should be able to.
    #[error("docker failed to {action}")]
    Docker {
        /// What was asked of it.
        action: &'static str,
        /// Its answer.
        #[source]
        source: Box<bollard::errors::Error>,
    },
    /// The disk, a mount or a process of our own failed.
    #[error("failed to {action} `{}`", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file, directory or program.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Whether the same call may well succeed a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::RegistryUnreachable { .. })
    }

    /// The same error about an image by the name its user knows.
    pub(crate) fn about(self, name: &crate::ImageRef) -> Self {
        match self {
            Self::PlatformMismatch {
                found, expected, ..
            } => Self::PlatformMismatch {
                image: name.to_string(),
                found,
                expected,
            },
            other => other,
        }
    }

    /// For `map_err` on file system calls, which do not name the path themselves.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// For `map_err` on calls to the daemon.
    pub(crate) fn docker(action: &'static str) -> impl FnOnce(bollard::errors::Error) -> Self {
        move |source| Self::Docker {
            action,
            source: Box::new(source),
        }
    }
}
