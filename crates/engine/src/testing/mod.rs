//! Test set-up shared with the whole-network tests: an image, a daemon, a registry, a helper.
//!
//! What a machine lacks is installed from its distribution where that is possible; else the
//! test is skipped by name, and fails where `CI` is set.

mod helper;
mod image;
mod install;
mod podman;
mod registry;

pub use helper::helper;
pub use image::{TestImage, busybox};
pub use install::{ensure_dockerd, skip};
pub use podman::ensure_podman;
pub use registry::Registry;

use std::path::Path;
use std::sync::Arc;

use crate::{Builtin, Docker, Engine};

/// The Docker engine, or None with the reason printed for this test.
pub async fn docker(test: &str) -> Option<Arc<dyn Engine>> {
    let connected = match ensure_dockerd() {
        Ok(()) => Docker::connect(None)
            .await
            .map_err(|error| error.to_string()),
        Err(reason) => Err(reason),
    };
    match connected {
        Ok(docker) => Some(Arc::new(with_folder(docker))),
        Err(reason) => {
            skip(test, &reason);
            None
        }
    }
}

/// The Docker engine with a Podman service behind it, and how to reach that; or None with the
/// reason printed for this test.
pub async fn podman(test: &str) -> Option<(Arc<dyn Engine>, String)> {
    let connected = match ensure_podman() {
        Ok(host) => match Docker::connect(Some(&host)).await {
            Ok(podman) => Ok((with_folder(podman), host)),
            Err(error) => Err(error.to_string()),
        },
        Err(reason) => Err(reason),
    };
    match connected {
        Ok((podman, host)) => Some((Arc::new(podman), host)),
        Err(reason) => {
            skip(test, &reason);
            None
        }
    }
}

/// With a place for the launcher of containers with secrets, which outlives the tests.
fn with_folder(docker: Docker) -> Docker {
    docker.with_root_dir(std::env::temp_dir().join("iexec-engine"))
}

/// The built-in engine with its own store and all that it uses, or None with the reason printed for
/// this test.
#[must_use]
pub fn builtin(test: &str, root_dir: &Path) -> Option<Arc<dyn Engine>> {
    if let Err(reason) = install::ensure_network() {
        skip(test, &reason);
        return None;
    }
    match Builtin::new(root_dir.to_owned(), helper()) {
        Ok(builtin) => Some(Arc::new(builtin)),
        Err(reason) => {
            skip(test, &reason.to_string());
            None
        }
    }
}
