//! Collateral on disk: `*.json` files, one for each family of machines.

use std::{
    fs, io,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use attest::{Collateral, Family, Platform};

use crate::seal::write_private;

/// Files that are read of a folder: more families than a pool of machines has.
pub(super) const FILES_MAX: usize = 64;
/// Collateral is a few tens of KiB.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Less than this is left: somebody should fetch it again.
const LOW_S: u64 = 7 * 86_400;

/// What was found.
pub(super) struct Found {
    pub(super) collateral: Collateral,
    /// When it was written, seconds since 1970.
    pub(super) written_at: u64,
}

/// Of those that fit and are good at `now`, the one that is good for longest. Blocking.
pub(super) fn newest(folder: &Path, family: Family, now: u64) -> Option<Found> {
    let entries = fs::read_dir(folder).inspect_err(|error| {
        tracing::error!(%error, folder = %folder.display(), "no collateral");
    });
    let files = entries
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "json"));
    let found = files.take(FILES_MAX).filter_map(|path| read(&path));
    let fresh = found.filter(|one| {
        let collateral = &one.collateral;
        collateral.family() == Some(family) && collateral.check(now).is_ok()
    });
    let best = fresh.max_by_key(|one| one.collateral.expires_at().unwrap_or_default())?;
    warn_if_low(&best.collateral, now);
    Some(best)
}

/// Tells an operator in time.
pub(super) fn warn_if_low(collateral: &Collateral, now: u64) {
    let left_s = collateral
        .expires_at()
        .unwrap_or_default()
        .saturating_sub(now);
    if left_s < LOW_S {
        tracing::warn!(left_s, "collateral expires soon");
    }
}

fn read(path: &Path) -> Option<Found> {
    let data = fs::metadata(path).ok()?;
    let text = (data.len() <= FILE_BYTES_MAX).then(|| fs::read(path).ok())??;
    let read = serde_json::from_slice(&text).inspect_err(|error| {
        tracing::warn!(%error, path = %path.display(), "not collateral");
    });
    let written = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let written_at = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(Found {
        collateral: read.ok()?,
        written_at: written_at.as_secs(),
    })
}

/// Puts the file of a family into the folder, whole. Blocking.
pub(super) fn write(folder: &Path, family: Family, collateral: &Collateral) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let platform = match family.platform {
        Platform::Tdx => "tdx",
        Platform::Sgx => "sgx",
    };
    let (fmspc, issuer) = (hex::encode(family.fmspc), family.issuer.name());
    let path = folder.join(format!("{fmspc}-{platform}-{issuer}.json"));
    write_private(&path, &serde_json::to_vec(collateral)?)
}
