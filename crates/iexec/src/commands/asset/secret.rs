//! `check-secret` of an app or dataset, and how `push-secret` ends.

use chain::Asset;
use protocol::Address;
use sdk::Client;
use serde_json::json;

use crate::{
    cli::{ChainArgs, TeeArgs},
    context::Context,
    outcome::{Failure, Report},
};

/// Options of `check-secret`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Its address; the one deployed last if left out
    address: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    tee: TeeArgs,
}

/// Runs `check-secret`; `is_set` asks the SMS.
pub(crate) async fn check(
    kind: Asset,
    args: &CheckArgs,
    context: &Context,
    is_set: impl AsyncFnOnce(&Client, Address) -> Result<bool, sdk::Error>,
) -> Result<Report, Failure> {
    args.tee.warn(context);
    let client = context.client(args.chain.name()).await?;
    let chain_id = client.hub().chain_id();
    let address = context.address_or_deployed(args.address.as_deref(), kind, chain_id)?;
    let is_set = is_set(&client, address).await?;
    let found = if is_set { "Secret" } else { "No secret" };
    let message = format!("{found} found for {} {address}", kind.name());
    Ok(Report::new(json!({ "isSecretSet": is_set }), message))
}

/// The end of a `push-secret`.
pub(crate) fn pushed() -> Report {
    Report::new(json!({}), "Secret successfully pushed")
}
