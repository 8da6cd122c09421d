//! `iexec chain deploy`: hub, registries, categories and a test RLC on any EVM chain.

use std::path::PathBuf;

use alloy::{
    primitives::utils::format_ether, providers::Provider, signers::local::PrivateKeySigner,
};
use chain::Wallet;
use contracts::{Deployment, Error, Options, Outcome, Progress};
use sdk::keystore;
use serde_json::{Value, json};

use crate::{
    context::Context,
    env_vars,
    outcome::{Failure, Report, note},
    prompt,
    secret::Secret,
};

/// Options of `iexec chain deploy`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Interrupted anywhere, the same command goes on; finished, it prints the \
    addresses again.\n\nExamples:\n  \
    IEXEC_PRIVATE_KEY=0x… iexec chain deploy --rpc https://rpc.example.org --json\n  \
    iexec chain deploy --rpc http://127.0.0.1:8545 --token 0x…"
)]
pub(crate) struct Args {
    /// Node of the chain: http, https, ws or wss
    #[arg(long, value_name = "url")]
    rpc: String,
    /// Key that pays, and owns what it deploys; set IEXEC_PRIVATE_KEY instead to keep it out of
    /// the process list
    #[arg(long, value_name = "key")]
    private_key: Option<Secret>,
    /// Hold the chain's own coin instead of RLC tokens
    #[arg(long, conflicts_with = "token")]
    native: bool,
    /// RLC of the chain; without it a test RLC is deployed, and the key holds its supply
    #[arg(long, value_name = "address")]
    token: Option<String>,
    /// File that remembers what was sent [default: iexec-deploy-<chainId>.json]
    #[arg(long, value_name = "path")]
    journal: Option<PathBuf>,
    /// Print the addresses as one line of JSON
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let token = args.token.as_deref();
    let token = token.map(|text| sdk::parse::address("--token", text));
    let token = token.transpose()?;
    let signer = signer(&wallet(args)?)?;
    let provider = chain::connect(&args.rpc).await.map_err(unconnected)?;
    let chain_id = provider.get_chain_id().await;
    let chain_id = chain_id.map_err(|source| {
        let what = "name its chain".to_owned();
        failure(Error::Rpc { what, source })
    })?;
    let options = Options {
        native: args.native,
        token,
        metadata_chain_id: Some(chain_id),
        ..Options::default()
    };
    let journal = args.journal.clone();
    let journal = journal.unwrap_or_else(|| format!("iexec-deploy-{chain_id}.json").into());
    let journal = context.project.join(journal);
    let is_raw = context.raw;
    let mut tell = |progress| tell(is_raw, progress);
    let deployed =
        contracts::deploy_resumable(&provider, &signer, &options, &journal, &mut tell).await;
    let outcome = deployed.map_err(failure)?;
    context.note(summary(&outcome));
    Ok(report(args, context.raw, &outcome.deployment))
}

fn wallet(args: &Args) -> Result<Wallet, Failure> {
    let typed = args.private_key.as_ref().map(|key| key.text().to_owned());
    let given = typed.or_else(|| env_vars::get(env_vars::PRIVATE_KEY));
    let key = match given {
        Some(key) => key,
        None => prompt::secret(
            "the private key of the deployer",
            "--private-key, or set IEXEC_PRIVATE_KEY",
        )?,
    };
    keystore::wallet_of_key(&key).map_err(|error| {
        Failure::from(error).hint("64 hexadecimal digits, with or without 0x in front")
    })
}

fn signer(wallet: &Wallet) -> Result<PrivateKeySigner, Failure> {
    PrivateKeySigner::from_bytes(&wallet.key()).map_err(|error| Failure::new(error.to_string()))
}

