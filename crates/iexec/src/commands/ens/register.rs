//! `iexec ens register`.

use sdk::{ens, parse};
use serde_json::json;

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    prompt, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec ens register my-app --for 0xf6BC…7D9F --chain bellecour")]
pub(crate) struct Args {
    /// The first part of the name
    label: String,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tx: TxArgs,
    /// Replace the name that the address has without asking
    #[arg(long)]
    force: bool,
    /// The rest of the name (default: users, apps, datasets or pools.iexec.eth)
    #[arg(long, value_name = "domain")]
    domain: Option<String>,
    /// An app, dataset or workerpool of the wallet; the wallet itself if left out
    #[arg(long = "for", value_name = "address")]
    target: Option<String>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let target = args.target.as_deref();
    let target = target.map(|target| parse::address("--for", target));
    let target = target.transpose()?;
    let (client, actor) = wallets::actor(context, &args.wallet, &args.chain, &args.tx).await?;
    let target = target.unwrap_or_else(|| actor.address());
    if !args.force
        && let Some(name) = ens::lookup(&client, target).await?
    {
        prompt::confirm(&format!(
            "{target} has the name {name} already, replace it?"
        ))?;
    }
    let domain = args.domain.as_deref();
    let done = ens::register(&client, &actor, &args.label, domain, target).await?;
    let raw = json!({
        "name": done.name,
        "address": target.to_checksum(None),
        "registerTxHash": done.register,
        "setResolverTxHash": done.set_resolver,
        "setAddrTxHash": done.set_address,
        "setNameTxHash": done.set_name,
    });
    Ok(Report::new(raw, format!("{} is {target} now", done.name)))
}
