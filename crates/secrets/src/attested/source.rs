//! Where collateral comes from: a folder that an operator keeps fresh, or the simulator.

use std::{fs, path::Path, path::PathBuf};

use attest::{Collateral, Family, Rejected};
use simulator::Simulator;

/// Files that are read of a folder: more families than a pool of machines has.
const FILES_MAX: usize = 64;
/// Collateral is a few tens of KiB.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Less than this is left: somebody should fetch it again.
const LOW_S: u64 = 7 * 86_400;

/// What verifies the platforms.
pub(super) enum Source {
    /// A folder of files.
    Published(PathBuf),
    /// Made when asked for.
    Simulated(Simulator),
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum Lack {
    /// The quote does not even say for which machine.
    Rejected(Rejected),
    /// Nothing fresh for that machine.
    Missing,
}

impl Source {
    /// What is published about the machine of `quote`, good at `now`. Reads files: blocking.
    pub(super) fn collateral(&self, quote: &[u8], now: u64) -> Result<Collateral, Lack> {
        let family = Family::of_quote(quote).map_err(Lack::Rejected)?;
        match self {
            Self::Simulated(simulator) => Ok(simulator.collateral(now)),
            Self::Published(folder) => newest(folder, family, now).ok_or(Lack::Missing),
        }
    }
}

/// Of those that fit, the one that is good for longest.
fn newest(folder: &Path, family: Family, now: u64) -> Option<Collateral> {
    let entries = fs::read_dir(folder).inspect_err(|error| {
        tracing::error!(%error, folder = %folder.display(), "no collateral");
    });
    let files = entries
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "json"));
    let fresh = files.take(FILES_MAX).filter_map(|path| read(&path));
    let fresh = fresh.filter(|one| one.family() == Some(family) && one.check(now).is_ok());
    let best = fresh.max_by_key(|one| one.expires_at().unwrap_or_default())?;
    let left_s = best.expires_at().ok()?.saturating_sub(now);
    if left_s < LOW_S {
        tracing::warn!(left_s, "collateral expires soon");
    }
    Some(best)
}

fn read(path: &Path) -> Option<Collateral> {
    let size = fs::metadata(path).ok()?.len();
    let text = (size <= FILE_BYTES_MAX).then(|| fs::read(path).ok())??;
    let read = serde_json::from_slice(&text).inspect_err(|error| {
        tracing::warn!(%error, path = %path.display(), "not collateral");
    });
    read.ok()
}
