//! `iexec order init`.

use protocol::{Address, order::Kind};
use sdk::{
    files::{deployed_json, iexec_json, order_section::Known},
    order::name,
};
use serde_json::{Map, Value};

use super::kinds::KindFlags;
use crate::{
    cli::{ChainArgs, WalletArgs},
    context::{Context, write},
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec order init --app --workerpool --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    kinds: KindFlags,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
}

/// Runs it: no node is asked.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let mut file = context.project_file()?;
    let chain_id = context.chain(args.chain.name())?.id;
    let wallet = match wallets::try_find(context, &args.wallet)? {
        Some(found) => found.address()?,
        None => Address::ZERO,
    };
    let mut made = Map::new();
    for kind in args.kinds.chosen() {
        let subject = deployed(context, kind, chain_id)?;
        let template = file.init_order(kind, &Known { subject, wallet });
        made.insert(name(kind).to_owned(), template);
    }
    write(&context.project.join(iexec_json::FILE_NAME), file.to_text())?;
    let made = Value::Object(made);
    let message = "Saved default orders in \"iexec.json\", you can edit them:";
    Ok(Report::new(made.clone(), message).with_data(&made))
}

fn deployed(
    context: &Context,
    kind: Kind,
    chain_id: Option<u64>,
) -> Result<Option<Address>, Failure> {
    let kind = match kind {
        Kind::App => deployed_json::Kind::App,
        Kind::Dataset => deployed_json::Kind::Dataset,
        Kind::Workerpool => deployed_json::Kind::Workerpool,
        Kind::Request => return Ok(None),
    };
    match chain_id {
        Some(chain_id) => Ok(context.deployed()?.get(kind, chain_id)?),
        None => Ok(None),
    }
}
