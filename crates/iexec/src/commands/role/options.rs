//! Options that every role has.

use std::{net::SocketAddr, path::PathBuf};

/// How a role tells what it does, on stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Options of every role.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Common {
    /// TOML file with the settings; options given here win
    #[arg(long, value_name = "file")]
    pub(crate) config: Option<PathBuf>,
    /// Chain by name: `local`, a built-in one, or one of chain.json
    #[arg(long, value_name = "name", conflicts_with = "chain_url")]
    pub(crate) chain: Option<String>,
    /// Node of the chain: http, https, ws or wss (or set IEXEC_CHAIN_URL)
    #[arg(long, value_name = "url")]
    pub(crate) chain_url: Option<String>,
    /// Address of the hub (or set IEXEC_HUB)
    #[arg(long, value_name = "address")]
    pub(crate) hub: Option<String>,
    #[command(flatten)]
    pub(crate) place: PlaceOptions,
}

/// Where a role is on this machine, and how it talks.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PlaceOptions {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "address")]
    pub(crate) listen: Option<SocketAddr>,
    /// Data directory
    #[arg(long, value_name = "dir")]
    pub(crate) data: Option<PathBuf>,
    /// How to tell what happens, on stderr
    #[arg(long, value_name = "format", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Print one line of JSON on stdout once it is ready
    #[arg(long)]
    pub(crate) json: bool,
}
