//! The command line as typed: the official words and options (spec/client.md §1.3–1.4).

use chain::Policy;
use clap::{Args, Parser, Subcommand};

use crate::{
    commands::{
        account, app, category, chain as chain_commands, completion, dataset, deal, demo, doctor,
        down, ens, info, init, man, market, not_offered, order, orderbook, pool, reference,
        requester, result, role::LogFormat, sms, storage, store, task, up, wallet, worker,
        workerpool,
    },
    context::Context,
    outcome::Failure,
    secret::Secret,
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
    /// Keep secrets that a confidential task may use
    #[command(subcommand, arg_required_else_help = true)]
    Requester(requester::Command),
    /// Encrypt results for their beneficiary, and open them
    #[command(subcommand, arg_required_else_help = true)]
    Result(result::Command),
    /// Set up where results go
    #[command(subcommand, arg_required_else_help = true)]
    Storage(storage::Command),
    /// Show the categories of tasks, and create them
    #[command(subcommand, arg_required_else_help = true)]
    Category(category::Command),
    /// Put the contracts on a chain
    #[command(subcommand, arg_required_else_help = true)]
    Chain(chain_commands::Command),
    /// Show the contracts of a chain
    Info(info::Args),
    /// Run a local network: chain, contracts, market, pool, workers, store
    Up(up::Args),
    /// End the local network
    Down(down::Args),
    /// Run a worker alone, for one pool or several
    Worker(worker::Args),
    /// Run a workerpool alone
    Pool(pool::Args),
    /// Run a result store alone
    Store(store::Args),
    /// Run a market alone
    Market(market::Args),
    /// Run a secret manager alone
    Sms(sms::Args),
    /// Watch the tutorial happen on a throw-away network
    Demo(demo::Args),
    /// Names instead of addresses, on chains that have the name service
    #[command(subcommand, arg_required_else_help = true)]
    Ens(ens::Command),
    /// Find out what on this machine is not as it should be
    Doctor(doctor::Args),
    /// Print a completion script for a shell
    Completion(completion::Args),
    /// Print the manual page, or write all of them
    Man(man::Args),
    /// Print a page of docs/reference
    #[command(hide = true, name = "__reference")]
    Reference(reference::Args),
    /// Not offered
    #[command(hide = true)]
    Voucher(not_offered::Args),
}

impl Command {
    /// How a role that runs alone tells what it does; none for the other commands.
    pub(crate) fn role_log(&self) -> Option<LogFormat> {
        let place = match self {
            Self::Worker(args) => &args.common.place,
            Self::Pool(args) => &args.common.place,
            Self::Store(args) => &args.common.place,
            Self::Market(args) => &args.common.place,
            Self::Sms(args) => &args.common.place,
            Self::Chain(chain_commands::Command::Run(args)) => &args.place,
            _ => return None,
        };
        Some(place.log_format)
    }
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
    /// Blocks that must hold the transaction before the command goes on
    #[arg(long, value_name = "blockCount", default_value = "1")]
    confirms: String,
    /// Price of gas, in wei unless a unit is given; the node's if left out
    #[arg(long, value_name = "amount unit", num_args = 1..=2)]
    gas_price: Vec<String>,
}

impl TxArgs {
    /// What they mean.
    pub(crate) fn policy(&self) -> Result<Policy, Failure> {
        let confirmations = sdk::parse::small("--confirms", &self.confirms)?;
        if confirmations == 0 {
            return Err(sdk::Error::malformed(
                "--confirms",
                "confirms must be greater than or equal to 1",
            )
            .into());
        }
        let price = match self.gas_price.is_empty() {
            true => None,
            false => Some(gas_price(&self.gas_price.join(" "))?),
        };
        Ok(Policy {
            gas_price: price,
            confirmations,
            ..Policy::default()
        })
    }
}

fn gas_price(text: &str) -> Result<u128, sdk::Error> {
    let wei = protocol::ether::parse(text, "wei")?;
    wei.try_into()
        .map_err(|_| sdk::Error::invalid("--gas-price", format!("`{text}` is too large")))
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
    pub(crate) password: Option<Secret>,
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
    pub(crate) password: Option<Secret>,
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
    fn transactions_are_priced_and_confirmed_as_typed() {
        let tx = |words: &[&str]| {
            let line = [&["iexec", "task", "claim", "0x1"], words].concat();
            let Command::Task(task::Command::Claim(args)) =
                Cli::try_parse_from(line).unwrap().command
            else {
                panic!()
            };
            args.tx.policy()
        };
        assert_eq!(tx(&[]).unwrap(), Policy::default());
        let dear = tx(&["--gas-price", "2", "gwei", "--confirms", "3"]).unwrap();
        assert_eq!(dear.gas_price, Some(2_000_000_000));
        assert_eq!(dear.confirmations, 3);
        assert_eq!(tx(&["--gas-price", "7"]).unwrap().gas_price, Some(7));
        assert!(tx(&["--confirms", "0"]).is_err());
        assert!(tx(&["--gas-price", "1 RLC"]).is_err());
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
