//! Runs an app and prints the files of its result, proven against the chain.
//!
//! `cargo run -p iexec-sdk --example run_app -- <network.json> <app> [args]`, with the file in the
//! data directory of `iexec up`.

mod common;

use std::io::Cursor;

use anyhow::ensure;
use sdk::{deal, parse, result, run, watch};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let network = common::argument(1, "network.json")?;
    let app = parse::address("app", &common::argument(2, "app")?)?;
    let client = common::connect(&network).await?;
    let requester = client.actor(common::wallet(&network, "requester")?);

    let mut wishes = run::request::Wishes::of(app);
    wishes.params.iexec_args = common::argument(3, "args").ok();
    let plan = run::plan::prepare(&client, &requester, &wishes).await?;
    let started = run::execute(&requester, &plan).await?;
    common::say(&format!("deal {} costs {} nRLC", started.deal, plan.cost));

    let deal = deal::show(&client, started.deal).await?;
    for (index, id) in deal.tasks() {
        let wallet = Some(requester.wallet());
        let show = |update| common::say(&format!("{update:?}"));
        let outcome = watch::follow::task(&client, &deal, index, wallet, show).await?;
        ensure!(outcome == watch::Outcome::Completed, "{outcome:?}");
        let task = deal::task(&client, id).await?;
        let (archive, proof) = result::download(&client, &deal, &task).await?;
        let archive = zip::ZipArchive::new(Cursor::new(archive))?;
        let names: Vec<_> = archive.file_names().collect::<Result<_, _>>()?;
        common::say(&format!("task {id}: {proof:?} result {}", names.join(" ")));
    }
    Ok(())
}
