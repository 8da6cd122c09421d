//! `iexec chain run`: the embedded chain alone, with the contracts on it.

use axum::Router;
use network::{
    ChainNode,
    health::{self, Health},
};
use serde_json::Value;

use crate::{
    commands::role::{Host, PlaceOptions, Service, Standard},
    context::Context,
    outcome::{Failure, Report},
};

const STANDARD: Standard = Standard {
    role: "chain",
    port: 8_545,
};

/// Options of `iexec chain run`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A chain for development: the keys of its accounts are public. `iexec up` runs \
    all roles on one.\n\nExamples:\n  iexec chain run\n  \
    iexec chain run --data /tmp/chain --listen 127.0.0.1:0 --json"
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) place: PlaceOptions,
}

/// Runs until a signal.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let mut host = Host::open(&STANDARD, &args.place, None, None, context).await?;
    let Some(listener) = host.take_listener() else {
        return Err(Failure::new("the chain has no listener"));
    };
    let data_dir = host.data_dir.clone();
    let health = Health::default().check("disk", move || {
        let data_dir = data_dir.clone();
        async move { health::disk(&data_dir).await }
    });
    let started = ChainNode::start(&host.data_dir, listener, health.router()).await;
    let chain = started.map_err(|error| {
        Failure::with_sources(&error)
            .named("NetworkError")
            .hint("another --data begins a new chain")
    })?;
    let facts = serde_json::to_value(chain.info()).unwrap_or(Value::Null);
    let ended = host
        .live(Service {
            router: Router::new(),
            facts,
            drain: None,
        })
        .await;
    chain.stop();
    ended
}
