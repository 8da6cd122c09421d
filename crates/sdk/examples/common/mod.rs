//! What every example needs: the network it talks to, a funded wallet, and a place to write.
#![allow(dead_code, reason = "not every example needs all of it")]
#![expect(clippy::print_stdout, reason = "examples print what they found")]

use std::fs;

use anyhow::Context as _;
use chain::Wallet;
use sdk::{Client, chains, files::network_json::NetworkFile, keystore};

/// The `index`-th word of the command line.
pub(crate) fn argument(index: usize, name: &str) -> anyhow::Result<String> {
    let word = std::env::args().nth(index);
    word.with_context(|| format!("argument {index} is missing: {name}"))
}

/// A connection to the local network that `network.json` describes.
pub(crate) async fn connect(path: &str) -> anyhow::Result<Client> {
    let network = read(path)?;
    let chain = chains::resolve(Some(chains::LOCAL), None, Some(&network))?;
    Ok(Client::connect(chain).await?)
}

/// The wallet of one of the network's funded accounts.
pub(crate) fn wallet(path: &str, role: &str) -> anyhow::Result<Wallet> {
    let network = read(path)?;
    let account = network.account(role);
    let account = account.with_context(|| format!("nobody is the {role}"))?;
    Ok(keystore::wallet_of_key(&account.private_key.to_string())?)
}

/// One line for the reader.
pub(crate) fn say(line: &str) {
    println!("{line}");
}

fn read(path: &str) -> anyhow::Result<NetworkFile> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(NetworkFile::parse(&text)?)
}
