//! The commands: one file each, a folder for each group.

pub(crate) mod account;
pub(crate) mod app;
mod asset;
pub(crate) mod category;
pub(crate) mod chain;
pub(crate) mod completion;
pub(crate) mod dataset;
pub(crate) mod deal;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod ens;
pub(crate) mod info;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod market;
pub(crate) mod not_offered;
pub(crate) mod order;
pub(crate) mod orderbook;
pub(crate) mod pool;
pub(crate) mod reference;
pub(crate) mod requester;
pub(crate) mod result;
pub(crate) mod role;
pub(crate) mod sms;
pub(crate) mod storage;
pub(crate) mod store;
pub(crate) mod task;
pub(crate) mod up;
pub(crate) mod wallet;
pub(crate) mod worker;
pub(crate) mod workerpool;

use crate::{
    cli::Command,
    context::Context,
    outcome::{Failure, Report},
};

/// Runs what was asked for.
pub(crate) async fn run(command: Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Init(args) => init::run(&args, context).await,
        Command::Wallet(command) => wallet::run(&command, context).await,
        Command::Account(command) => account::run(&command, context).await,
        Command::App(command) => app::run(&command, context).await,
        Command::Dataset(command) => dataset::run(&command, context).await,
        Command::Workerpool(command) => workerpool::run(&command, context).await,
        Command::Deal(command) => deal::run(&command, context).await,
        Command::Task(command) => task::run(&command, context).await,
        Command::Order(command) => order::run(&command, context).await,
        Command::Orderbook(command) => orderbook::run(&command, context).await,
        Command::Requester(command) => requester::run(&command, context).await,
        Command::Result(command) => result::run(&command, context).await,
        Command::Category(command) => category::run(&command, context).await,
        Command::Storage(command) => storage::run(&command, context).await,
        Command::Chain(command) => chain::run(&command, context).await,
        Command::Info(args) => info::run(&args, context).await,
        Command::Worker(args) => worker::run(&args, context).await,
        Command::Pool(args) => pool::run(&args, context).await,
        Command::Store(args) => store::run(&args, context).await,
        Command::Market(args) => market::run(&args, context).await,
        Command::Sms(args) => sms::run(&args, context).await,
        Command::Up(args) => up::run(&args, context).await,
        Command::Down(args) => down::run(&args, context),
        Command::Demo(args) => demo::run(&args, context).await,
        Command::Ens(command) => ens::run(&command, context).await,
        Command::Doctor(args) => doctor::run(&args, context).await,
        Command::Completion(args) => Ok(completion::run(&args)),
        Command::Man(args) => man::run(&args, context),
        Command::Reference(args) => Ok(reference::run(&args)),
        Command::Voucher(_) => Err(not_offered::voucher()),
    }
}
