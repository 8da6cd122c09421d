//! What an image is to its user: a pin before the pull, an identity after it.

use crate::cache::Lease;
use crate::{Digest, ImageRef};

/// Which image the caller demands, whatever a tag says today.
///
/// The checksum of an application on chain is the digest of its manifest in the registry
/// (design.md §1.8); it is never optional.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// The manifest digest, or an image id where `allow_local` permits that.
    pub digest: Digest,
    /// Accept an image that is only on this machine when its id equals `digest`. For the local
    /// network, where an application may be built and never pushed.
    pub allow_local: bool,
}

impl Pin {
    /// A pin that only a registry digest can satisfy: for every public network.
    #[must_use]
    pub fn registry(digest: impl Into<Digest>) -> Self {
        Self {
            digest: digest.into(),
            allow_local: false,
        }
    }

    /// A pin that the id of a local image satisfies as well.
    #[must_use]
    pub fn local(digest: impl Into<Digest>) -> Self {
        Self {
            digest: digest.into(),
            allow_local: true,
        }
    }
}

/// An image that is present on this machine and can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The name it was asked for.
    pub reference: ImageRef,
    /// The engine's identity of it: the digest of its config.
    pub id: Digest,
    /// The registry's identity of it: the digest of its manifest. None when never pushed.
    pub digest: Option<Digest>,
    /// Keeps it from being removed for others while this value lives.
    pub(crate) lease: Lease,
}

impl Image {
    /// One that nobody keeps from being removed.
    #[must_use]
    pub fn new(reference: ImageRef, id: Digest, digest: Option<Digest>) -> Self {
        Self {
            reference,
            id,
            digest,
            lease: Lease::default(),
        }
    }
}

/// What a reference means today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// The digest of the manifest in the registry: the checksum to store on chain. None when
    /// the local image was never pushed (or pulled), so nobody else could fetch it.
    pub digest: Option<Digest>,
    /// The id of the local image: the checksum on a local network when `digest` is None.
    /// None when the answer came from the registry.
    pub image_id: Option<Digest>,
}
