//! The random seed that everything follows from.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rand::{RngCore, rngs::OsRng};
use zeroize::Zeroizing;

use crate::Error;

pub(crate) type Seed = Zeroizing<[u8; 32]>;

/// The seed in `path`; a fresh one when there is none. Of two who make it at once, one does.
pub(crate) fn open(path: &Path) -> Result<Seed, Error> {
    match create(path) {
        Err(Error::Disk { source, .. }) if source.kind() == ErrorKind::AlreadyExists => read(path),
        done => done,
    }
}

fn create(path: &Path) -> Result<Seed, Error> {
    if path.exists() {
        return read(path);
    }
    // Under another name first: whoever looks meanwhile must not find half a seed.
    let fresh = path.with_extension(format!("{:016x}", OsRng.next_u64()));
    let failed = |what| Error::disk(what, path);
    let mut file = OpenOptions::new();
    let mut file = file
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(failed("create"))?;
    let mut seed = Seed::default();
    OsRng.fill_bytes(seed.as_mut());
    let written = file.write_all(seed.as_ref()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| std::fs::hard_link(&fresh, path));
    let removed = std::fs::remove_file(&fresh);
    linked.and(removed).map_err(failed("create"))?;
    Ok(seed)
}

fn read(path: &Path) -> Result<Seed, Error> {
    let mut file = File::open(path).map_err(Error::disk("open", path))?;
    let about = file.metadata().map_err(Error::disk("look at", path))?;
    if about.permissions().mode() & 0o077 != 0 {
        return Err(Error::Exposed { path: path.into() });
    }
    let mut seed = Seed::default();
    let bad = || Error::BadSeed { path: path.into() };
    if about.len() != 32 {
        return Err(bad());
    }
    file.read_exact(seed.as_mut()).map_err(|_| bad())?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_seed_is_made_once_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed");
        let first = open(&path).unwrap();
        assert_eq!(open(&path).unwrap(), first);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(open(&path), Err(Error::Exposed { .. })));
        let other = open(&folder.path().join("other")).unwrap();
        assert_ne!(other, first);
    }

    #[test]
    fn what_is_no_seed_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed");
        fs::write(&path, "short").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(open(&path), Err(Error::BadSeed { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"short");
    }
}
