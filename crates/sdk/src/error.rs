//! What can go wrong between a requester's program and the network.

use protocol::{Address, U256};

use crate::{
    misuse::{Code, Misuse},
    run::check::{Mismatch, Shortfall},
};

/// A service that is called over HTTP; names the failure for people and for `--raw`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// The order book.
    Market,
    /// The secret management service.
    Sms,
    /// Where result archives are fetched from.
    IpfsGateway,
    /// Where bulks of datasets are put.
    IpfsNode,
    /// The directory of workerpools.
    Compass,
    /// The pool's own API.
    Workerpool,
}

impl Api {
    /// The prefix of its messages, as the official client words it (spec/client.md §1.2).
    pub const fn title(self) -> &'static str {
        match self {
            Self::Market => "Market API",
            Self::Sms => "SMS",
            Self::IpfsGateway => "IPFS gateway",
            Self::IpfsNode => "IPFS node",
            Self::Compass => "Compass API",
            Self::Workerpool => "Workerpool API",
        }
    }

    const fn error_name(self) -> &'static str {
        match self {
            Self::Market => "MarketCallError",
            Self::Sms => "SmsCallError",
            Self::IpfsGateway => "IpfsGatewayCallError",
            Self::IpfsNode => "IpfsNodeCallError",
            Self::Compass => "CompassCallError",
            Self::Workerpool => "WorkerpoolCallError",
        }
    }
}

/// Which way RLC moves; it names the failure in the official words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// From the wallet to the account.
    Deposit,
    /// From the account to the wallet.
    Withdraw,
    /// From the wallet to another.
    Send,
}

impl Move {
    const fn subject(self) -> &'static str {
        match self {
            Self::Deposit => "Deposit amount",
            Self::Withdraw => "Withdraw amount",
            Self::Send => "Amount to send",
        }
    }

    const fn place(self) -> &'static str {
        match self {
            Self::Withdraw => "account",
            Self::Deposit | Self::Send => "wallet",
        }
    }
}

