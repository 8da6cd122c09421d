//! `iexec order show`.

use protocol::{OrderHash, order::Kind};
use sdk::{Client, order::life};
use serde_json::Value;

use super::{
    kinds::{HashFlags, resolve},
    parts::Parts,
};
use crate::{
    cli::ChainArgs,
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec order show --app 0x48a7…2a54 --deals --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    kinds: HashFlags,
    #[command(flatten)]
    chain: ChainArgs,
    /// With the last deals made of them
    #[arg(long)]
    deals: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let chosen = args.kinds.chosen()?;
    let client = context.client(args.chain.name()).await?;
    let mut parts = Parts::default();
    for (kind, hash) in chosen {
        let shown = show(args, context, &client, kind, hash).await;
        parts.add(kind, shown);
    }
    parts.finish("show", "found")
}

async fn show(
    args: &Args,
    context: &Context,
    client: &Client,
    kind: Kind,
    hash: Option<OrderHash>,
) -> Result<Value, Failure> {
    let hash = match hash {
        Some(hash) => hash,
        None => resolve(context, client, kind, None).await?.hash(client),
    };
    let record = life::show(client, kind, hash, args.deals).await?;
    Ok(Value::Object(record))
}
