//! The user's wallet: finding its file, reading its address, unlocking it (spec/client.md §2.3).

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use chain::{Actor, Wallet};
use protocol::Address;
use sdk::{Client, keystore, wallet_file};
use serde_json::Value;

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs, WalletCreateArgs},
    context::{Context, read, write_secret},
    env_vars,
    outcome::Failure,
    paths, prompt,
    secret::Secret,
};

/// A wallet's file, still locked.
#[derive(Debug)]
pub(crate) struct Found {
    text: Secret,
    path: PathBuf,
}

impl Found {
    fn new(text: String, path: PathBuf) -> Self {
        let text = text.into();
        Self { text, path }
    }

    /// Its address: no password is needed for it.
    pub(crate) fn address(&self) -> Result<Address, Failure> {
        keystore::address_of(self.text.text())
            .ok_or_else(|| Failure::new(format!("{} has no address", self.path.display())))
    }

    /// Its key; the password comes from the option, the environment or the terminal.
    pub(crate) fn unlock(&self, args: &WalletArgs) -> Result<Wallet, Failure> {
        if !keystore::is_encrypted(self.text.text()) {
            return Ok(keystore::decrypt(self.text.text(), "")?);
        }
        let password = match password(args.password.as_ref()) {
            Some(password) => password,
            None => {
                let name = self.path.file_name().unwrap_or_default().to_string_lossy();
                prompt::password(&name)?
            }
        };
        Ok(keystore::decrypt(self.text.text(), &password)?)
    }
}

/// The password as typed, else of the environment.
fn password(typed: Option<&Secret>) -> Option<String> {
    let typed = typed.map(|password| password.text().to_owned());
    typed.or_else(|| env_vars::get(env_vars::WALLET_PASSWORD))
}

/// The wallet that the options mean: a named file, the newest of an address, `wallet.json` of the
/// project, the newest of all.
pub(crate) fn find(context: &Context, args: &WalletArgs) -> Result<Found, Failure> {
    try_find(context, args)?.ok_or_else(|| {
        not_found("make one with `iexec wallet create`, or say where it is with --keystoredir")
    })
}

/// As [`find`]; none when there is no wallet at all.
pub(crate) fn try_find(context: &Context, args: &WalletArgs) -> Result<Option<Found>, Failure> {
    let dir = paths::keystore_dir(&args.keystoredir, &context.project);
    if let Some(name) = &args.wallet_file {
        let path = dir.join(name);
        let text = read(&path)?;
        let missing = || not_found(format!("there is no {}", path.display()));
        return Ok(Some(Found {
            text: text.ok_or_else(missing)?.into(),
            path,
        }));
    }
    let address = args
        .wallet_address
        .as_deref()
        .map(read_address)
        .transpose()?;
    if address.is_none() {
        let path = context.project.join(wallet_file::PLAIN_NAME);
        if let Some(text) = read(&path)? {
            return Ok(Some(Found::new(text, path)));
        }
    }
    let names = names(&dir);
    let Some(name) = wallet_file::newest(names.iter().map(String::as_str), address) else {
        return match address {
            Some(address) => Err(not_found(format!(
                "there is no wallet of {address} in {}",
                dir.display()
            ))),
            None => Ok(None),
        };
    };
    let path = dir.join(name);
    Ok(read(&path)?.map(|text| Found::new(text, path)))
}

/// The unlocked wallet acting on the chain that the options mean.
pub(crate) async fn actor(
    context: &Context,
    wallet: &WalletArgs,
    chain: &ChainArgs,
    tx: &TxArgs,
) -> Result<(Client, Actor), Failure> {
    let policy = tx.policy()?;
    let wallet = find(context, wallet)?.unlock(wallet)?;
    let client = context.client(chain.name()).await?.with_policy(policy);
    let actor = client.actor(wallet);
    Ok((client, actor))
}

/// The official words; the hint says where was looked.
fn not_found(hint: impl Into<String>) -> Failure {
    Failure::new("Failed to load wallet address from keystore: Wallet file not found").hint(hint)
}

/// With or without 0x, in any case.
fn read_address(text: &str) -> Result<Address, Failure> {
    let text = format!("0x{}", text.trim_start_matches("0x"));
    Ok(sdk::parse::address("--wallet-address", &text)?)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// A wallet that was just written.
pub(crate) struct Saved {
    /// What the file holds.
    pub(crate) content: Value,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its address.
    pub(crate) address: Address,
}

/// Writes `wallet`: locked into the keystore, or plain into the project folder.
pub(crate) fn save(
    context: &Context,
    wallet: &Wallet,
    args: &WalletCreateArgs,
    force: bool,
) -> Result<Saved, Failure> {
    let address = wallet.address();
    let (content, name) = if args.unencrypted {
        (
            keystore::unencrypted(wallet),
            wallet_file::PLAIN_NAME.to_owned(),
        )
    } else {
        let given = password(args.password.as_ref());
        let password = given.map_or_else(prompt::new_password, Ok)?;
        let content = keystore::encrypt(wallet, &password, &keystore::Seed::random())?;
        (content, wallet_file::name(address, now_ms()))
    };
    let dir = match args.unencrypted && args.keystoredir == "global" {
        true => context.project.clone(),
        false => paths::keystore_dir(&args.keystoredir, &context.project),
    };
    let path = dir.join(&name);
    if path.exists() && !force {
        prompt::confirm(&format!("{} exists already, overwrite it?", path.display()))?;
    }
    write_secret(&path, &sdk::files::pretty(&content))?;
    Ok(Saved {
        content,
        path,
        address,
    })
}

fn now_ms() -> i64 {
    let age = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(age.as_millis()).unwrap_or_default()
}
