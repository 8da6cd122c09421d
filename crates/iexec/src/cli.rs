//! The command line as typed: the official words and options (spec/client.md §1.3–1.4).

use clap::{Args, Parser, Subcommand};

use crate::{
    commands::{
        account, app, chain, completion, dataset, deal, demo, down, info, init, order, orderbook,
        storage, task, up, wallet, workerpool,
    },
    context::Context,
};

/// The iExec platform in one program.
#[derive(Debug, Parser)]
#[command(
    name = "iexec",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = false
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Global {
    /// Print one line of JSON, for programs
    #[arg(long, global = true)]
    pub(crate) raw: bool,
    /// Accepted for compatibility: there is no update check to silence
    #[arg(long, global = true, hide = true)]
    pub(crate) quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a project: iexec.json, chain.json and a wallet
    Init(init::Args),
    /// Create, import and show wallets
    #[command(subcommand, arg_required_else_help = true)]
    Wallet(wallet::Command),
    /// Show, fill and empty the account in the hub
    #[command(subcommand, arg_required_else_help = true)]
    Account(account::Command),
    /// Deploy, publish and run apps
    #[command(subcommand, arg_required_else_help = true)]
    App(app::Command),
    /// Encrypt, deploy and publish datasets
    #[command(subcommand, arg_required_else_help = true)]
    Dataset(dataset::Command),
    /// Deploy and publish workerpools
    #[command(subcommand, arg_required_else_help = true)]
    Workerpool(workerpool::Command),
    /// Show and claim deals
    #[command(subcommand, arg_required_else_help = true)]
    Deal(deal::Command),
    /// Show, download, debug and claim tasks
    #[command(subcommand, arg_required_else_help = true)]
    Task(task::Command),
    /// Sign, publish, cancel, show and fill orders
    #[command(subcommand, arg_required_else_help = true)]
    Order(order::Command),
    /// Show published orders
    #[command(subcommand, arg_required_else_help = true)]
    Orderbook(orderbook::Command),
    /// Set up where results go
    #[command(subcommand, arg_required_else_help = true)]
    Storage(storage::Command),
    /// Put the contracts on a chain
    #[command(subcommand, arg_required_else_help = true)]
    Chain(chain::Command),
    /// Show the contracts of a chain
    Info(info::Args),
    /// Run a local network: chain, contracts, market, pool, workers, store
    Up(up::Args),
    /// End the local network
    Down(down::Args),
    /// Watch the tutorial happen on a throw-away network
    Demo(demo::Args),
    /// Print a completion script for a shell
    Completion(completion::Args),
}

/// Which chain.
#[derive(Clone, Debug, Args)]
pub(crate) struct ChainArgs {
    /// Chain name: `local`, a built-in one, or one of chain.json
    #[arg(long, value_name = "name")]
    pub(crate) chain: Option<String>,
}

impl ChainArgs {
    /// The name as typed.
    pub(crate) fn name(&self) -> Option<&str> {
        self.chain.as_deref()
    }
}

/// Options of commands that send transactions.
#[derive(Clone, Debug, Args)]
pub(crate) struct TxArgs {
    /// Accepted for compatibility: one block is waited for
    #[arg(long, value_name = "blockCount", hide = true)]
    pub(crate) confirms: Option<u64>,
    /// Accepted for compatibility: the node's price is paid
    #[arg(long, value_name = "amount unit", num_args = 1..=2, hide = true)]
    pub(crate) gas_price: Vec<String>,
}

/// Options that version 8 had for secrets; the only framework left is TDX.
#[derive(Clone, Debug, Args)]
pub(crate) struct TeeArgs {
    /// Accepted for compatibility with version 8
    #[arg(long, value_name = "name", hide = true)]
    tee_framework: Option<String>,
}

impl TeeArgs {
    /// Tells that the option means nothing any more.
    pub(crate) fn warn(&self, context: &Context) {
        if self.tee_framework.is_some() {
            context.note("--tee-framework is no longer used: TDX is the only framework");
        }
    }
}

/// Which wallet.
#[derive(Clone, Debug, Args)]
pub(crate) struct WalletArgs {
    /// Password of the wallet (or set IEXEC_WALLET_PASSWORD)
    #[arg(long, value_name = "password")]
    pub(crate) password: Option<String>,
    /// File name in the keystore directory
    #[arg(long, value_name = "walletFileName")]
    pub(crate) wallet_file: Option<String>,
    /// The newest wallet of this address
    #[arg(long, value_name = "walletAddress")]
    pub(crate) wallet_address: Option<String>,
    /// Keystore directory: `global`, `local` or a path
    #[arg(long, value_name = "path", default_value = "global")]
    pub(crate) keystoredir: String,
}

/// How a new wallet is stored.
#[derive(Clone, Debug, Args)]
pub(crate) struct WalletCreateArgs {
    /// Password to lock the wallet with (or set IEXEC_WALLET_PASSWORD)
    #[arg(long, value_name = "password")]
    pub(crate) password: Option<String>,
    /// Write the private key unencrypted into wallet.json
    #[arg(long)]
    pub(crate) unencrypted: bool,
    /// Keystore directory: `global`, `local` or a path
    #[arg(long, value_name = "path", default_value = "global")]
    pub(crate) keystoredir: String,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn values_may_begin_with_a_dash() {
        let line = ["iexec", "app", "run", "--args", "--with-option x", "--raw"];
        let cli = Cli::try_parse_from(line).unwrap();
        assert!(cli.global.raw);
    }

    #[test]
    fn every_command_shows_an_example() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let has_children = command
                .get_subcommands()
                .any(|child| child.get_name() != "help");
            for child in command
                .get_subcommands()
                .filter(|child| child.get_name() != "help")
            {
                check(child, &path);
            }
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                has_children || help.contains("Example"),
                "no example:{path}"
            );
        }
        check(&Cli::command(), "");
    }
}
