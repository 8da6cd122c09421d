//! `iexec app deploy`.

use sdk::{
    app, chains,
    files::deployed_json::Kind,
    image::{self, ImageResolver, Origin},
};
use serde_json::json;

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    resolver::EngineResolver,
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec app deploy --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tx: TxArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let section = context.project_file()?.app()?;
    let found = wallets::find(context, &args.wallet)?;
    let client = context
        .client(args.chain.name())
        .await?
        .with_policy(args.tx.policy()?);
    let resolved = EngineResolver::new(context)?
        .resolve(&section.multiaddr)
        .await;
    let unresolved = resolved.as_ref().err().cloned();
    let is_local = client.chain().name == chains::LOCAL;
    let image = image::pin(&section.multiaddr, section.checksum, resolved, is_local)?;
    context.note(match image.origin {
        Origin::Confirmed => format!("Image {} has the given checksum", image.multiaddr),
        Origin::Registry => format!("Image {} has checksum {}", image.multiaddr, image.checksum),
        Origin::LocalImage => format!(
            "Image {} was never pushed: its id {} is its checksum, good on this machine only",
            image.multiaddr, image.checksum
        ),
        Origin::Unconfirmed => format!(
            "Image {} could not be looked up ({}): its checksum is taken as given",
            image.multiaddr,
            unresolved.unwrap_or_default()
        ),
    });
    let wallet = found.unlock(&args.wallet)?;
    let (address, receipt) = app::deploy(&client.actor(wallet), &section, &image).await?;
    let mut deployed = context.deployed()?;
    deployed.set(Kind::App, client.hub().chain_id(), address);
    context.save_deployed(&deployed)?;
    let raw = json!({ "address": address.to_checksum(None), "txHash": receipt.tx });
    Ok(Report::new(
        raw,
        format!("Deployed new app at address {address}"),
    ))
}
