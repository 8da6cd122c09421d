//! `iexec ens resolve`, `lookup` and `get-owner`.

use sdk::{ens, parse};
use serde_json::json;

use crate::{
    cli::ChainArgs,
    context::Context,
    outcome::{Failure, Report},
};

/// Options of what asks about a name.
#[derive(Debug, clap::Args)]
pub(crate) struct NameArgs {
    /// The name
    name: String,
    #[command(flatten)]
    chain: ChainArgs,
}

/// Options of what asks about an address.
#[derive(Debug, clap::Args)]
pub(crate) struct AddressArgs {
    /// The address
    address: String,
    #[command(flatten)]
    chain: ChainArgs,
}

/// Runs `resolve`.
pub(crate) async fn resolve(args: &NameArgs, context: &Context) -> Result<Report, Failure> {
    let client = context.client(args.chain.name()).await?;
    let address = ens::resolve(&client, &args.name).await?;
    let address = address.map(|address| address.to_checksum(None));
    let message = match &address {
        Some(address) => format!("{} is {address}", args.name),
        None => format!("{} stands for no address", args.name),
    };
    Ok(Report::new(json!({ "address": address }), message))
}

/// Runs `lookup`.
pub(crate) async fn lookup(args: &AddressArgs, context: &Context) -> Result<Report, Failure> {
    let address = parse::address("address", &args.address)?;
    let client = context.client(args.chain.name()).await?;
    let name = ens::lookup(&client, address).await?;
    let message = match &name {
        Some(name) => format!("{address} is {name}"),
        None => format!("{address} has no name"),
    };
    Ok(Report::new(json!({ "name": name }), message))
}

/// Runs `get-owner`.
pub(crate) async fn owner(args: &NameArgs, context: &Context) -> Result<Report, Failure> {
    let client = context.client(args.chain.name()).await?;
    let owner = ens::owner(&client, &args.name).await?;
    let message = match owner.is_zero() {
        true => format!("nobody owns {}", args.name),
        false => format!("{} belongs to {owner}", args.name),
    };
    let raw = json!({ "owner": owner.to_checksum(None) });
    Ok(Report::new(raw, message))
}