/// One line a step, on stderr.
fn tell(is_raw: bool, progress: Progress) {
    let text = match progress {
        Progress::Found { contracts } => format!(
            "going on with {contracts} contracts of this deployment that are on the chain and \
            not in the journal"
        ),
        Progress::Others { count } => {
            format!("waiting for {count} transactions of this key that were sent before")
        }
        Progress::Done {
            number,
            total,
            step,
            spent: Some((tx, gas)),
        } => format!("[{number}/{total}] {step}: {tx}, {gas} gas"),
        Progress::Done {
            number,
            total,
            step,
            spent: None,
        } => format!("[{number}/{total}] {step}: done before"),
    };
    note(is_raw, &text);
}

fn summary(outcome: &Outcome) -> String {
    let Outcome {
        transactions,
        gas_used,
        cost,
        ..
    } = outcome;
    match transactions {
        0 => "everything was there, nothing was sent".to_owned(),
        _ => format!(
            "{transactions} transactions, {gas_used} gas, {} coins",
            format_ether(*cost)
        ),
    }
}

fn report(args: &Args, is_raw: bool, at: &Deployment) -> Report {
    let addresses = addresses(args.native, at);
    if args.json || is_raw {
        return Report::line(&addresses);
    }
    Report::new(json!({}), "the contracts are deployed").with_data(&addresses)
}

fn addresses(is_native: bool, at: &Deployment) -> Value {
    let token = (!is_native).then(|| at.token.to_checksum(None));
    json!({
        "hub": at.hub.to_checksum(None),
        "token": token,
        "appRegistry": at.app_registry.to_checksum(None),
        "datasetRegistry": at.dataset_registry.to_checksum(None),
        "workerpoolRegistry": at.workerpool_registry.to_checksum(None),
    })
}

fn unconnected(error: chain::Error) -> Failure {
    let hint = match error {
        chain::Error::Url(_) => "give --rpc as http://…, https://…, ws://… or wss://…",
        _ => RPC_HINT,
    };
    Failure::with_sources(&error)
        .named("NetworkError")
        .hint(hint)
}

const RPC_HINT: &str = "does the node run, and is --rpc right? Then run the same command again";

/// The error, its sources, its class and what to do.
fn failure(error: Error) -> Failure {
    Failure::with_sources(&error)
        .named(class(&error))
        .hint(hint(&error))
}

fn class(error: &Error) -> &'static str {
    match error {
        error if error.is_unreachable() => "NetworkError",
        Error::Rpc { .. } | Error::Answer { .. } => "Web3ProviderCallError",
        Error::Funds { .. } => "InsufficientFundsError",
        Error::TokenMissing(_) | Error::NotToken(_) => "ValidationError",
        Error::JournalMismatch { .. } | Error::JournalFormat { .. } | Error::JournalFile { .. } => {
            "JournalError"
        }
        _ => "TransactionError",
    }
}

fn hint(error: &Error) -> String {
    let words = match error {
        error if error.is_unreachable() => RPC_HINT,
        Error::Funds {
            deployer,
            balance,
            needed,
            ..
        } => {
            let missing = format_ether(needed.saturating_sub(*balance));
            return format!("send {missing} coins of the chain to {deployer} and run it again");
        }
        Error::TokenMissing(_) | Error::NotToken(_) => {
            "is --token the RLC of this chain? Without --token a test RLC is deployed"
        }
        Error::Reverted { .. } => {
            "the chain may limit the size or the gas of contracts; the same command tries again"
        }
        Error::Refused { .. } => "is it an EVM chain with the rules of Paris or newer?",
        Error::Conflict { .. } => "use another key: it gets a deployment of its own",
        Error::Waiting { .. } => {
            "run the same command again: it waits on, and offers more if gas has become dearer"
        }
        Error::Others { .. } => "wait for them or cancel them, then run the same command again",
        Error::JournalMismatch { .. } => {
            "use the options, key and chain it was begun with, or another file with --journal"
        }
        Error::JournalFormat { .. } => "move it away: what is done is found on the chain",
        Error::JournalFile { .. } => "name a file that can be written with --journal",
        _ => "run the same command again: it goes on where it was",
    };
    words.to_owned()
}
