//! The key of a role: in a keystore v3 file that nobody else may read, its password in a file or in
//! the environment, never in the arguments.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use chain::Wallet;
use sdk::keystore;
use serde::Deserialize;

use crate::{context, env_vars, outcome::Failure};

/// Chains whose coins are worth nothing: the local network, anvil and hardhat, geth's own. Only
/// there a key may lie in a file unlocked.
const DEVELOPMENT_CHAINS: [u64; 3] = [65_535, 31_337, 1_337];
/// Rights of others on a file of ours.
const OTHERS: u32 = 0o077;

/// `[wallet]` of the settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct WalletConfig {
    file: Option<PathBuf>,
    password_file: Option<PathBuf>,
}

/// Options of roles with a key.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct KeyOptions {
    /// Keystore v3 file of the key, readable for its owner only (or set IEXEC_WALLET_FILE)
    #[arg(long, value_name = "file")]
    wallet: Option<PathBuf>,
    /// File with the password; without it IEXEC_WALLET_PASSWORD
    #[arg(long, value_name = "file")]
    password_file: Option<PathBuf>,
}

impl KeyOptions {
    /// The unlocked key; `chain_id` decides whether it may lie around unlocked.
    pub(crate) fn unlock(&self, config: &WalletConfig, chain_id: u64) -> Result<Wallet, Failure> {
        let from_env = || env_vars::get(env_vars::WALLET_FILE).map(PathBuf::from);
        let path = self.wallet.clone().or_else(from_env);
        let path = path.or_else(|| config.file.clone()).ok_or_else(|| {
            wrong("no wallet is given").hint(
                "make one with `iexec wallet create --keystoredir DIR` and give its file with \
                --wallet, or as `file` below [wallet]",
            )
        })?;
        let text = private(&path)?;
        let text = text.trim();
        if is_plain(text) {
            return plain(text, &path, chain_id);
        }
        let password_file = self.password_file.as_ref();
        let password = password(password_file.or(config.password_file.as_ref()))?;
        keystore::decrypt(text, &password)
            .map_err(|error| Failure::from(error).hint(format!("the wallet is {}", path.display())))
    }
}

fn wrong(message: impl Into<String>) -> Failure {
    Failure::new(message).named("ValidationError")
}

/// The content of a file that nobody else may read.
pub(crate) fn private(path: &Path) -> Result<String, Failure> {
    let text = context::read(path)?;
    let text = text.ok_or_else(|| {
        wrong(format!("there is no {}", path.display())).hint("give the file of the key itself")
    })?;
    let mode = fs::metadata(path).map(|data| data.permissions().mode());
    match mode {
        Ok(mode) if mode & OTHERS == 0 => Ok(text),
        _ => Err(wrong(format!("{} can be read by others", path.display()))
            .hint(format!("chmod 600 {}", path.display()))),
    }
}

/// A key as it is: `wallet.json` of a project, or just the digits.
fn is_plain(text: &str) -> bool {
    !text.starts_with('{') || !keystore::is_encrypted(text)
}

fn plain(text: &str, path: &Path, chain_id: u64) -> Result<Wallet, Failure> {
    if !DEVELOPMENT_CHAINS.contains(&chain_id) {
        let message = format!("the key in {} is not encrypted", path.display());
        return Err(wrong(message).hint(
            "lock it with `iexec wallet import`; plain keys are for development chains only",
        ));
    }
    let wallet = match text.starts_with('{') {
        true => keystore::decrypt(text, ""),
        false => keystore::wallet_of_key(text),
    };
    Ok(wallet?)
}

fn password(file: Option<&PathBuf>) -> Result<String, Failure> {
    if let Some(path) = file {
        return Ok(private(path)?.trim_end_matches(['\r', '\n']).to_owned());
    }
    env_vars::get(env_vars::WALLET_PASSWORD).ok_or_else(|| {
        wrong("the wallet is locked and no password is given")
            .hint("put it into a file for --password-file, or set IEXEC_WALLET_PASSWORD")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

    fn file(dir: &Path, text: &str, mode: u32) -> KeyOptions {
        let path = dir.join("key");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        KeyOptions {
            wallet: Some(path),
            password_file: None,
        }
    }

    #[test]
    fn plain_keys_are_for_development_and_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let none = WalletConfig::default();
        let options = file(dir.path(), &format!("{KEY}\n"), 0o600);
        assert!(options.unlock(&none, 65_535).is_ok());
        let error = options.unlock(&none, 42_161).unwrap_err();
        assert!(error.message().contains("not encrypted") && !error.message().contains("ac09"));
        let error = file(dir.path(), KEY, 0o640)
            .unlock(&none, 65_535)
            .unwrap_err();
        assert!(error.message().contains("read by others"), "{error}");
        assert!(error.advice().unwrap().starts_with("chmod 600"));
    }
}
