//! Where files lie. The rules that depend on home directory and environment are here only.

use std::path::{Path, PathBuf};

use crate::env_vars;

/// The local network's data directory: what is given, else `$IEXEC_DATA`, else
/// `$XDG_DATA_HOME/iexec/local`, else `~/.local/share/iexec/local`.
pub(crate) fn data_dir(given: Option<&Path>) -> PathBuf {
    if let Some(given) = given {
        return given.to_owned();
    }
    if let Some(dir) = env_vars::get(env_vars::DATA) {
        return PathBuf::from(dir);
    }
    share().join("iexec/local")
}

/// The data directory of a role that runs alone: what is given, else `$XDG_DATA_HOME/iexec/<role>`,
/// else `~/.local/share/iexec/<role>`.
pub(crate) fn role_dir(role: &str, given: Option<&Path>) -> PathBuf {
    let standard = || share().join("iexec").join(role);
    given.map_or_else(standard, Path::to_owned)
}

fn share() -> PathBuf {
    let share = env_vars::get(env_vars::XDG_DATA_HOME).map(PathBuf::from);
    share.unwrap_or_else(|| home().join(".local/share"))
}

/// The directory that `--keystoredir` means: `global`, `local` or a path.
pub(crate) fn keystore_dir(option: &str, project: &Path) -> PathBuf {
    match option {
        "global" if cfg!(target_os = "macos") => home().join("Library/Ethereum/keystore"),
        "global" => home().join(".ethereum/keystore"),
        "local" => project.to_owned(),
        path => project.join(path),
    }
}

fn home() -> PathBuf {
    env_vars::get(env_vars::HOME).map_or_else(|| PathBuf::from("."), PathBuf::from)
}
