//! `iexec app deploy`.

use chain::Asset;
use sdk::{
    app, chains,
    image::{self, ImageResolver, Origin},
};

use crate::{
    commands::asset::deploy::{Args, finish},
    context::Context,
    outcome::{Failure, Report},
    resolver::EngineResolver,
    wallets,
};

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let section = context.project_file()?.app()?;
    let deployed = context.deployed()?;
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
    let created = app::deploy(&client.actor(wallet), &section, &image).await?;
    finish(Asset::App, context, &client, deployed, created)
}