/// A failed call. [`Error::name`] and [`Error::hint`] complete the Display text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value given by the caller breaks a rule.
    #[error("invalid {field}: {reason}")]
    Invalid {
        /// Which value, in the words of the command line or file.
        field: String,
        /// The rule, with the value.
        reason: String,
    },
    /// A value has not the form that its field asks for; said in the official words.
    #[error("{reason}")]
    Malformed {
        /// Which value, in the words of the command line or file.
        field: String,
        /// What it is not.
        reason: String,
    },
    /// The market refused a request; the words are the market's.
    #[error("API error: {0}")]
    MarketRefused(String),
    /// A value breaks a rule of the protocol itself.
    #[error(transparent)]
    Protocol(#[from] protocol::Error),
    /// A configuration file has a key that means nothing.
    #[error("ValidationError: Unknown key \"{}\" in {file}", last(key))]
    UnknownKey {
        /// The file's name.
        file: &'static str,
        /// The key, with its section.
        key: String,
    },
    /// A configuration file is not the JSON it should be.
    #[error("\"{file}\" is not valid")]
    Format {
        /// The file's name.
        file: &'static str,
        /// What is wrong and where.
        #[source]
        source: serde_json::Error,
    },
    /// The configuration lacks something.
    #[error("{reason}")]
    Configuration {
        /// What is missing.
        reason: String,
        /// How to supply it.
        hint: Option<String>,
    },
    /// A confidential run cannot work as it is asked for.
    #[error("{0}")]
    Misuse(Box<Misuse>),
    /// The chain knows no such object.
    #[error("No {kind} found for id {id} on chain {chain_id}")]
    NotFound {
        /// `app`, `deal`, `task` …
        kind: &'static str,
        /// The id asked for.
        id: String,
        /// The chain asked.
        chain_id: u64,
    },
    /// The chain refused or could not be reached.
    #[error("failed to {action}")]
    Chain {
        /// What was being done.
        action: &'static str,
        /// The chain's answer.
        #[source]
        source: chain::Error,
    },
    /// A service answered with an error, or not at all.
    #[error("{} error: {message}", api.title())]
    Api {
        /// Which.
        api: Api,
        /// Its message, or why it could not be reached.
        message: String,
    },
    /// The same content of the same owner is on chain already.
    #[error("{} already deployed at address {address}", capital(kind))]
    AlreadyDeployed {
        /// `app`.
        kind: &'static str,
        /// Where.
        address: Address,
    },
    /// The owner has not so many entries.
    #[error("{kind} not deployed")]
    NoSuchIndex {
        /// `app`.
        kind: &'static str,
        /// Which was asked for, from 0.
        index: u64,
        /// Whose list was asked.
        owner: Address,
    },
    /// There is no such entry to make an order for.
    #[error("No {kind} deployed at address {address}")]
    NotDeployed {
        /// `app`.
        kind: &'static str,
        /// Where it should be.
        address: Address,
    },
    /// Only the owner may do this.
    #[error("{}", not_owner(kind, *address, *owner, action))]
    NotOwner {
        /// `app`.
        kind: &'static str,
        /// The entry.
        address: Address,
        /// Who owns it.
        owner: Address,
        /// What was attempted.
        action: &'static str,
    },
    /// Only the hub's owner may do this.
    #[error("only category owner {owner} can create new categories")]
    NotHubOwner {
        /// Who that is.
        owner: Address,
    },
    /// A secret that can be set once is there already.
    #[error("Secret already exists for {target} and can't be updated")]
    SecretExists {
        /// The app or dataset it belongs to.
        target: Address,
    },
    /// A secret with a name is there already.
    #[error("Secret \"{name}\" already exists for {owner}")]
    NamedSecretExists {
        /// Its name.
        name: String,
        /// Whose it is.
        owner: Address,
    },
    /// The SMS does not take this secret from this wallet.
    #[error("Wallet {wallet} is not allowed to set secret for {target}")]
    SecretForbidden {
        /// Who tried.
        wallet: Address,
        /// The app or dataset it belongs to.
        target: Address,
    },
    /// An order book has nothing that fits.
    #[error("no {kind} order available: {reason}")]
    NoOrder {
        /// `app`, `dataset`, `workerpool`.
        kind: &'static str,
        /// Which book was searched with which wishes.
        reason: String,
        /// How to get an order there, or to choose another.
        hint: String,
    },
    /// The four orders cannot become a deal.
    #[error("orders cannot be matched: {0}")]
    Unmatchable(Mismatch),
    /// Nothing is left of an order: it is used up or cancelled.
    #[error("{order} already canceled")]
    Closed {
        /// `apporder` …
        order: &'static str,
    },
    /// The requester cannot pay.
    #[error("{0}")]
    Insolvent(Box<Shortfall>),
    /// The image named in `iexec.json` is not the one of the checksum beside it.
    #[error("image `{image}` has checksum {found}, but the app's checksum is {given}")]
    ChecksumDiffers {
        /// The image's name.
        image: String,
        /// What the file says.
        given: String,
        /// What the tag designates now.
        found: String,
    },
    /// The image could not be looked up.
    #[error("failed to resolve image `{image}`: {reason}")]
    Image {
        /// The image's name.
        image: String,
        /// The engine's or registry's words.
        reason: String,
    },
    /// A wallet file could not be read or written.
    #[error("{reason}")]
    Wallet {
        /// What is wrong.
        reason: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The task has no archive to download.
    #[error("{reason}")]
    NoResult {
        /// Why.
        reason: String,
    },
    /// The downloaded archive is not what the workers agreed on.
    #[error("the result does not verify: {reason}")]
    Unverified {
        /// Which comparison failed.
        reason: String,
    },
    /// A task or deal cannot be claimed.
    #[error("{reason}")]
    NotClaimable {
        /// Why.
        reason: String,
    },
    /// More of the chain's coin is wanted than there is.
    #[error("Amount to send exceed wallet balance")]
    TooFewWei {
        /// Wei asked for.
        wanted: U256,
        /// Wei in the wallet.
        available: U256,
    },
    /// Coins that a sweep cannot move.
    #[error("{wei} wei stay behind: they do not pay for their own transfer")]
    LeftBehind {
        /// How many.
        wei: U256,
    },
    /// An amount of nothing.
    #[error("{} must be greater than 0", direction.subject())]
    NothingToMove {
        /// Which way it should go.
        direction: Move,
    },
    /// An amount is larger than what there is.
    #[error("{} exceed {} balance", direction.subject(), direction.place())]
    TooLittle {
        /// What was asked for.
        wanted: U256,
        /// What there is.
        available: U256,
        /// Which way it should go.
        direction: Move,
    },
}

impl Error {
    /// For `map_err` on chain calls.
    pub(crate) fn chain(action: &'static str) -> impl FnOnce(chain::Error) -> Self {
        move |source| Self::Chain { action, source }
    }

    /// A value that has not the form its field asks for, in the official words.
    pub fn malformed(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Malformed {
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// A broken rule of a caller's value.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// The class name of `--raw` errors (spec/client.md §1.2).
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Invalid { .. } | Self::Malformed { .. } | Self::Protocol(_) => "ValidationError",
            Self::Misuse(misuse) if misuse.code.is_about_a_value() => "ValidationError",
            Self::NotFound { .. } => "ObjectNotFoundError",
            Self::Chain { .. } => "Web3ProviderCallError",
            Self::Api { api, .. } => api.error_name(),
            _ => "Error",
        }
    }

    /// Which rule of confidential runs is broken, for programs.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Misuse(misuse) => Some(misuse.code.as_str()),
            Self::NoOrder { kind, .. } | Self::Unmatchable(Mismatch::Restricted { kind, .. })
                if *kind == "dataset" =>
            {
                Some(Code::DatasetNotGranted.as_str())
            }
            _ => None,
        }
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Misuse(misuse) => Some(misuse.hint.clone()),
            Self::Malformed { field, .. } => Some(format!("correct {field}")),
            Self::Protocol(protocol::Error::Amount { reason, .. }) => Some((*reason).to_owned()),
            Self::NoSuchIndex { kind, index, owner } => {
                Some(format!("{owner} has no {kind} with index {index}"))
            }
            Self::NotOwner { owner, .. } => Some(format!("use the wallet of {owner}")),
            Self::UnknownKey { key, .. } => Some(format!("remove or correct {key}")),
            Self::Configuration { hint, .. } | Self::Wallet { hint, .. } => hint.clone(),
            Self::NoOrder { hint, .. } => Some(hint.clone()),
            Self::Unmatchable(Mismatch::Restricted { kind, to, .. }) => Some(format!(
                "take another {kind} order, or ask its owner for one that allows this {to}"
            )),
            Self::Insolvent(shortfall) => Some(shortfall.hint()),
            Self::ChecksumDiffers { .. } => Some(
                "remove `checksum` from iexec.json to take the image's own, or correct the tag"
                    .to_owned(),
            ),
            Self::AlreadyDeployed { kind, .. } => Some(format!(
                "change its {} in iexec.json to deploy another one",
                match *kind {
                    "app" => "name, image or checksum",
                    "dataset" => "name, multiaddr or checksum",
                    _ => "description",
                }
            )),
            Self::NamedSecretExists { name, .. } => Some(match name.starts_with("iexec-") {
                true => "replace it with --force-update".to_owned(),
                false => "it cannot be changed: choose another name".to_owned(),
            }),
            Self::TooLittle {
                wanted,
                available,
                direction,
            } => Some(format!(
                "{wanted} nRLC wanted, but only {available} nRLC available in the {}",
                direction.place()
            )),
            Self::TooFewWei { wanted, available } => Some(format!(
                "{} ether wanted, but only {} ether available in the wallet",
                protocol::ether::to_ether(*wanted),
                protocol::ether::to_ether(*available)
            )),
            Self::Unverified { .. } => {
                Some("do not trust this archive; ask the workerpool's operator".to_owned())
            }
            _ => None,
        }
    }
}

/// The key itself, without the sections around it.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_uppercase() + rest
}

/// The official words where there are some.
fn not_owner(kind: &str, address: Address, owner: Address, action: &str) -> String {
    match (action, kind) {
        ("transfer it", _) => format!("Only {kind} owner can transfer {kind} ownership"),
        ("sign this order" | "publish orders for it", "request") => {
            "Invalid order signer, must be the requester".to_owned()
        }
        ("sign this order" | "publish orders for it", _) => {
            "Invalid order signer, must be the resource owner".to_owned()
        }
        _ => format!("only the owner {owner} of {kind} {address} can {action}"),
    }
}
