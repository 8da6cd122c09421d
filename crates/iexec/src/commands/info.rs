//! `iexec info`.

use chain::Asset;
use sdk::services::attestation;
use serde_json::json;

use crate::{
    cli::ChainArgs,
    context::Context,
    outcome::{Failure, Report},
    tee,
};

/// The contracts' version that this program speaks (spec/client.md §1.4).
const POCO_VERSION: &str = "6.1.0";

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec info --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    chain: ChainArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let client = context.client(args.chain.name()).await?;
    let hub = client.hub();
    let registry = |asset| hub.registry(asset).to_checksum(None);
    let info = json!({
        "pocoVersion": POCO_VERSION,
        "host": client.chain().host,
        "hubAddress": hub.address().to_checksum(None),
        "rlcAddress": (!hub.is_native()).then(|| hub.token().to_checksum(None)),
        "appRegistryAddress": registry(Asset::App),
        "datasetRegistryAddress": registry(Asset::Dataset),
        "workerpoolRegistryAddress": registry(Asset::Workerpool),
    });
    let mut shown = info.clone();
    if hub.is_native() {
        shown["rlcAddress"] = json!("the chain's own coin");
    }
    let attestation = attestation::attestation(&client).await;
    if let Some(enclaves) = tee::describe(&attestation) {
        shown["enclaves"] = json!(enclaves);
    }
    let warning = attestation.is_simulated().then_some(tee::SIMULATED);
    let report = Report::new(info, "iExec contracts addresses:");
    Ok(report.with_data(&shown).with_warning(warning))
}
